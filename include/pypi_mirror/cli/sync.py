"""``pypi-mirror sync``: a whole run without Airflow, batches in parallel processes."""

import argparse
import getpass
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from msgspec.structs import replace
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.cli.configuration_warnings import print_warnings
from pypi_mirror.cli.interruption import check, held_back, interruptible
from pypi_mirror.cli.label import is_dead, new_label
from pypi_mirror.cli.output import warn
from pypi_mirror.cli.parser import add_verbose_option, hint_at_file
from pypi_mirror.cli.plan_report import report_plan
from pypi_mirror.cli.processes import Shared, run_all
from pypi_mirror.cli.progress import show_following, show_progress, show_reading
from pypi_mirror.cli.sync_report import (
    has_waiting,
    print_failed_json,
    print_json,
    print_report,
    print_waiting,
)
from pypi_mirror.errors import ApprovalRequired, MirrorBusy, MirrorError
from pypi_mirror.ledger.plan import NameRange
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import RunRequest, names
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind, RunState, Tally
from pypi_mirror.planning.lacking import lacking
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.planning.plan import BATCHES_EACH
from pypi_mirror.planning.removals import require_none_waits
from pypi_mirror.publishing.grace import clock_warning
from pypi_mirror.publishing.site import tidy_layout
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import Fetched, fetch_changelog
from pypi_mirror.runs.follow_dependencies import follow_dependencies
from pypi_mirror.runs.partition_projects import Partition, partition_projects
from pypi_mirror.runs.read_pages import PagesRead, read_pages, read_range
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, end_dry_run, fail_run, report
from pypi_mirror.settings.read import read_settings

