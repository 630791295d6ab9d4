"""``pypi-mirror audit``: look for damage in ledger and tree, and repair it.

Exit codes: 0 nothing is wrong any more, 1 something is that was not repaired (in a dry run: anything), or a
project is behind upstream.
"""

import argparse
import sys
import time
from typing import Any, Final

from pypi_mirror.audit.findings import AuditCoverage, AuditReport, Kind
from pypi_mirror.cli.label import is_dead, new_label
from pypi_mirror.cli.output import warn
from pypi_mirror.cli.parser import add_verbose_option
from pypi_mirror.cli.sync import ended, print_clock, project_name
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.run_label import shown_label
from pypi_mirror.runs.audit import AuditRequest, audit
from pypi_mirror.settings.read import read_settings
from pypi_mirror.wording import count, moment_of, percent, size

_SHOWN: Final = 50
_ASKED_AGAIN: Final = 5.0


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser(
        "audit",
        parents=[common],
        examples=(
            "pypi-mirror audit                    # as much as [audit] says",
            "pypi-mirror audit --all              # the whole mirror",
            "pypi-mirror audit flask --dry-run    # only say what is wrong with one project",
        ),
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only report, and change nothing; works beside a run",
    )
    parser.add_argument("--all", action="store_true", help="the whole mirror, not a part of it")
    parser.add_argument(
        "--gigabytes",
        type=_amount,
        metavar="N",
        help="read N GB at most (default: [audit] gigabytes-per-run)",
    )
    parser.add_argument(
        "--pages",
        type=int,
        metavar="N",
        help="ask upstream for N pages at most (default: [audit] pages-per-run)",
    )
    parser.add_argument(
        "--wait", action="store_true", help="wait for the run that has the mirror, if one has"
    )
    add_verbose_option(parser, "log a line for each finding")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument(
        "projects", nargs="*", type=project_name, metavar="PROJECT", help="only these, completely"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    request = AuditRequest(
        label=new_label(),
        budget=None if arguments.gigabytes is None else round(arguments.gigabytes * 1e9),
        pages=arguments.pages,
        projects=tuple(arguments.projects),
        everything=arguments.all,
        dry_run=arguments.dry_run,
    )
    settings = read_settings(arguments.config)
    with open_mirror(settings, must_exist=True) as mirror:
        with ended(mirror, request.label):
            report = _audit(mirror, request, wait=arguments.wait)
        print_clock(mirror)
    if arguments.json:
        sys.stdout.write(report.as_json())
    else:
        _print(report)
    return 0 if report.is_clean and not report.behind else 1


def _audit(mirror: Mirror, request: AuditRequest, *, wait: bool) -> AuditReport:
    """Audit as soon as the mirror is free, or, without ``wait``, now or not at all."""
    while True:
        try:
            return audit(mirror, request)
        except MirrorBusy as busy:
            if is_dead(busy.owner):
                mirror.ledger.lease.release(busy.owner)
            elif wait:
                time.sleep(_ASKED_AGAIN)
            else:
                raise


def _amount(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = -1.0
    if not 0 < amount < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of gigabytes above 0")
    return amount


def _print(report: AuditReport) -> None:
    print(
        f"{count(report.projects, 'project')}, {count(report.files, 'file')} and {size(report.bytes)} read; "
        f"checked {report.directories} of the 256 directories in web/packages/; requested "
        f"{count(report.rechecked, 'page')} from upstream, {report.changed:,} had changed."
    )
    if report.beside is not None:
        print(
            f"A run is under way ({shown_label(report.beside)}): its unfinished projects, the list of "
            "all projects, and files and pages of unknown projects were not checked."
        )
    for kind, number in sorted(report.found.items()):
        print(f"  {number:>7,}  {Kind(kind).words}")
    if report.found:
        print(
            f"{report.repaired:,} repaired, {report.unrepaired:,} not repaired, {report.waiting:,} will be "
            "deleted after the grace period."
        )
    else:
        print("Nothing is wrong with what is here." if _lacks(report) else "Nothing is wrong.")
    _print_lacking(report)
    for line in _coverage(report.coverage, dry_run=report.dry_run):
        print(line)
    for finding in report.examples[:_SHOWN]:
        warn(f"found: {finding}")
    if sum(report.found.values()) > _SHOWN:
        print(f"found: {sum(report.found.values()) - _SHOWN} more; -v logs all of them", file=sys.stderr)
    for filename in report.withheld:
        print(f"removed from its page: {filename} (damaged)", file=sys.stderr)
    for failure in report.failures:
        warn(f"failed: {failure.project}: {failure.reason}")
    if report.reason is not None:
        warn(f"ended early: {report.reason}")


def _lacks(report: AuditReport) -> bool:
    """Whether upstream has something that this mirror should have and has not, however whole the disk is."""
    return bool(report.refused or report.behind)


def _print_lacking(report: AuditReport) -> None:
    if report.refused:
        print(
            f"{count(report.refused, 'part')} of upstream's pages left out as invalid or unsafe; "
            "`pypi-mirror explain PROJECT` names those of a project."
        )
    for failure in report.behind[:_SHOWN]:
        warn(f"behind upstream: {failure.project}: {failure.reason}")
    if (more := len(report.behind) - _SHOWN) > 0:
        warn(f"behind upstream: {count(more, 'more project')}; `pypi-mirror backlog` names them")


def _coverage(coverage: AuditCoverage, *, dry_run: bool) -> list[str]:
    if coverage.oldest is None:
        return ["The mirror is empty."]
    projects, bytes_ = percent(coverage.share_of_projects), percent(coverage.share_of_bytes)
    shares = f"{projects} of the projects, {bytes_} of the bytes"
    oldest = (
        "some were never checked" if coverage.oldest == 0 else f"oldest check: {moment_of(coverage.oldest)}"
    )
    # Only what an audit has noted counts, and a dry run notes nothing.
    uncounted = " (this dry run not counted)" if dry_run else ""
    lines = [f"Verified within {coverage.days:g} days{uncounted}: {shares}; {oldest}."]
    if coverage.needed_bytes is not None:
        verdict = "is enough" if coverage.suffices else "is not enough"
        lines.append(
            f"[audit] gigabytes-per-run {verdict}: at the pace of the last audits, each has to read "
            f"{size(coverage.needed_bytes)}."
        )
    return lines
