"""``pypi-mirror plan``: what a sync would do, without doing it."""

import argparse
import sys
from typing import Any

from pypi_mirror.commands.hints import say
from pypi_mirror.commands.sync import begin, make_request, project_name
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.fetch_changelog import Fetched
from pypi_mirror.steps.guard_removals import Removals
from pypi_mirror.steps.partition_projects import partition_projects
from pypi_mirror.steps.report import end_dry_run
from pypi_mirror.steps.unknown_names import described, unknown_names
from pypi_mirror.wording import count, size


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("plan", parents=[common], help="say what a sync would do")
    parser.add_argument("--recheck", action="store_true", help="as for sync")
    parser.add_argument("projects", nargs="*", type=project_name, metavar="PROJECT", help="as for sync")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    request = make_request(arguments)
    with open_mirror(read_settings(arguments.config)) as mirror:
        try:
            fetched = begin(mirror, request)
            partition = partition_projects(mirror, fetched.run_id)
            unknown = unknown_names(mirror)
            for planned in mirror.ledger.plan.projects(fetched.run_id):
                verb = "remove" if planned.action is Action.REMOVE or planned.gone else "sync"
                print(f"{verb} {planned.project}: {planned.reason}{_losses(planned)}")
        finally:
            run = mirror.ledger.runs.labelled(request.label)
            if run is not None:
                end_dry_run(mirror, run.id)
    projects = count(partition.projects + partition.left, "project")
    print(f"{projects}, {partition.weighed.projects} of them to remove; {_source(fetched, request.kind)}.")
    if fetched.filters_changed:
        print("The filters changed since the last complete run: every project was looked at.")
    if partition.left:
        first = f"A run takes {partition.projects:,} of them ([schedule] projects-per-run)"
        say(f"{first}; `pypi-mirror sync --all` takes all.")
    _print_removals(partition.weighed)
    if unknown:
        print(f"warning: {described(unknown)}", file=sys.stderr)
    return 0


def _losses(planned: PlannedProject) -> str:
    """What the mirror loses by it: `` (loses its page, 3 files, 1.2 MB)``."""
    parts = ["its page"] if planned.loses_project else []
    if planned.loses_files:
        parts += [count(planned.loses_files, "file"), size(planned.loses_bytes)]
    return f" (loses {', '.join(parts)})" if parts else ""


def _print_removals(removals: Removals) -> None:
    if not removals.touched:
        return
    print(f"Plan {removals.plan} removes {removals.described()}.")
    if removals.exceeded:
        print(f"It needs approval: {'; '.join(removals.exceeded)}.")
        say(f"`pypi-mirror sync --approve {removals.plan}` runs it.")


def _source(fetched: Fetched, kind: RunKind) -> str:
    match fetched.source:
        case "changelog":
            return f"{count(fetched.events, 'event')} since serial {fetched.cursor_from}"
        case "index":
            at = "" if fetched.cursor_to is None else f", which is at serial {fetched.cursor_to}"
            return f"by comparison with upstream's root index{at}"
        case "ledger":
            return "nothing changed upstream" if kind is RunKind.SYNC else "as asked for"
