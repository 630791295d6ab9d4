"""What the rules judge: the mirror at one moment, as plain values that need no ledger."""

from dataclasses import dataclass

from pypi_mirror.alerts.conditions import Parked, Replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """The newest run that has ended; a paused one has not failed."""

    label: str
    failed: bool
    finished_at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRun:
    label: str
    started_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """A plan that is awaiting approval; ``label`` is its run's."""

    label: str
    plan: str
    removes: str
    exceeded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedDisk:
    """The pool's disk, in bytes, and when only ``reserve`` will be left; None where it does not fill up."""

    path: str
    free: int
    reserve: int
    full_at: int | None = None
    bytes_a_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The mirror at ``now``; times are seconds since 1970.

    ``lag_seconds`` is how long the mirror has been behind, None where that is unknown. ``unreachable_since``
    and ``upstream_error`` are None while upstream answers. ``last_sync`` and ``last_audit`` are the newest
    that have ended, ``running`` is in progress; until ``paused_until`` downloads wait for their window.
    """

    now: int
    master: str
    disk: ObservedDisk
    cursor: int | None = None
    upstream_serial: int | None = None
    lag_seconds: int | None = None
    unreachable_since: int | None = None
    upstream_error: str | None = None
    last_sync: EndedRun | None = None
    last_audit: EndedRun | None = None
    running: RunningRun | None = None
    paused_until: int | None = None
    waiting: WaitingPlan | None = None
    parked: tuple[Parked, ...] = ()
    replaced: tuple[Replaced, ...] = ()
