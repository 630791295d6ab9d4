"""``pypi-mirror plan``: what a sync would do, without doing it; nothing is made or changed."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from pypi_mirror.commands.hints import say
from pypi_mirror.commands.sync import make_request, project_name
from pypi_mirror.mirror import open_to_plan
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.settings.read import read_settings
from pypi_mirror.steps.asked_for_names import require_upstream
from pypi_mirror.steps.fetch_changelog import Fetched, fetch_changelog
from pypi_mirror.steps.guard_removals import Removals
from pypi_mirror.steps.partition_projects import Partition, partition_projects
from pypi_mirror.steps.unknown_names import described, unknown_names
from pypi_mirror.wording import count, size


def add_parser(verbs: Any, common: argparse.ArgumentParser) -> None:
    parser = verbs.add_parser("plan", parents=[common], help="say what a sync would do")
    parser.add_argument("--recheck", action="store_true", help="as for sync")
    parser.add_argument("--json", action="store_true", help="print the plan as one JSON object")
    parser.add_argument("projects", nargs="*", type=project_name, metavar="PROJECT", help="as for sync")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    request = make_request(arguments)
    with open_to_plan(read_settings(arguments.config)) as mirror:
        fetched = fetch_changelog(mirror, request)
        require_upstream(mirror, arguments.projects)
        partition = partition_projects(mirror, fetched.run_id)
        projects = list(mirror.ledger.plan.projects(fetched.run_id))
        unknown = unknown_names(mirror)
    if arguments.json:
        document = msgspec.json.encode(_document(fetched, partition, projects, unknown))
        sys.stdout.write(msgspec.json.format(document, indent=2).decode() + "\n")
    else:
        _print(fetched, partition, projects, request.kind)
    if unknown:
        print(f"warning: {described(unknown)}", file=sys.stderr)
    return 0


def _removes(planned: PlannedProject) -> bool:
    return planned.action is Action.REMOVE or planned.gone


def _held_bytes(projects: Sequence[PlannedProject]) -> tuple[list[PlannedProject], int]:
    """The projects to sync that are new to the mirror, and how much it holds of the others."""
    to_sync = [planned for planned in projects if not _removes(planned)]
    return [p for p in to_sync if not p.known_bytes], sum(p.known_bytes for p in to_sync)


def _document(
    fetched: Fetched, partition: Partition, projects: Sequence[PlannedProject], unknown: Sequence[str]
) -> dict[str, Any]:
    weighed = partition.weighed
    new, held = _held_bytes(projects)
    return {
        "plan": weighed.plan or None,
        "source": fetched.source,
        "cursor_from": fetched.cursor_from,
        "cursor_to": fetched.cursor_to,
        "events": fetched.events,
        "filters_changed": fetched.filters_changed,
        "totals": {
            "projects": partition.projects + partition.left,
            "this_run": partition.projects,
            "left": partition.left,
            "new": len(new),
            "held_bytes": held,
            # Upstream's pages say it, and no plan reads them.
            "download_bytes": None,
        },
        "removals": {
            "projects": weighed.projects,
            "files": weighed.files,
            "bytes": weighed.bytes,
            "exceeded": weighed.exceeded,
            "needs_approval": bool(weighed.exceeded),
        },
        "unknown_names": unknown,
        "projects": [
            {
                "project": planned.project,
                "action": "remove" if _removes(planned) else "sync",
                "reason": planned.reason,
                "serial": planned.serial,
                "held_bytes": planned.known_bytes,
                "loses_project": planned.loses_project,
                "loses_files": planned.loses_files,
                "loses_bytes": planned.loses_bytes,
            }
            for planned in projects
        ],
    }


def _print(fetched: Fetched, partition: Partition, projects: Sequence[PlannedProject], kind: RunKind) -> None:
    for planned in projects:
        verb = "remove" if _removes(planned) else "sync"
        print(f"{verb} {planned.project}: {planned.reason}{_losses(planned)}")
    number = count(partition.projects + partition.left, "project")
    print(f"{number}, {partition.weighed.projects} of them to remove; {_source(fetched, kind)}.")
    new, held = _held_bytes(projects)
    if new or held:
        print(
            f"The mirror holds {size(held)} of what is to sync, and nothing yet of "
            f"{count(len(new), 'project')}. How much to download shows when a sync reads upstream's pages."
        )
    if fetched.filters_changed:
        print("The filters changed since the last complete run: every project was looked at.")
    if partition.left:
        first = f"A run takes {partition.projects:,} of them ([schedule] projects-per-run)"
        say(f"{first}; `pypi-mirror sync --all` takes all.")
    _print_removals(partition.weighed)


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
