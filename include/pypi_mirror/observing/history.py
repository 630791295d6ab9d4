"""What happened: runs, samples of size and lag, and where the disk is heading."""

from dataclasses import dataclass
from datetime import datetime

from pypi_mirror.disk.room import reserved
from pypi_mirror.ledger.runs import Outcome, Run
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.forecast import MOST, WINDOW, Forecast, forecast
from pypi_mirror.observing.times import utc, utc_or_none

__all__ = ["Forecast", "History", "PastRun", "SampleShown", "disk_forecast", "history", "past_run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run and what came of it: ``projects`` were synced or removed, ``failed`` were not; ``files`` and
    ``bytes`` were downloaded. ``reason`` says why it failed or paused. ``finished_at`` is None under way.
    """

    id: int
    label: str
    kind: RunKind
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    projects: int
    failed: int
    files: int
    bytes: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleShown:
    """The mirror at one moment: what pages list, the pool's disk, and how long it had been behind."""

    at: datetime
    projects: int
    files: int
    bytes: int
    disk_used: int
    disk_free: int
    lag_seconds: int | None
    backlog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
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
        samples=tuple(map(_sample, samples)),
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


def _sample(sample: Sample) -> SampleShown:
    return SampleShown(
        at=utc(sample.at),
        projects=sample.projects,
        files=sample.files,
        bytes=sample.bytes,
        disk_used=sample.disk_used,
        disk_free=sample.disk_free,
        lag_seconds=sample.lag_seconds,
        backlog=sample.backlog,
    )
