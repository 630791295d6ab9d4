"""Which conditions hold: pure, from a sight of the mirror, the limits of ``[alerts]`` and what was told."""

from collections.abc import Iterator, Mapping
from typing import Final

from pypi_mirror.alerts.conditions import (
    ApprovalNeeded,
    AuditFails,
    Condition,
    DiskFilling,
    FilesReplaced,
    ProjectsParked,
    RunFails,
    RunOverdue,
    Stale,
    UpstreamSilent,
)
from pypi_mirror.alerts.notification_state import Told
from pypi_mirror.alerts.observation import EndedRun, Sight
from pypi_mirror.settings.values import Alerts

# An upstream that was away for a moment is no news, and runs try again by themselves.
SILENCE: Final = 3600
# Who ended a run as failed tells of it itself, with more than a ledger knows; a killed one cannot.
TOLD_BY_ITSELF: Final = 300


def conditions(sight: Sight, limits: Alerts, told: Mapping[str, Told]) -> tuple[Condition, ...]:
    """What holds at ``sight.now``; ``told`` is what people know of, by key."""
    return tuple(_found(sight, limits, told))


def _found(sight: Sight, limits: Alerts, told: Mapping[str, Told]) -> Iterator[Condition]:
    yield from _stale(sight, limits)
    yield from _silent(sight, limits)
    yield from _disk(sight, limits)
    yield from _failed(sight, RunFails, sight.last_sync, told)
    yield from _failed(sight, AuditFails, sight.last_audit, told)
    yield from _overdue(sight, limits, told)
    yield from _approval(sight)
    yield from _parked(sight, limits)
    yield from _replaced(sight, limits)


def _stale(sight: Sight, limits: Alerts) -> Iterator[Condition]:
    lag = sight.lag_seconds
    if lag is None or not limits.stale_after or lag < limits.stale_after * 3600:
        return
    last = sight.last_sync
    described = None
    if last is not None:
        how = f"failed: {last.reason}" if last.failed else "was good, and upstream has moved on since"
        described = f"the last run, {last.label}, {how}"
    yield Stale(
        since=sight.now - lag,
        now=sight.now,
        cursor=sight.cursor,
        upstream_serial=sight.upstream_serial,
        last_run=described,
        running=None if sight.running is None else sight.running.label,
        waits_for_approval=sight.waiting is not None,
        paused_until=sight.paused_until,
    )


def _silent(sight: Sight, limits: Alerts) -> Iterator[Condition]:
    if sight.silent_since is None:
        return
    patience = min(SILENCE, limits.stale_after * 3600) if limits.stale_after else SILENCE
    if sight.now - sight.silent_since >= patience:
        yield UpstreamSilent(
            since=sight.silent_since, now=sight.now, master=sight.master, trouble=sight.trouble or "no answer"
        )


def _disk(sight: Sight, limits: Alerts) -> Iterator[Condition]:
    disk = sight.disk
    is_full = disk.reserve > 0 and disk.free <= disk.reserve
    by = sight.now + limits.disk_days * 86_400
    if not limits.disk_days or not (is_full or (disk.full_at is not None and disk.full_at <= by)):
        return
    yield DiskFilling(
        now=sight.now,
        path=disk.path,
        free=disk.free,
        reserve=disk.reserve,
        full_at=None if is_full else disk.full_at,
        bytes_a_day=disk.bytes_a_day,
    )


def _failed(
    sight: Sight, kind: type[RunFails], last: EndedRun | None, told: Mapping[str, Told]
) -> Iterator[Condition]:
    known = told.get(kind.key)
    # A run can fail before the ledger knows of it: what was told later than the last one ended still holds.
    is_news = last is not None and (known is None or last.finished_at >= known.told_at)
    if last is not None and is_news and not last.failed:
        return
    if last is not None and is_news and sight.now - last.finished_at >= TOLD_BY_ITSELF:
        yield kind(label=last.label, failed_at=last.finished_at, reason=last.reason)
    elif known is not None:
        yield kind(label=known.about[0], failed_at=known.told_at, reason=known.title)


def _overdue(sight: Sight, limits: Alerts, told: Mapping[str, Told]) -> Iterator[Condition]:
    known, running = told.get(RunOverdue.key), sight.running
    if not limits.run_deadline:
        return
    if running is not None:
        if sight.waiting is not None and sight.waiting.label == running.label:
            return
        was_told = known is not None and running.label in known.about
        if was_told or sight.now - running.started_at >= limits.run_deadline * 3600:
            yield RunOverdue(label=running.label, started_at=running.started_at, hours=limits.run_deadline)
    elif known is not None and (sight.last_sync is None or sight.last_sync.finished_at < known.told_at):
        # Airflow's run, which told of it, is not one of the ledger yet.
        yield RunOverdue(label=known.about[0], started_at=known.since, hours=limits.run_deadline)


def _approval(sight: Sight) -> Iterator[Condition]:
    plan = sight.waiting
    if plan is not None:
        yield ApprovalNeeded(label=plan.label, plan=plan.plan, removes=plan.removes, exceeded=plan.exceeded)


def _parked(sight: Sight, limits: Alerts) -> Iterator[Condition]:
    projects = tuple(p for p in sight.parked if p.project not in limits.silenced)
    if projects:
        yield ProjectsParked(projects=projects)


def _replaced(sight: Sight, limits: Alerts) -> Iterator[Condition]:
    files = tuple(each for each in sight.replaced if each.project not in limits.silenced)
    if files:
        yield FilesReplaced(files=files)
