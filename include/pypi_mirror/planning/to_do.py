"""What syncs leave to the next ones: what is noted of it before a run downloads, and how much it is.

A first sync that takes days is a chain of runs. Each notes all that has to be done (``ledger/to_do.py``) and
takes a part of it; the next run decides about the rest, and about what happened upstream since the serial up
to which that was noted. So nothing is compared twice with all of upstream, and nothing is done twice.
"""

import math
from typing import Final

from msgspec import Struct

from pypi_mirror.facts.fact import Change
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, Tally
from pypi_mirror.upstream.index_snapshot import has_snapshot, load_snapshot

# Runs among which the last one is looked for that tells how many bytes a project takes.
_LATEST: Final = 10


class Left(Struct, frozen=True, kw_only=True):
    """What is left to the runs to come.

    ``bytes`` are to be downloaded, by what pages state; projects whose page was not read yet count as those
    that are done, and it is None before there are any. ``runs`` is how many runs that takes within the bounds
    in force, None where there is no bound.
    """

    projects: int
    bytes: int | None
    runs: int | None


def left(mirror: Mirror, *, done: Tally | None = None) -> Left | None:
    """What is left to do, None when nothing is; ``done`` is what the run under way has done."""
    amount = mirror.ledger.to_do.amount()
    if not amount.projects:
        return None
    each = _bytes_each(mirror, done) if amount.unread else 0
    expected = None if each is None else amount.bytes + round(each * amount.unread)
    return Left(projects=amount.projects, bytes=expected, runs=_runs(mirror, amount.projects, expected))


def goes_on(mirror: Mirror, run: Run) -> bool:
    """Whether ``run`` goes on with what earlier ones have left.

    A re-check asks for everything anyway, and under other filters something else has to be done.
    """
    return (
        run.request.kind is RunKind.SYNC
        and not run.request.recheck
        and mirror.ledger.facts.selection == mirror.selection
        and not mirror.ledger.to_do.is_empty()
    )


def note_to_do(mirror: Mirror, run: Run, *, approved: bool) -> None:
    """The run may go on to its batches: from now on, should it die, the rest of its plan is not forgotten.

    ``approved`` says that a person allowed what the plan removes.
    """
    if run.request.kind is not RunKind.SYNC:
        return
    facts = mirror.ledger.facts
    noted: list[Change] = []
    if run.cursor_to is not None and run.cursor_to != facts.read:
        noted.append(Facts.read_serial.to(run.cursor_to))
    before = facts.selection
    # Events alone say nothing of what other filters ask for.
    selection = run.policy if run.source == "index" or run.policy == before else None
    if selection != before:
        noted += [Facts.selection.to(selection), Facts.unpublished.to(str(run.id))]
    if run.source == "index" and has_snapshot(mirror.state, run.id):
        noted.append(Facts.index_etag.to(load_snapshot(mirror.state, run.id).etag))
    mirror.ledger.to_do.note(run.id, approved=approved, facts=noted)
    mirror.ledger.dependencies.note_planned()


def _bytes_each(mirror: Mirror, done: Tally | None) -> float | None:
    """How many bytes a project took of late."""
    outcomes = [run.outcome for run in mirror.ledger.runs.latest(_LATEST) if run.request.kind is RunKind.SYNC]
    tallies = [done, *(each.tally for each in outcomes if each is not None)]
    counted = (each for each in tallies if each is not None and each.projects_done)
    latest = next(counted, None)
    return None if latest is None else latest.bytes_downloaded / latest.projects_done


def _runs(mirror: Mirror, projects: int, expected: int | None) -> int | None:
    schedule = mirror.settings.schedule
    wanted = []
    if schedule.projects_per_run is not None:
        wanted.append(math.ceil(projects / schedule.projects_per_run))
    if schedule.bytes_per_run is not None and expected is not None:
        wanted.append(math.ceil(expected / schedule.bytes_per_run))
    return max(1, *wanted) if wanted else None
