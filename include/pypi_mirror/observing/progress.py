"""How far the run under way is, how fast, and how long it will take."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Final

from pypi_mirror.ledger.listings import BatchCounts
from pypi_mirror.ledger.plan import Reading
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import PlanState, RunKind
from pypi_mirror.observing.remembered import remembered
from pypi_mirror.observing.times import utc
from pypi_mirror.observing.under_way import run_under_way
from pypi_mirror.planning.guard_removals import waiting_for_approval

# Seconds of which speed is told; samples are taken each minute.
_RECENT: Final = 5 * 60
_NOTHING: Final = Reading(pages=0, read=0, failed=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """A batch of the plan; ``name`` says which stretch of the alphabet it holds."""

    number: int
    name: str
    projects: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """The run under way. ``done`` and ``failed`` are projects of the ``planned``; ``files`` and ``bytes``
    were downloaded so far. ``bytes_a_second`` and ``projects_a_second`` are those of the last minutes, None
    before there is anything to tell them from, and so is ``seconds_left``.

    Before there is a plan, upstream's pages are read: ``pages`` is how many it needs, ``pages_read`` how many
    of them were read, ``failed`` counts projects whose page could not be, and ``seconds_left`` is for the
    rest of the pages. ``pages`` is 0 where nothing is to read, and once all are read.
    While the run awaits approval, ``awaiting_approval`` says what its plan would remove; nothing is done
    meanwhile.
    """

    label: str
    kind: RunKind
    started_at: datetime
    planned: int
    done: int
    failed: int
    batches: int
    batches_done: int
    files: int
    bytes: int
    bytes_a_second: float | None
    projects_a_second: float | None
    seconds_left: int | None
    batch_list: tuple[BatchProgress, ...]
    pages: int = 0
    pages_read: int = 0
    awaiting_approval: str | None = None


def progress(mirror: Mirror) -> RunProgress | None:
    """The run under way, None when none is."""
    run = run_under_way(mirror)
    if run is None:
        return None
    engine, listings = mirror.ledger.engine, mirror.ledger.listings

    def count() -> tuple[int, list[BatchCounts], int]:
        failed = mirror.ledger.plan.count(run.id, PlanState.FAILED)
        return int(mirror.clock()), listings.batch_counts(run.id), failed

    at, counts, failed = remembered(engine, "progress", count, run.id)
    so_far = _Point(
        at=at,
        projects=sum(each.done + each.failed for each in counts),
        bytes=sum(each.bytes for each in counts),
    )
    reading = _NOTHING if any(each.done for each in counts) else _reading(mirror, run)
    if reading.pages:
        counts = []
    batched = sum(each.projects for each in counts)
    # What could not be read, or is withheld, is in no batch.
    apart = failed - sum(each.failed for each in counts)
    speed = _speed(_begin(mirror, run, at), so_far)
    return RunProgress(
        label=run.request.label,
        kind=run.request.kind,
        started_at=utc(run.started_at),
        planned=0 if reading.pages else batched + apart,
        done=sum(each.done for each in counts),
        failed=failed,
        batches=len(counts),
        batches_done=sum(each.done + each.failed == each.projects for each in counts),
        files=sum(each.files for each in counts),
        bytes=so_far.bytes,
        bytes_a_second=None if speed is None else speed.bytes,
        projects_a_second=None if speed is None else speed.projects,
        seconds_left=_seconds_to_read(reading, int(mirror.clock()) - run.started_at)
        if reading.pages
        else _seconds_left(batched - so_far.projects, speed),
        batch_list=tuple(map(_batch, counts)),
        pages=reading.pages,
        pages_read=reading.read,
        awaiting_approval=_awaiting(mirror, run),
    )


def _reading(mirror: Mirror, run: Run) -> Reading:
    """How far the run is with reading pages; an audit reads as it goes, without a plan."""
    if run.request.kind is RunKind.AUDIT:
        return _NOTHING

    def count() -> Reading:
        # A page that was read in the second in which the run began counts, too.
        return mirror.ledger.plan.reading(run.id, since=run.started_at - 1, now=int(mirror.clock()))

    found = remembered(mirror.ledger.engine, "reading", count, run.id)
    return found if found.read + found.failed < found.pages else _NOTHING


def _seconds_to_read(reading: Reading, seconds: int) -> int | None:
    """By the speed since the run began."""
    done = reading.read + reading.failed
    return None if done == 0 or seconds <= 0 else ceil((reading.pages - done) * seconds / done)


def _awaiting(mirror: Mirror, run: Run) -> str | None:
    removals = waiting_for_approval(mirror)
    return None if removals is None or removals.run_id != run.id else removals.described()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """How much was done at a moment, in seconds since 1970."""

    at: int
    projects: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speed:
    """What is done in a second."""

    projects: float
    bytes: float


def _begin(mirror: Mirror, run: Run, now: int) -> _Point:
    """From where speed is measured: the sample of a few minutes ago, else the run's begin."""
    samples = mirror.ledger.samples.of_run(run.id, max(run.started_at, now - _RECENT))
    first = next((each for each in samples if each.at < now), None)
    if first is None or first.run_projects is None or first.run_bytes is None:
        return _Point(at=run.started_at, projects=0, bytes=0)
    return _Point(at=first.at, projects=first.run_projects, bytes=first.run_bytes)


def _speed(begin: _Point, end: _Point) -> _Speed | None:
    """None where no time has passed, or nothing was done; or it was undone: a batch that is tried again has
    its failed projects to do once more.
    """
    seconds = end.at - begin.at
    if seconds <= 0 or end.projects <= begin.projects:
        return None
    return _Speed(
        projects=(end.projects - begin.projects) / seconds, bytes=max(0, end.bytes - begin.bytes) / seconds
    )


def _seconds_left(projects: int, speed: _Speed | None) -> int | None:
    """Of projects, not of bytes: how many bytes a project has is known once it is done."""
    return None if speed is None else ceil(projects / speed.projects)


def _batch(counts: BatchCounts) -> BatchProgress:
    name = counts.first if counts.projects == 1 else f"{counts.first} … {counts.last}"
    return BatchProgress(
        number=counts.number, name=name, projects=counts.projects, done=counts.done, failed=counts.failed
    )
