"""What ``pypi-mirror sync`` says of its run, in lines or as one JSON object."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.cli.output import say, warn
from pypi_mirror.cli.status import next_try
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.observing.asked_for_names import did_you_mean
from pypi_mirror.runs.report import Report
from pypi_mirror.wording import count, duration, size

_REMOVED_SHOWN: Final = 50


def print_json(mirror: Mirror, outcome: Report, *, complete: bool) -> None:
    """The fields of the report, and ``complete``: whether the exit code is 0."""
    document: dict[str, Any] = {"complete": complete, **msgspec.to_builtins(outcome)}
    document["removed"] = msgspec.to_builtins(mirror.ledger.plan.removed(outcome.run_id))
    _print_document(document)


def print_failed_json(state: str, reason: str) -> None:
    """Of a run that an error ended there is no report."""
    _print_document({"complete": False, "state": state, "reason": reason})


def _print_document(document: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n")


def print_report(mirror: Mirror, outcome: Report) -> None:
    tally = outcome.tally
    synced = tally.projects_done - tally.projects_removed - len(outcome.absent)
    if outcome.planned:
        failed = f"{count(tally.projects_failed, 'project')} failed; " if tally.projects_failed else ""
        metadata = " with metadata" if tally.bytes_downloaded and mirror.settings.core_metadata else ""
        print(
            f"{count(max(0, synced), 'project')} synced, "
            f"{tally.projects_removed:,} removed; "
            f"{failed}{count(tally.files_downloaded, 'file')} downloaded "
            f"({size(tally.bytes_downloaded)}{metadata}), "
            f"{duration(outcome.duration)}."
        )
        _print_removed(mirror.ledger.plan.removed(outcome.run_id))
        if outcome.state is RunState.PAUSED:
            waits = outcome.reason is not None and "download-window" in outcome.reason
            hint = (
                "`pypi-mirror sync --now` does not wait" if waits else "`pypi-mirror sync --all` takes it all"
            )
            say(f"It is {outcome.reason}. {hint}.")
    elif outcome.cursor is None:
        print("Nothing changed upstream.")
    else:
        print(f"Nothing changed upstream; the mirror is at serial {outcome.cursor}.")
    print(
        f"The mirror holds {count(outcome.projects, 'project')}, {count(outcome.files, 'file')}, "
        f"{size(outcome.bytes)}; the filters left out {count(outcome.dropped_files, 'file')}, "
        f"{size(outcome.dropped_bytes)}."
    )
    _print_held(mirror)
    for failure in (*outcome.new_failures, *outcome.known_failures):
        warn(f"failed: {failure.project}: {failure.reason}")
    for loss in outcome.silent_losses:
        warn(f"lost: {loss}")
    for refused in outcome.refused:
        warn(f"refused: {refused}")
    if more := outcome.refused_parts - len(outcome.refused):
        warn(f"refused: {more:,} more; `pypi-mirror explain PROJECT` names those of a project")
    for name in outcome.absent:
        warn(f"upstream has no project {name}{did_you_mean(mirror, name)}")
    if outcome.backlog:
        say(f"{count(outcome.backlog, 'project')} in the backlog; `pypi-mirror backlog` names them.")


def _print_held(mirror: Mirror) -> None:
    held = mirror.ledger.held_files.totals()
    if held.files:
        print(f"In cooldown: {count(held.files, 'file')} of {count(held.projects, 'project')}.")


def _print_removed(removed: Sequence[NormalizedName]) -> None:
    for name in removed[:_REMOVED_SHOWN]:
        print(f"removed: {name}")
    if len(removed) > _REMOVED_SHOWN:
        print(f"removed: {len(removed) - _REMOVED_SHOWN:,} more")


def has_waiting(backlog: Sequence[BacklogEntry], outcome: Report) -> bool:
    """Whether projects that failed in earlier runs wait for their next try, parked ones apart.

    Who runs this from cron has been told of those often enough.
    """
    return not all(entry.parked for entry in _not_tried(backlog, outcome))


def print_waiting(backlog: Sequence[BacklogEntry], outcome: Report) -> None:
    """Name the projects that failed in earlier runs and were not tried in this one."""
    for entry in _not_tried(backlog, outcome):
        state = "parked" if entry.parked else "failed before"
        warn(f"{state}: {entry.project}: {entry.reason}, {next_try(entry)}")


def _not_tried(backlog: Sequence[BacklogEntry], outcome: Report) -> list[BacklogEntry]:
    tried = {failure.project for failure in (*outcome.new_failures, *outcome.known_failures)}
    return [entry for entry in backlog if entry.project not in tried]
