"""What happened: runs, samples of size and lag, and where the disk is heading."""

from dataclasses import dataclass
from datetime import datetime

from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState


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
class Forecast:
    """By how many bytes a day the disk fills, and when only its reserve will be left at that pace.

    ``bytes_a_day`` is None with too few samples to tell, ``full_at`` also where the disk does not fill up.
    """

    full_at: datetime | None
    bytes_a_day: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Runs newest first, samples oldest first."""

    runs: tuple[PastRun, ...]
    samples: tuple[SampleShown, ...]
    forecast: Forecast


def history(mirror: Mirror, since: datetime, most: int = 500) -> History:
    """What happened since ``since``: the newest ``most`` runs, and ``most`` samples spread over the time."""
    raise NotImplementedError


def disk_forecast(mirror: Mirror) -> Forecast:
    """Where the disk is heading, from the samples of the last weeks."""
    raise NotImplementedError
