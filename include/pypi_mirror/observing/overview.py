"""The mirror at a glance: how fresh, how full, what waits for a person."""

from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A plan that waits for a person's approval: whose it is, what it removes, and which limits that exceeds.

    ``run`` is the label of its run: under Airflow the run's id.
    """

    plan: str
    run: str
    projects: int
    files: int
    bytes: int
    exceeded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstones:
    """Files that no page lists and that are still on the disk."""

    count: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The disk of the pool, in bytes: what this user may still write, and how much of it is kept free."""

    path: str
    total: int
    free: int
    reserve: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a first sync in parts has still to do; ``bytes`` is an estimate, None while there is nothing to
    estimate from.
    """

    projects: int
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How full and how fresh the mirror is at ``at``.

    ``cursor`` is the serial it is complete up to, ``upstream_serial`` the newest that upstream was seen at,
    ``behind`` their difference. ``lag_seconds`` is how long the mirror has been behind: 0 while upstream has
    no event after the cursor that can change what the mirror holds, None while that cannot be told (before
    the first complete sync; an upstream without serials). ``upstream_silent_since`` is since when upstream
    could not be asked. ``updated_at`` is when the last complete run ended, ``checked_at`` when upstream last
    said what is new. ``backlog`` counts projects that failed, ``parked`` those of them that failed too often.
    ``running`` is the label of the run under way, ``left`` what a first sync in parts has still to do.
    ``unknown_names`` are those that [allowlist] packages asks for and upstream does not have.
    """

    at: datetime
    cursor: int | None
    upstream_serial: int | None
    behind: int | None
    lag_seconds: int | None
    upstream_silent_since: datetime | None
    updated_at: datetime | None
    checked_at: datetime | None
    projects: int
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    backlog: int
    parked: int
    tombstones: Tombstones
    waiting: Waiting | None
    disk: Disk
    running: str | None
    left: Left | None
    last_run: RunState | None
    paused_until: datetime | None
    clock_ahead: int | None
    unknown_names: tuple[NormalizedName, ...]


def overview(mirror: Mirror) -> Overview:
    """The mirror as its ledger and its disk have it now."""
    raise NotImplementedError
