"""How far the run under way is, how fast, and how long it will take."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Final

from msgspec import Struct

from pypi_mirror.clock import utc
from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.listings import BatchCounts
from pypi_mirror.ledger.plan import PlanTotals, Reading
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import PlanState, RunKind, RunState
from pypi_mirror.observing.remembered import remembered
from pypi_mirror.planning.removals import removals_of, waiting_for_approval, waits_for_approval
from pypi_mirror.run_label import RunName, run_name

# Seconds of which speed is told; samples are taken each minute.
_RECENT: Final = 5 * 60
_NOTHING: Final = Reading(pages=0, read=0, failed=0)


class Phase(StrEnum):
    """What a run is at. An audit has no other phase than its own.

    ``READING``: upstream is asked what changed, then for the pages. ``FOLLOWING``: what these require is
    followed, which finds more. ``DECIDING``: the plan is made of them.
    ``AWAITING_APPROVAL``: a person has to answer. ``FETCHING``: batches download. ``PUBLISHING``: all of them
    are done, and the root index is written.
    """

    READING = "reading"
    FOLLOWING = "following"
    DECIDING = "deciding"
    AWAITING_APPROVAL = "awaiting-approval"
    FETCHING = "fetching"
    PUBLISHING = "publishing"
    AUDITING = "auditing"


class BatchProgress(Struct, frozen=True, kw_only=True):
    """A batch of the plan; ``name`` says which stretch of the alphabet it holds."""

    number: int
    name: str
    projects: int
    done: int
    failed: int


class RunProgress(Struct, frozen=True, kw_only=True):
    """The run under way. ``done`` and ``failed`` are projects of the ``planned``; ``files`` and ``bytes``
    were downloaded so far, of ``planned_files`` and ``planned_bytes``; upstream does not state the sizes of
    ``unsized_files`` of these, and the metadata beside them is not counted before. ``bytes_a_second`` and
    ``projects_a_second`` are those of the last minutes, None before there is anything to tell them from, and
    so is ``seconds_left``.

    Before there is a plan, upstream's pages are read: ``pages`` is how many it needs, ``pages_read`` how many
    of them were read, ``failed`` counts projects whose page could not be, and ``seconds_left`` is for the
    rest of the pages. ``pages`` is 0 where nothing is to read, and once all are read.
    Then dependencies are followed: of ``known`` projects, which grow meanwhile, ``to_follow`` are left.
    While the run awaits approval, ``awaiting_approval`` says what its plan would remove; nothing is done
    meanwhile.
    """

    label: str
    name: RunName
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
    known: int = 0
    to_follow: int = 0
    awaiting_approval: str | None = None
    phase: Phase = Phase.READING
    planned_files: int = 0
    planned_bytes: int = 0
    unsized_files: int = 0


def run_under_way(mirror: Mirror) -> Run | None:
    """The run that has the mirror, or waits for a person to let it go on; None when none does.

    As far as the ledger can tell: a run that died says that it is running, too.
    """
    holder = mirror.ledger.lease.holder()
    if holder is not None:
        run = mirror.ledger.runs.labelled(holder.owner)
        return run if run is not None and run.state is RunState.RUNNING else None
    return mirror.ledger.runs.latest()[0] if waits_for_approval(mirror) is not None else None


def progress(mirror: Mirror) -> RunProgress | None:
    """The run under way, None when none is."""
    run = run_under_way(mirror)
    if run is None:
        return None
    listings = mirror.ledger.listings

    def count() -> tuple[int, list[BatchCounts], int]:
        failed = mirror.ledger.plan.count(run.id, PlanState.FAILED)
        return int(mirror.clock()), listings.batch_counts(run.id), failed

    at, counts, failed = remembered(mirror.ledger.engine.url, "progress", count, run.id)
    so_far = _Point(
        at=at,
        projects=sum(each.done + each.failed for each in counts),
        bytes=sum(each.bytes for each in counts),
    )
    pages = _NOTHING if any(each.done for each in counts) else _reading(mirror, run)
    reading = pages if pages.read + pages.failed < pages.pages else _NOTHING
    if reading.pages:
        counts = []

    def add_up() -> tuple[PlanTotals, PlanTotals]:
        return mirror.ledger.plan.totals(run.id), mirror.ledger.plan.totals(run.id, PlanState.PENDING)

    known, to_follow = _following(mirror, run)
    totals, pending = remembered(mirror.ledger.engine.url, "planned", add_up, run.id)
    awaiting = _awaiting(mirror, run)
    batched = sum(each.projects for each in counts)
    # What could not be read, or is withheld, is in no batch.
    apart = failed - sum(each.failed for each in counts)
    speed = _speed(_begin(mirror, run, at), so_far)
    left = _Point(at=at, projects=batched - so_far.projects, bytes=pending.bytes)
    return RunProgress(
        label=run.request.label,
        name=run_name(run.request.label),
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
        else _seconds_left(left, speed),
        batch_list=tuple(map(_batch, counts)),
        pages=reading.pages,
        pages_read=reading.read,
        awaiting_approval=awaiting,
        known=known,
        to_follow=to_follow,
        phase=_phase(mirror, run, counts, pages, awaits=awaiting is not None, follows=to_follow > 0),
        planned_files=totals.files,
        planned_bytes=totals.bytes,
        unsized_files=totals.unsized_files,
    )


def _phase(
    mirror: Mirror,
    run: Run,
    counts: Sequence[BatchCounts],
    pages: Reading,
    *,
    awaits: bool,
    follows: bool,
) -> Phase:
    if run.request.kind is RunKind.AUDIT:
        return Phase.AUDITING
    if awaits:
        return Phase.AWAITING_APPROVAL
    if not counts or pages.read + pages.failed < pages.pages:
        return Phase.READING
    if not any(each.done for each in counts) and not _is_weighed(mirror, run):
        return Phase.FOLLOWING if follows else Phase.DECIDING
    is_done = all(each.done + each.failed == each.projects for each in counts)
    return Phase.PUBLISHING if is_done else Phase.FETCHING


def _is_weighed(mirror: Mirror, run: Run) -> bool:
    """Whether the guard has seen the run's plan, which is the last thing before it is cut into batches."""
    try:
        return removals_of(mirror, run.id).run_id == run.id
    except LedgerError:
        return False


