"""Which conditions hold: pure, from an observation, the limits of ``[alerts]`` and earlier notifications."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pypi_mirror.alerts.conditions import (
    ApprovalNeeded,
    Condition,
    DiskFilling,
    FilesReplaced,
    LastAuditFailed,
    LastRunFailed,
    Parked,
    ProjectsParked,
    Replaced,
    RunOverdue,
    Stale,
    UpstreamUnreachable,
)
from pypi_mirror.alerts.notification_state import Notified
from pypi_mirror.run_label import shown_label
from pypi_mirror.settings.values import Alerts

# Seconds. Upstream being away for a moment is no news; runs try again by themselves.
OUTAGE: Final = 3600
# Seconds. A run that fails reports it itself, in more detail than the ledger has; one that was killed cannot.
REPORTED_BY_RUN: Final = 300


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
    waiting: ApprovalNeeded | None = None
    parked: tuple[Parked, ...] = ()
    replaced: tuple[Replaced, ...] = ()


def conditions(
    observed: Observation, limits: Alerts, notified: Mapping[str, Notified]
) -> tuple[Condition, ...]:
    """What holds at ``observed.now``; ``notified`` is what people know of, by key."""
    return tuple(_found(observed, limits, notified))


def _found(observed: Observation, limits: Alerts, notified: Mapping[str, Notified]) -> Iterator[Condition]:
    yield from _stale(observed, limits)
    yield from _unreachable(observed, limits)
    yield from _disk(observed, limits)
    yield from _failed(observed, LastRunFailed, observed.last_sync, notified)
    yield from _failed(observed, LastAuditFailed, observed.last_audit, notified)
    yield from _overdue(observed, limits)
    if observed.waiting is not None:
        yield observed.waiting
    yield from _parked(observed, limits)
    yield from _replaced(observed, limits)


def _stale(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    lag = observed.lag_seconds
    if lag is None or not limits.stale_after or lag < limits.stale_after * 3600:
        return
    last = observed.last_sync
    described = None
    if last is not None:
        result = f"failed: {last.reason}" if last.failed else "succeeded, and upstream has changed since"
        described = f"the last run, {shown_label(last.label)}, {result}"
    yield Stale(
        since=observed.now - lag,
        now=observed.now,
        cursor=observed.cursor,
        upstream_serial=observed.upstream_serial,
        last_run=described,
        running=None if observed.running is None else observed.running.label,
        awaits_approval=observed.waiting is not None,
        paused_until=observed.paused_until,
    )


def _unreachable(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    since = observed.unreachable_since
    limit = min(OUTAGE, limits.stale_after * 3600) if limits.stale_after else OUTAGE
    if since is not None and observed.now - since >= limit:
        yield UpstreamUnreachable(
            since=since,
            now=observed.now,
            master=observed.master,
            error=observed.upstream_error or "no answer",
        )


def _disk(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    disk = observed.disk
    is_full = disk.reserve > 0 and disk.free <= disk.reserve
    by = observed.now + limits.disk_days * 86_400
    if not limits.disk_days or not (is_full or (disk.full_at is not None and disk.full_at <= by)):
        return
    yield DiskFilling(
        now=observed.now,
        path=disk.path,
        free=disk.free,
        reserve=disk.reserve,
        full_at=None if is_full else disk.full_at,
        bytes_a_day=disk.bytes_a_day,
    )


def _failed(
    observed: Observation,
    kind: type[LastRunFailed],
    last: EndedRun | None,
    notified: Mapping[str, Notified],
) -> Iterator[Condition]:
    known = notified.get(kind.key)
    # A run can fail before it is in the ledger: a notification newer than the last ended run still holds.
    is_newest = last is not None and (known is None or last.finished_at >= known.notified_at)
    if last is not None and is_newest and not last.failed:
        return
    if last is not None and is_newest and observed.now - last.finished_at >= REPORTED_BY_RUN:
        yield kind(label=last.label, failed_at=last.finished_at, reason=last.reason)
    elif known is not None:
        yield kind(label=known.about[0], failed_at=known.notified_at, reason=known.title)


def _overdue(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    running, waiting = observed.running, observed.waiting
    if running is None or not limits.run_deadline:
        return
    if waiting is not None and waiting.label == running.label:
        return
    if observed.now - running.started_at >= limits.run_deadline * 3600:
        yield RunOverdue(label=running.label, started_at=running.started_at, hours=limits.run_deadline)


def _parked(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    projects = tuple(p for p in observed.parked if p.project not in limits.silenced)
    if projects:
        yield ProjectsParked(projects=projects)


def _replaced(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    files = tuple(each for each in observed.replaced if each.project not in limits.silenced)
    if files:
        yield FilesReplaced(files=files)
