"""A plan in words and as JSON, for ``plan`` and ``sync --dry-run``."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.cli.output import say, warn
from pypi_mirror.facts.values import Removals
from pypi_mirror.ledger.results import Failed
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, RunKind
from pypi_mirror.observing.asked_for_names import did_you_mean
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.observing.explain import FileState, explain
from pypi_mirror.planning.lacking import lacking
from pypi_mirror.planning.unknown_names import unknown_names
from pypi_mirror.planning.unmet_rules import unmet_rules
from pypi_mirror.runs.fetch_changelog import Fetched
from pypi_mirror.runs.partition_projects import Partition
from pypi_mirror.wording import count, size, some_of

# Of a plan that downloads nothing, so many projects are looked at for why.
_LOOKED_AT: Final = 100

# Roots, filters or upstream's pages have changed since dependencies were followed.
_CHANGED: Final = (
    "[allowlist], a filter or a page has changed since dependencies were followed, so what is required may "
    "change too: the next sync follows them"
)
_NEVER_FOLLOWED: Final = (
    "no dependencies have been followed yet, so what is required comes too: the next sync follows them"
)
_DRY_RUN: Final = "`pypi-mirror sync --dry-run` does so without downloading anything"
# Requirements that nothing meets which are shown.
_UNMET: Final = 20


def report_plan(
    mirror: Mirror,
    fetched: Fetched,
    partition: Partition,
    *,
    as_json: bool,
    failed: Sequence[Failed] = (),
    absent: Sequence[NormalizedName] = (),
) -> None:
    """Print the plan of a run, and warn of names that upstream does not know.

    ``failed`` are projects of it whose pages were asked for in vain, ``absent`` names that upstream does not
    have.
    """
    lost = {*absent, *(each.planned.project for each in failed)}
    projects = [each for each in mirror.ledger.plan.projects(fetched.run_id) if each.project not in lost]
    if as_json:
        found = msgspec.json.encode(
            _document(fetched, partition, projects, failed, unknown_names(mirror))
            | {
                "unmet_rules": unmet_rules(mirror),
                "absent": absent,
                "dependencies": dependencies(mirror),
            }
        )
        sys.stdout.write(msgspec.json.format(found, indent=2).decode() + "\n")
    else:
        number = partition.projects + partition.left - len(absent)
        request = mirror.ledger.runs.get(fetched.run_id).request
        _print(fetched, partition, projects, request, number)
        _print_not_downloaded(mirror, projects)
        for each in failed:
            print(f"failed: {each.planned.project}: {each.reason}", file=sys.stderr)
        for name in absent:
            warn(f"upstream has no project {name}{did_you_mean(mirror, name)}")
    # What is unread is read by the same command, which has been named then.
    print_unmet_requirements(mirror, hint=as_json or not _unread(projects))
    for text in lacking(mirror):
        print(f"warning: {text}", file=sys.stderr)


def print_unmet_requirements(mirror: Mirror, *, hint: bool = True) -> None:
    """Warn of what is required and is not here, and where dependencies are still to be followed."""
    found = dependencies(mirror)
    if found is not None and not found.complete:
        text = _NEVER_FOLLOWED if mirror.ledger.facts.closure is None else _CHANGED
        warn(f"warning: {text}{f'; {_DRY_RUN}' if hint else ''}")
    if found is not None and found.unmet:
        print(f"warning: {count(len(found.unmet), 'requirement')} not met here:", file=sys.stderr)
        for each in found.unmet[:_UNMET]:
            print(f"  {each}", file=sys.stderr)
        if (more := len(found.unmet) - _UNMET) > 0:
            print(f"  and {more:,} more; `pypi-mirror plan --json` has all", file=sys.stderr)
    if found is not None and found.cut:
        releases = count(sum(each.releases for each in found.cut), "release")
        projects = count(len({each.project for each in found.cut}), "project")
        said = f"Filters leave out {releases} of {projects} that requirements admit"
        print(f"{said}; `pypi-mirror plan --json` names them.", file=sys.stderr)


def _removes(planned: PlannedProject) -> bool:
    return planned.action is Action.REMOVE or planned.gone


def _unread(projects: Sequence[PlannedProject]) -> int:
    """How many projects it cannot be said of what they come to."""
    return sum(planned.unread and planned.action is Action.SYNC for planned in projects)


def _document(
    fetched: Fetched,
    partition: Partition,
    projects: Sequence[PlannedProject],
    failed: Sequence[Failed],
    unknown: Sequence[str],
) -> dict[str, Any]:
    weighed = partition.weighed
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
            "unread": _unread(projects),
            # Of the projects whose pages were read.
            "new_files": sum(planned.new_files for planned in projects),
            "new_bytes": sum(planned.new_bytes for planned in projects),
            "unsized_files": sum(planned.unsized_files for planned in projects),
        },
        "removals": {
            "projects": weighed.projects,
            "files": weighed.files,
            "bytes": weighed.bytes,
            "exceeded": weighed.exceeded,
            "needs_approval": bool(weighed.exceeded),
        },
        "failed": [{"project": each.planned.project, "reason": each.reason} for each in failed],
        "unknown_names": unknown,
        "projects": [
            {
                "project": planned.project,
                "action": "remove" if _removes(planned) else "sync",
                "reason": planned.reason,
                "serial": planned.serial,
                "unread": planned.unread and planned.action is Action.SYNC,
                "new_files": planned.new_files,
                "new_bytes": planned.new_bytes,
                "unsized_files": planned.unsized_files,
                "loses_project": planned.loses_project,
                "loses_files": planned.loses_files,
                "loses_bytes": planned.loses_bytes,
            }
            for planned in projects
        ],
    }


def _print(
    fetched: Fetched,
    partition: Partition,
    projects: Sequence[PlannedProject],
    request: RunRequest,
    number: int,
) -> None:
    for planned in projects:
        verb = "remove" if _removes(planned) else "sync"
        print(f"{verb} {planned.project}: {planned.reason}{_comes_to(planned)}")
    removed = partition.weighed.projects
    print(f"{count(number, 'project')}, {removed} of them to remove; {_source(fetched, request.kind)}.")
    say(_downloads(projects, again=request.recheck))
    if fetched.filters_changed:
        print("The filters changed since the last complete run: every project was looked at.")
    if partition.left:
        first = f"A run takes {partition.projects:,} of them ([schedule] {partition.left_by})"
        say(f"{first}; `pypi-mirror sync --all` takes all.")
    _print_removals(partition.weighed)


def _comes_to(planned: PlannedProject) -> str:
    """What the mirror gains and loses by it: `` (3 new files, 1.2 MB; loses 1 file, 2 MB)``."""
    gains = []
    if planned.new_files:
        gains = [count(planned.new_files, "new file"), size(planned.new_bytes)]
    loses = ["its page"] if planned.loses_project else []
    if planned.loses_files:
        loses += [count(planned.loses_files, "file"), size(planned.loses_bytes)]
    parts = [", ".join(gains)] if gains else []
    parts += [f"loses {', '.join(loses)}"] if loses else []
    return f" ({'; '.join(parts)})" if parts else ""


def _downloads(projects: Sequence[PlannedProject], *, again: bool) -> str:
    """What the run downloads, as far as upstream's pages were read, and how many it first reads, or, where
    all are read ``again``.
    """
    files = sum(planned.new_files for planned in projects)
    # A sync counts the documents beside a file, too, whose sizes upstream does not state.
    unsized = sum(planned.unsized_files for planned in projects)
    sized = f"{size(sum(planned.new_bytes for planned in projects))} without metadata"
    said = f"{count(files, 'file')}{f' ({unsized:,} of unknown size)' if unsized else ''}, {sized}"
    unread = _unread(projects)
    if not unread:
        return f"To download: {said if files else 'nothing'}."
    whose = "the page of 1 project" if unread == 1 else f"the pages of {unread:,} projects"
    known = f"at least {said}" if files else "not known yet"
    if again:
        return (
            f"To download: {known}; `pypi-mirror sync --recheck --dry-run` reads {whose} again, and says it."
        )
    return f"To download: {known}; `pypi-mirror sync --dry-run` reads {whose}, and says it."


def _print_not_downloaded(mirror: Mirror, projects: Sequence[PlannedProject]) -> None:
    """What a plan comes to that downloads nothing: files that are listed, and projects left without any."""
    as_of = mirror.ledger.facts.as_of or 0
    idle = [each.project for each in projects if not (each.new_files or each.unread or _removes(each))]
    due = 0
    empty = []
    for name in idle[:_LOOKED_AT]:
        rows = mirror.ledger.held_files.of([name]).get(name, {}).values()
        due += sum(row.file is not None and row.is_due(as_of) for row in rows)
        files = [file for file in explain(mirror, name).files if file.upstream]
        if files and not any(file.mirrored or file.state is FileState.HELD for file in files):
            empty.append(name)
    if due:
        print(f"To list: {count(due, 'file')} whose cooldown is over.")
    if empty:
        say(f"The filters leave out every file of {some_of(empty)}; `pypi-mirror explain PROJECT` says why.")


def _print_removals(removals: Removals) -> None:
    if not removals.plan:
        return
    print(f"Plan {removals.plan} would {removals.would()}.")
    if removals.exceeded:
        print(f"It needs approval: {'; '.join(removals.exceeded)}.")
        say(f"`pypi-mirror sync --approve {removals.plan}` runs it.")


def _source(fetched: Fetched, kind: RunKind) -> str:
    match fetched.source:
        case "changelog":
            return f"{count(fetched.events, 'event')} since serial {fetched.cursor_from}"
        case "index":
            at = "" if fetched.cursor_to is None else f", which is at serial {fetched.cursor_to}"
            return f"by comparison with upstream's list of all projects{at}"
        case "ledger":
            return "nothing changed upstream" if kind is RunKind.SYNC else "as asked for"
