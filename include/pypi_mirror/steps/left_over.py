"""What bounded and paused runs leave to the next ones: which plan has it, up to which serial, and how much.

A first sync that takes days is a chain of runs. Each plans all that is to be done, takes a part of it, and
leaves the rest in the ledger's plan; the next run copies that rest into its own plan and adds what happened
upstream since. The cursor moves once nothing is left. So nothing is compared twice with all of upstream, and
nothing is done twice.
"""

import math
from dataclasses import dataclass
from typing import Final

import msgspec

from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.steps.index_snapshot import has_snapshot, load_snapshot
from pypi_mirror.steps.turns import is_bounded, urgent_batches

_FACT: Final = "left_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An estimate of what is left to the runs to come.

    ``bytes`` are to be downloaded as far as the projects that are done tell, None before there are any;
    ``runs`` is how many runs that takes within the bounds in force, None where there is no bound.
    """

    projects: int
    bytes: int | None
    runs: int | None


class LeftOver(msgspec.Struct, frozen=True, kw_only=True):
    """The rest itself: the pending projects of the plan of ``run_id``, and all events after ``serial``.

    ``published`` says that the run came to its end; of one that did not, failed projects are to be done, too.
    ``approved`` says that a person allowed what the plan removes. ``selection`` are the filters it was made
    under, ``etag`` is that of the root index it was compared with, ``since`` is when the chain's first run
    began, in seconds since 1970, and ``each`` is how many bytes a project took of late.
    """

    run_id: int
    serial: int | None
    selection: str | None
    since: int
    etag: str | None = None
    published: bool = False
    approved: bool = False
    each: float | None = None
    projects: int = 0


def left(mirror: Mirror) -> Left | None:
    """What is left of a sync in parts, None when nothing is; costs one look at the ledger's facts."""
    rest = left_over(mirror)
    if rest is None or not rest.projects:
        return None
    expected = None if rest.each is None else round(rest.each * rest.projects)
    return Left(projects=rest.projects, bytes=expected, runs=_runs(mirror, rest.projects, expected))


def left_over(mirror: Mirror) -> LeftOver | None:
    """None when the last sync has left nothing."""
    noted = mirror.ledger.facts.get(_FACT)
    return None if noted is None else msgspec.json.decode(noted, type=LeftOver)


def to_continue(mirror: Mirror, run: Run) -> LeftOver | None:
    """The rest that ``run`` goes on with, its own when it is run again; None where it begins from the cursor.

    A re-check asks for everything anew, and under other filters the rest is another one.
    """
    if run.request.kind is not RunKind.SYNC or run.request.recheck:
        return None
    return _under_these_filters(mirror)


def note_begun(mirror: Mirror, run: Run, *, approved: bool) -> None:
    """The run may go on to its batches: from now on, should it die, the rest is in its plan.

    That is noted of runs that are one of several, or may turn out to be.
    """
    bounded = is_bounded(run) and mirror.settings.schedule.bytes_per_run is not None
    in_batches, beyond = mirror.ledger.plan.unfinished(run.id), mirror.ledger.plan.left(run.id)
    before = _before(mirror, run)
    if run.request.kind is RunKind.SYNC and (before is not None or beyond or (bounded and in_batches)):
        _note(mirror, _rest(mirror, run, before, projects=in_batches + beyond, approved=approved))


def note_ended(mirror: Mirror, run: Run) -> None:
    """The run, a sync, has published what it has done; what it has not is left to the next."""
    pending = mirror.ledger.plan.unfinished(run.id) + mirror.ledger.plan.left(run.id)
    before = _before(mirror, run)
    if pending:
        rest = _rest(mirror, run, before, projects=pending)
        done = mirror.ledger.plan.of_batches(run.id, first=urgent_batches(mirror, run.id))
        each = done.bytes_downloaded / done.projects_done if done.projects_done else rest.each
        _note(mirror, msgspec.structs.replace(rest, published=True, each=each))
    elif left_over(mirror) is not None:
        _note(mirror, None)


def forget_rest_of_other_filters(mirror: Mirror) -> None:
    """Pages are made under other filters: should the rest's be set back, it would lack these projects."""
    rest = left_over(mirror)
    if rest is not None and rest.selection != mirror.selection:
        _note(mirror, None)


def index_etag(mirror: Mirror, run: Run) -> str | None:
    """That of the root index which the plan of ``run``, and of those it goes on from, was compared with."""
    if run.source == "index" and has_snapshot(mirror.state, run.id):
        return load_snapshot(mirror.state, run.id).etag
    before = _before(mirror, run)
    return None if before is None else before.etag


def _rest(
    mirror: Mirror, run: Run, before: LeftOver | None, *, projects: int, approved: bool = False
) -> LeftOver:
    return LeftOver(
        run_id=run.id,
        serial=run.cursor_to,
        selection=mirror.ledger.facts.get("comparing"),
        since=run.started_at if before is None else before.since,
        etag=index_etag(mirror, run),
        approved=approved or (before is not None and before.approved),
        each=None if before is None else before.each,
        projects=projects,
    )


def _before(mirror: Mirror, run: Run) -> LeftOver | None:
    """What was noted of ``run`` when it began, or of the one that it goes on from."""
    rest = _under_these_filters(mirror)
    return rest if rest is not None and rest.run_id == run.id else to_continue(mirror, run)


def _under_these_filters(mirror: Mirror) -> LeftOver | None:
    rest = left_over(mirror)
    return rest if rest is not None and rest.selection == mirror.ledger.facts.get("comparing") else None


def _note(mirror: Mirror, rest: LeftOver | None) -> None:
    mirror.ledger.facts.put({_FACT: None if rest is None else msgspec.json.encode(rest).decode()})


def _runs(mirror: Mirror, projects: int, expected: int | None) -> int | None:
    schedule = mirror.settings.schedule
    wanted = []
    if schedule.projects_per_run is not None:
        wanted.append(math.ceil(projects / schedule.projects_per_run))
    if schedule.bytes_per_run is not None and expected is not None:
        wanted.append(math.ceil(expected / schedule.bytes_per_run))
    return max(1, *wanted) if wanted else None
