"""What happened: runs, samples of size and lag, and where the disk is heading."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import combinations
from statistics import median
from typing import Final

from msgspec import Struct

from pypi_mirror.changes.upstream_state import lag_of
from pypi_mirror.clock import utc, utc_or_none
from pypi_mirror.disk.room import reserved, room_of
from pypi_mirror.ledger.runs import Outcome, Run
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.paging import shown
from pypi_mirror.observing.progress import run_under_way
from pypi_mirror.run_label import RunName, run_name

_DAY: Final = 24 * 3600
# Seconds that are looked at, into how many stretches they are cut (each pair of them is a slope), and what it
# takes to say anything.
WINDOW: Final = 7 * _DAY
MOST: Final = 84
_LEAST: Final = 6
_LEAST_SPAN: Final = _DAY
# A disk that is full in a hundred years is not filling up.
_NEVER: Final = 10 * 365 * _DAY


class Forecast(Struct, frozen=True, kw_only=True):
    """By how many bytes a day the disk fills, and when only its reserve will be left at that pace.

    ``bytes_a_day`` is None with too few samples to tell, ``full_at`` also where the disk does not fill up
    within ten years.
    """

    full_at: datetime | None
    bytes_a_day: int | None


def forecast(used: Sequence[tuple[int, int]], *, room: int) -> Forecast:
    """From (seconds since 1970, bytes used), oldest first; ``room`` is what may still be filled.

    A straight line through samples, with the slope of Theil and Sen: the median of the slopes between all
    pairs. Unlike a line of least squares it is not moved by what happens in a quarter of the time: a sweep of
    tombstones, a backup that somebody left there for a day, the hours of a large import. It goes through the
    newest sample, for that is what is on the disk, and is drawn from a week: what was before, above all a
    first sync, says little of the next one.
    """
    if len(used) < _LEAST or used[-1][0] - used[0][0] < _LEAST_SPAN:
        return Forecast(full_at=None, bytes_a_day=None)
    slope = median((y - x) / (b - a) for (a, x), (b, y) in combinations(used, 2) if b > a)
    seconds = max(0, room) / slope if slope > 0 else _NEVER
    full_at = None
    if seconds < _NEVER:
        full_at = utc(used[-1][0]) + timedelta(seconds=round(seconds))
    return Forecast(full_at=full_at, bytes_a_day=round(slope * _DAY))


class PastRun(Struct, frozen=True, kw_only=True):
    """A run and what came of it: ``projects`` were synced or removed, ``failed`` were not; ``files`` and
    ``bytes`` were downloaded. ``reason`` says why it failed or paused. ``finished_at`` is None under way.
    """

    id: int
    label: str
    name: RunName
    kind: RunKind
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    projects: int
    failed: int
    files: int
    bytes: int
    reason: str | None


class SampleShown(Struct, frozen=True, kw_only=True):
    """The mirror at one moment: what pages list, the pool's disk, and how long it had been behind."""

    at: datetime
    projects: int
    files: int
    bytes: int
    disk_used: int
    disk_free: int
    lag_seconds: int | None
    backlog: int


class History(Struct, frozen=True, kw_only=True):
    """Runs newest first, samples oldest first."""

    runs: tuple[PastRun, ...]
    samples: tuple[SampleShown, ...]
    forecast: Forecast


def history(mirror: Mirror, since: datetime, most: int = 500) -> History:
    """What happened since ``since``: the newest ``most`` runs, and ``most`` samples spread over the time."""
    start = int(since.timestamp())
    runs = mirror.ledger.runs.latest(most)
    samples = mirror.ledger.samples.between(start, int(mirror.clock()), most)
    return History(
        runs=tuple(past_run(run) for run in runs if run.started_at >= start),
        samples=tuple(shown(SampleShown, sample, at=utc(sample.at)) for sample in samples),
        forecast=disk_forecast(mirror),
    )


def disk_forecast(mirror: Mirror) -> Forecast:
    """Where the pool's disk is heading, from the samples of the last week."""
    now = int(mirror.clock())
    samples = mirror.ledger.samples.between(now - WINDOW, now, MOST)
    if not samples:
        return Forecast(full_at=None, bytes_a_day=None)
    newest = samples[-1]
    size = newest.disk_used + newest.disk_free
    room = newest.disk_free - reserved(mirror.settings.disk_reserve, size)
    return forecast([(each.at, each.disk_used) for each in samples], room=room)


def past_run(run: Run) -> PastRun:
    """A run of the ledger as people see it."""
    outcome = run.outcome or Outcome()
    return PastRun(
        id=run.id,
        label=run.request.label,
        name=run_name(run.request.label),
        kind=run.request.kind,
        state=run.state,
        started_at=utc(run.started_at),
        finished_at=utc_or_none(run.finished_at),
        projects=outcome.tally.projects_done,
        failed=outcome.tally.projects_failed,
        files=outcome.tally.files_downloaded,
        bytes=outcome.tally.bytes_downloaded,
        reason=outcome.reason,
    )


def take_sample(mirror: Mirror) -> bool:
    """Note how large and how far behind the mirror is; at most once a minute. Returns whether it was due.

    To be called now and then, by whoever is at work: the last step of a run, a batch while it downloads, and
    who watches between runs. In a mirror of 800,000 projects it takes half a second.
    """
    now = int(mirror.clock())
    if not mirror.ledger.samples.is_due(now):
        return False
    totals = mirror.ledger.projects.totals()
    room = room_of(mirror.settings.web / "packages")
    run = run_under_way(mirror)
    counts = [] if run is None else mirror.ledger.listings.batch_counts(run.id)
    mirror.ledger.samples.add(
        Sample(
            at=now,
            projects=totals.projects,
            files=totals.files,
            bytes=totals.bytes,
            disk_used=room.size - room.free,
            disk_free=room.free,
            lag_seconds=lag_of(mirror),
            backlog=mirror.ledger.backlog.count(),
            run_id=None if run is None else run.id,
            run_projects=None if run is None else sum(each.done + each.failed for each in counts),
            run_bytes=None if run is None else sum(each.bytes for each in counts),
        )
    )
    return True