def _reading(mirror: Mirror, run: Run) -> Reading:
    """How far the run is with reading pages; an audit reads as it goes, without a plan."""
    if run.request.kind is RunKind.AUDIT:
        return _NOTHING

    def count() -> Reading:
        # A page that was read in the second in which the run began counts, too.
        return mirror.ledger.plan.reading(run.id, since=run.started_at - 1, now=int(mirror.clock()))

    return remembered(mirror.ledger.engine.url, "reading", count, run.id)


def _following(mirror: Mirror, run: Run) -> tuple[int, int]:
    """How many projects are known to be named or required, and how many of them are left to follow."""
    if run.request.kind is not RunKind.SYNC or not mirror.resolved.policy.follows:
        return 0, 0
    return remembered(mirror.ledger.engine.url, "following", mirror.ledger.dependencies.progress, run.id)


def _seconds_to_read(reading: Reading, seconds: int) -> int | None:
    """By the speed since the run began."""
    done = reading.read + reading.failed
    return None if done == 0 or seconds <= 0 else ceil((reading.pages - done) * seconds / done)


def _awaiting(mirror: Mirror, run: Run) -> str | None:
    removals = waiting_for_approval(mirror)
    return None if removals is None or removals.run_id != run.id else removals.would()


class _Point(Struct, frozen=True, kw_only=True):
    """How much was done at a moment, in seconds since 1970."""

    at: int
    projects: int
    bytes: int


class _Speed(Struct, frozen=True, kw_only=True):
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


def _seconds_left(left: _Point, speed: _Speed | None) -> int | None:
    """By the slower of projects and bytes: a plan without sizes has projects alone."""
    if speed is None:
        return None
    by_bytes = left.bytes / speed.bytes if speed.bytes else 0.0
    return ceil(max(left.projects / speed.projects, by_bytes))


def _batch(counts: BatchCounts) -> BatchProgress:
    name = counts.first if counts.projects == 1 else f"{counts.first} … {counts.last}"
    return BatchProgress(
        number=counts.number, name=name, projects=counts.projects, done=counts.done, failed=counts.failed
    )
