"""Which conditions hold: pure, from an observation, the limits of ``[alerts]`` and earlier notifications."""

from collections.abc import Iterator, Mapping
from typing import Final, TypedDict

from msgspec import Struct

from pypi_mirror.alerts.conditions import (
    AUDIT_FAILED,
    RUN_FAILED,
    Condition,
    Parked,
    Replaced,
    audit_failed,
    files_replaced,
    projects_parked,
    run_failed,
    run_overdue,
)
from pypi_mirror.alerts.notification_state import Notified
from pypi_mirror.run_label import shown_label
from pypi_mirror.settings.values import Alerts
from pypi_mirror.wording import duration, moment_of, size

# Seconds. Upstream being away for a moment is no news; runs try again by themselves.
OUTAGE: Final = 3600
# Seconds. A run that fails reports it itself, in more detail than the ledger has; one that was killed cannot.
REPORTED_BY_RUN: Final = 300


class EndedRun(Struct, frozen=True, kw_only=True):
    """The newest run that has ended; a paused one has not failed."""

    label: str
    failed: bool
    finished_at: int
    reason: str


class RunningRun(Struct, frozen=True, kw_only=True):
    label: str
    started_at: int


class ObservedDisk(Struct, frozen=True, kw_only=True):
    """The pool's disk, in bytes, and when only ``reserve`` will be left; None where it does not fill up."""

    path: str
    free: int
    reserve: int
    full_at: int | None = None
    bytes_a_day: int | None = None


class Observation(Struct, frozen=True, kw_only=True):
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
    waiting: Condition | None = None
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
    if (failure := _failed(observed, observed.last_sync, notified.get(RUN_FAILED))) is not None:
        yield run_failed(**failure)
    if (failure := _failed(observed, observed.last_audit, notified.get(AUDIT_FAILED))) is not None:
        yield audit_failed(**failure)
    yield from _overdue(observed, limits)
    if observed.waiting is not None:
        yield observed.waiting
    yield from _parked(observed, limits)
    yield from _replaced(observed, limits)


def _stale(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    """The mirror has been behind upstream for too long, with or without runs."""
    lag, last = observed.lag_seconds, observed.last_sync
    if lag is None or not limits.stale_after or lag < limits.stale_after * 3600:
        return
    serials = f"the mirror is at serial {observed.cursor}, upstream at {observed.upstream_serial}"
    details = [f"behind since {moment_of(observed.now - lag)}: {serials}"]
    if last is not None:
        result = f"failed: {last.reason}" if last.failed else "succeeded, and upstream has changed since"
        details.append(f"the last run, {shown_label(last.label)}, {result}")
    if observed.waiting is not None:
        advice = "A plan is awaiting approval: answer it under Required Actions, then the mirror continues."
    elif observed.paused_until is not None:
        advice = (
            f"[schedule] download-window is closed until {moment_of(observed.paused_until)}: nothing to do "
            "if the mirror catches up then. [alerts] stale-after sets how far behind it may be."
        )
    elif observed.running is not None:
        label = shown_label(observed.running.label)
        advice = f"The run {label} is in progress: nothing to do if it advances."
    else:
        advice = (
            "No run is in progress. Check in Airflow whether the DAG pypi_mirror is paused and the scheduler "
            "is running, fix what the last run failed for, and trigger a run."
        )
    title = f"the mirror has been behind upstream for {duration(lag)}"
    yield Condition(key="stale", title=title, details=tuple(details), advice=advice)


def _unreachable(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    """Upstream does not answer, so whether the mirror is up to date is unknown."""
    since = observed.unreachable_since
    limit = min(OUTAGE, limits.stale_after * 3600) if limits.stale_after else OUTAGE
    if since is None or observed.now - since < limit:
        return
    error = observed.upstream_error or "no answer"
    yield Condition(
        key="upstream-unreachable",
        title=f"upstream has been unreachable for {duration(observed.now - since)}",
        details=(f"{observed.master} has not answered since {moment_of(since)}: {error}",),
        advice="The mirror still serves what it has and catches up by itself once upstream answers. Check "
        "whether the network, the proxy ([mirror] proxy) or upstream is down.",
    )


def _disk(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    """The disk will soon be down to its reserve, or already is."""
    disk = observed.disk
    is_full = disk.reserve > 0 and disk.free <= disk.reserve
    full_at = None if is_full else disk.full_at
    by = observed.now + limits.disk_days * 86_400
    if not limits.disk_days or not (is_full or (full_at is not None and full_at <= by)):
        return
    title = "the disk is down to its reserve; downloads have stopped"
    details = [f"{disk.path} has {size(disk.free)} free, of which {size(disk.reserve)} are reserved"]
    if full_at is not None:
        title = f"the disk is expected to be full in {duration(max(0, full_at - observed.now))}"
        details.append(f"only the reserve will be left at {moment_of(full_at)}")
    if disk.bytes_a_day is not None:
        details.append(f"it fills by {size(disk.bytes_a_day)} a day")
    yield Condition(
        key="disk-filling",
        title=title,
        details=tuple(details),
        advice="Enlarge the disk, or select less ([allowlist], [blocklist], [platform]); files that are no "
        "longer selected are deleted after [removal] grace-days. [mirror] disk-reserve is the space that "
        "syncs leave free.",
    )


class _Failure(TypedDict):
    label: str
    failed_at: int
    reason: str


def _failed(observed: Observation, last: EndedRun | None, known: Notified | None) -> _Failure | None:
    """What failed last of a kind, None where the last is good; ``known`` is what people know of."""
    # A run can fail before it is in the ledger: a notification newer than the last ended run still holds.
    is_newest = last is not None and (known is None or last.finished_at >= known.notified_at)
    if last is not None and is_newest and not last.failed:
        return None
    if last is not None and is_newest and observed.now - last.finished_at >= REPORTED_BY_RUN:
        return {"label": last.label, "failed_at": last.finished_at, "reason": last.reason}
    if known is not None:
        return {"label": known.about[0], "failed_at": known.notified_at, "reason": known.title}
    return None


def _overdue(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    running, waiting = observed.running, observed.waiting
    if running is None or not limits.run_deadline:
        return
    if waiting is not None and waiting.label == running.label:
        return
    if observed.now - running.started_at >= limits.run_deadline * 3600:
        yield run_overdue(label=running.label, started_at=running.started_at, hours=limits.run_deadline)


def _parked(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    projects = [each for each in observed.parked if each.project not in limits.silenced]
    if projects:
        yield projects_parked(projects)


def _replaced(observed: Observation, limits: Alerts) -> Iterator[Condition]:
    files = [each for each in observed.replaced if each.project not in limits.silenced]
    if files:
        yield files_replaced(files)
