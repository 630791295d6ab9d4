"""``pypi-mirror sync``: a whole run without Airflow, batches in parallel processes."""

import argparse
import os
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from packaging.utils import InvalidName, canonicalize_name
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pypi_mirror.commands.processes import run_batches
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind, RunState, Tally
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.fetch_changelog import fetch_changelog
from pypi_mirror.steps.partition_projects import Partition, partition_projects
from pypi_mirror.steps.rebuild_index import rebuild_index
from pypi_mirror.steps.report import Report, fail_run, report
from pypi_mirror.webserver.wording import count, size

# Enough batches for every process to find one until the end.
_BATCHES_PER_PROCESS = 4


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("sync", parents=[common], help="bring the mirror up to date")
    parser.add_argument(
        "--processes",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="batches at once, each with [mirror] workers downloads (default: %(default)s)",
    )
    parser.add_argument("--recheck", action="store_true", help="ask upstream for every selected project")
    parser.add_argument(
        "projects",
        nargs="*",
        metavar="PROJECT",
        help="sync only these, whatever their state; the cursor stays where it is",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    if arguments.processes < 1:
        print("pypi-mirror sync: --processes must be at least 1", file=sys.stderr)
        return 2
    request = make_request(arguments.projects, recheck=arguments.recheck)
    with open_mirror(read_settings(arguments.config)) as mirror:
        try:
            outcome = _sync(mirror, request, arguments.processes)
        except BaseException as error:
            fail_run(mirror, request.label, str(error) or type(error).__name__)
            raise
    _print(outcome)
    return 1 if outcome.state is RunState.FAILED or outcome.tally.projects_failed else 0


def make_request(names: Sequence[str], *, recheck: bool) -> RunRequest:
    """What the command line asks for; MirrorError for a project's name that is none."""
    try:
        projects = tuple(canonicalize_name(name, validate=True) for name in names)
    except InvalidName as error:
        raise MirrorError(f"{error}; give the names of projects") from error
    return RunRequest(
        label=f"command line, {socket.gethostname()}, process {os.getpid()}, {time.time():.0f}",
        kind=RunKind.SELECTED if projects else RunKind.SYNC,
        projects=projects,
        recheck=recheck,
    )


def _sync(mirror: Mirror, request: RunRequest, processes: int) -> Report:
    fetched = fetch_changelog(mirror, request)
    partition = partition_projects(mirror, fetched.run_id, at_least=processes * _BATCHES_PER_PROCESS)
    if partition.projects:
        _download(mirror, partition, processes)
    rebuild_index(mirror, fetched.run_id)
    return report(mirror, fetched.run_id)


def _download(mirror: Mirror, partition: Partition, processes: int) -> None:
    total = Tally()
    with Progress(
        TextColumn("projects"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[done]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("sync", total=partition.projects, done="")

        def show(tally: Tally) -> None:
            nonlocal total
            total += tally
            bar.update(
                task,
                completed=total.projects_done + total.projects_failed,
                done=f"{count(total.files_downloaded, 'file')}, {size(total.bytes_downloaded)}",
            )

        run_batches(
            mirror,
            partition.run_id,
            [batch.number for batch in partition.batches],
            processes=processes,
            on_progress=show,
        )


def _print(outcome: Report) -> None:
    tally = outcome.tally
    if not outcome.planned:
        print(f"Nothing changed upstream; the mirror is at serial {outcome.cursor}.")
    else:
        print(
            f"{count(tally.projects_done, 'project')} synced, {tally.projects_removed} of them removed; "
            f"{count(tally.files_downloaded, 'file')} downloaded ({size(tally.bytes_downloaded)}), "
            f"{outcome.duration:.0f} s."
        )
    print(
        f"The mirror holds {count(outcome.projects, 'project')}, {count(outcome.files, 'file')}, "
        f"{size(outcome.bytes)}; the filters left out {count(outcome.dropped_files, 'file')}, "
        f"{size(outcome.dropped_bytes)}."
    )
    for failure in (*outcome.new_failures, *outcome.known_failures):
        print(f"failed: {failure.project}: {failure.reason}", file=sys.stderr)