# Seconds between two questions whether another run has ended.
_ASK_AGAIN = 2.0
# What makes another process worth starting: until one is at work takes as long as so many small projects.
_PROJECTS_A_PROCESS = 50
# So many pages are read in a second.
_WORTH_SHOWING = 200
# What makes a process more worth starting for reading.
_PAGES_A_PROCESS = 200
# Ranges that each process reads, one after the other: some take longer. Each makes connections of its own,
# which takes as long as fifty pages.
_RANGES_EACH = 4
_PAGES_A_RANGE = 1_000


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "sync",
        parents=[common],
        examples=(
            "pypi-mirror sync                      # everything that changed",
            "pypi-mirror sync flask requests       # these alone, whatever their state",
            "pypi-mirror sync --dry-run            # only say what would be done",
            "pypi-mirror sync --approve 1f0c9a     # a plan that removes more than [removal] allows",
        ),
    )
    parser.add_argument(
        "--processes",
        type=_number_of_processes,
        metavar="N",
        help="processes that download side by side, and share [mirror] workers and bandwidth-limit "
        "(default: as many as the work is worth, one a core at most)",
    )
    add_verbose_option(parser, "log a line for each project")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("--wait", action="store_true", help="wait while another run has the mirror")
    parser.add_argument("--recheck", action="store_true", help="ask upstream for every selected project")
    parser.add_argument(
        "--now", action="store_true", help="download at any hour, whatever [schedule] download-window says"
    )
    parser.add_argument(
        "--all", action="store_true", help="do the whole plan, also where [schedule] limits what a run takes"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="read upstream's pages and say what a sync would do; `plan` says it from what was read before",
    )
    parser.add_argument(
        "--approve",
        metavar="PLAN",
        help="run the plan with this id although it needs approval; `plan` shows the id, and nothing else is "
        "approved",
    )
    parser.add_argument(
        "projects",
        nargs="*",
        type=project_name,
        metavar="PROJECT",
        help="sync only these, whatever their state; other changes wait for the next sync",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    request = replace(
        make_request(arguments), any_hour=arguments.now, unbounded=arguments.all, dry_run=arguments.dry_run
    )
    settings = read_settings(arguments.config)
    print_warnings(settings)
    with open_mirror(settings) as mirror:
        try:
            with ended(mirror, request.label):
                if arguments.dry_run:
                    return _dry_run(mirror, request, arguments)
                outcome = _sync(mirror, request, arguments)
        except MirrorError as error:
            if arguments.json:
                print_failed_json("held" if isinstance(error, ApprovalRequired) else "failed", str(error))
            raise
        failed = outcome.state is RunState.FAILED or outcome.tally.projects_failed or outcome.absent
        waiting = mirror.ledger.backlog.failed()
        complete = not failed and not has_waiting(waiting, outcome)
        if arguments.json:
            print_json(mirror, outcome, complete=complete)
        else:
            print_report(mirror, outcome)
        # Where upstream's list was looked through; from cron one need not hear it every hour.
        for text in lacking(mirror) if outcome.source == "index" else ():
            print(f"warning: {text}", file=sys.stderr)
        print_clock(mirror)
        print_waiting(waiting, outcome)
    return 0 if complete else 1


def project_name(text: str) -> NormalizedName:
    """A project's name in any spelling, for argparse."""
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        hint = hint_at_file([text])
        raise argparse.ArgumentTypeError(f"{text!r} is not a project name{hint}") from error


def make_request(arguments: argparse.Namespace) -> RunRequest:
    """What the command line asks for; ``projects`` and ``recheck`` are the arguments it needs."""
    projects: list[NormalizedName] = arguments.projects
    return RunRequest(
        label=new_label(),
        kind=RunKind.SELECTED if projects else RunKind.SYNC,
        projects=tuple(projects),
        recheck=arguments.recheck,
    )


def begin(mirror: Mirror, request: RunRequest, *, wait: bool = False) -> Fetched:
    """Step 1, which need not wait out the lease of a process of this host that was killed.

    Raises MirrorBusy while another run has the mirror, unless it is to ``wait``.
    """
    reported = None
    while True:
        try:
            return fetch_changelog(mirror, request)
        except MirrorBusy as busy:
            if is_dead(busy.owner):
                mirror.ledger.lease.release(busy.owner)
                continue
            if not wait:
                raise
            if busy.owner != reported:
                print(f"waiting: {busy}", file=sys.stderr, flush=True)
                reported = busy.owner
        time.sleep(_ASK_AGAIN)


@contextmanager
def ended(mirror: Mirror, label: str) -> Iterator[None]:
    """A run that is left by an error or a signal has failed, and has given its lease back."""
    with held_back():
        try:
            with interruptible():
                yield
        except BaseException as error:
            fail_run(mirror, label, str(error) or type(error).__name__)
            raise


def _number_of_processes(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _sync(mirror: Mirror, request: RunRequest, arguments: argparse.Namespace) -> Report:
    fetched = begin(mirror, request, wait=arguments.wait)
    if fetched.filters_changed:
        said = "The filters changed since the last complete run: every project is looked at."
        print(said, file=sys.stderr if arguments.json else sys.stdout, flush=True)
    most = _most_processes(arguments)
    _read(mirror, fetched.run_id, most)
    partition = partition_projects(
        mirror,
        fetched.run_id,
        at_least=most * BATCHES_EACH,
        # Who asks for a number of processes gets them.
        smallest=1 if arguments.processes else _PROJECTS_A_PROCESS,
        listed=True,
    )
    removals = approve_removals(mirror, fetched.run_id, approved=arguments.approve, by=who())
    if arguments.approve not in (None, removals.plan):
        warn(f"warning: no plan {arguments.approve} awaits approval; this sync needs none")
    if partition.projects:
        _download(mirror, partition, most)
    # A signal that was lost in a finalizer ends the run here.
    check()
    rebuild_index(mirror, fetched.run_id)
    if not mirror.settings.site.enabled:
        tidy_layout(mirror)
    return report(mirror, fetched.run_id)


def _most_processes(arguments: argparse.Namespace) -> int:
    return arguments.processes or os.cpu_count() or 1


def _read(mirror: Mirror, run_id: int, processes: int) -> tuple[Failed, ...]:
    """Read upstream's pages as ``read_pages`` does, many of them in ``processes``, and follow dependencies;
    returns what failed.
    """
    failed = _read_pages(mirror, run_id, processes)
    if not mirror.policy.follows:
        return failed
    with show_following(mirror.ledger.dependencies.progress) as show:
        return (*failed, *follow_dependencies(mirror, run_id, again=False, on_followed=lambda _: show()))


def _read_pages(mirror: Mirror, run_id: int, processes: int) -> tuple[Failed, ...]:
    pages = list_projects(mirror, run_id)
    if pages < _WORTH_SHOWING:
        return read_pages(mirror, run_id).failed
    processes = min(processes, pages // _PAGES_A_PROCESS) or 1
    number = min(processes * _RANGES_EACH, pages // _PAGES_A_RANGE)
    ranges = mirror.ledger.plan.unread_ranges(run_id, max(processes, number))
    work = [partial(_read_range, run_id, within) for within in ranges]
    read = run_all(mirror, work, processes=processes, progress=show_reading(pages))
    return tuple(each for one in read for each in one.failed)


def _read_range(run_id: int, within: NameRange, mirror: Mirror, shared: Shared[int]) -> PagesRead:
    return read_range(
        mirror,
        run_id,
        within,
        sharers=shared.sharers,
        should_stop=shared.should_stop,
        on_read=shared.tell,
    )


def _dry_run(mirror: Mirror, request: RunRequest, arguments: argparse.Namespace) -> int:
    require_none_waits(mirror)
    fetched = begin(mirror, request, wait=arguments.wait)
    failed = _read(mirror, fetched.run_id, _most_processes(arguments))
    partition = partition_projects(mirror, fetched.run_id, listed=True)
    absent = _absent(mirror, request)
    report_plan(mirror, fetched, partition, as_json=arguments.json, failed=failed, absent=absent)
    end_dry_run(mirror, fetched.run_id)
    return 1 if failed or absent else 0


def _absent(mirror: Mirror, request: RunRequest) -> list[NormalizedName]:
    """The projects asked for that neither the mirror nor, by what was just read, upstream has."""
    asked = names(request)
    gone, known = mirror.ledger.catalogue.gone(asked), mirror.ledger.projects.known(asked)
    return [name for name in asked if name in gone and not (name in known and known[name].present)]


def who() -> str:
    """The person at the command line, as far as this machine knows."""
    try:
        return f"{getpass.getuser()} on the command line"
    except (OSError, KeyError):
        return f"user {os.geteuid()} on the command line"


def print_clock(mirror: Mirror) -> None:
    """Warn of a clock that runs ahead."""
    ahead = mirror.ledger.facts.clock_ahead
    if ahead is not None:
        print(f"warning: {clock_warning(ahead)}", file=sys.stderr)


def _download(mirror: Mirror, partition: Partition, processes: int) -> None:
    run_all(
        mirror,
        [partial(download_batch, partition.run_id, batch.number) for batch in partition.batches],
        processes=processes,
        progress=show_progress(partition.projects),
    )


def download_batch(run_id: int, batch: int, mirror: Mirror, shared: Shared[Tally]) -> None:
    """Do one batch of a run, as a piece of work of ``run_all``."""
    download_projects(
        mirror,
        run_id,
        batch,
        sharers=shared.sharers,
        should_stop=shared.should_stop,
        on_progress=shared.tell,
    )
