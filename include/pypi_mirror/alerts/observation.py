"""The mirror as the rules see it: plain values, so that a rule can be tried without ledger and upstream."""

from dataclasses import dataclass

from pypi_mirror.alerts.conditions import Parked, Replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """The newest run that has ended; one that paused has not failed."""

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
    """A plan that a person has to approve; ``label`` is its run's."""

    label: str
    plan: str
    removes: str
    exceeded: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSight:
    """The pool's disk, in bytes, and when only ``reserve`` will be left; None where it does not fill up."""

    path: str
    free: int
    reserve: int
    full_at: int | None = None
    bytes_a_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What there is to judge at ``now``; times are seconds since 1970.

    ``lag_seconds`` is how long the mirror has been behind, None where that cannot be told; ``silent_since``
    and ``trouble`` are of an upstream that does not answer. ``last_sync`` and ``last_audit`` are the newest
    that have ended, ``running`` is under way; until ``paused_until`` downloads wait for their window.
    """

    now: int
    master: str
    disk: DiskSight
    cursor: int | None = None
    upstream_serial: int | None = None
    lag_seconds: int | None = None
    silent_since: int | None = None
    trouble: str | None = None
    last_sync: EndedRun | None = None
    last_audit: EndedRun | None = None
    running: RunningRun | None = None
    paused_until: int | None = None
    waiting: WaitingPlan | None = None
    parked: tuple[Parked, ...] = ()
    replaced: tuple[Replaced, ...] = ()
