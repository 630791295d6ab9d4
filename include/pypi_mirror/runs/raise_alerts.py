"""Beside runs: observe the mirror, and keep in the ledger what people were notified of.

A message is in the ledger before it is sent and leaves it once delivered: if the sender dies in between, the
next watch delivers it; if two processes see the same thing, one of them sends it.
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from msgspec import Struct

from pypi_mirror.alerts.conditions import PARKED, Condition, Parked, Replaced, approval_needed
from pypi_mirror.alerts.notification_state import (
    Notification,
    NotificationState,
    PendingMessage,
    deliverable,
    notifications_due,
    with_delivery,
    with_event,
    with_notified,
    with_pending,
)
from pypi_mirror.alerts.rules import EndedRun, Observation, ObservedDisk, RunningRun, conditions
from pypi_mirror.changes.upstream_state import ask_upstream, upstream_state
from pypi_mirror.errors import FileReplaced
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.history import disk_forecast, take_sample
from pypi_mirror.observing.overview import Overview, overview
from pypi_mirror.publishing.site import write_metrics

_MOST_REPLACED: Final = 1000


class Event(Struct, frozen=True, kw_only=True):
    """What a run reports itself: ``key`` is the alert that it starts, ``about`` names the run or plan."""

    key: str
    about: str
    title: str


def raise_alerts(
    mirror: Mirror, *, compose: Callable[[Notification], str], channels: Sequence[str]
) -> tuple[PendingMessage, ...]:
    """Ask upstream, take a sample, and return the messages that are to be sent now.

    ``compose`` makes the message of a notification. After each attempt ``note_delivery`` is called. No lease
    is taken: runs go on meanwhile.
    """
    ask_upstream(mirror)
    take_sample(mirror)
    observed, limits = observe(mirror), mirror.settings.alerts
    to_send: tuple[PendingMessage, ...] = ()

    def changed(state: NotificationState) -> NotificationState:
        nonlocal to_send
        if not channels:
            # Without a channel nobody is notified: what holds is news to the first channel.
            return state
        found = conditions(observed, limits, state.notified)
        due = notifications_due(
            state, found, now=observed.now, repeat_after=round(limits.repeat_after * 3600)
        )
        new = tuple(_message(mirror, compose(notification), channels) for notification in due)
        to_send = (*deliverable(state, now=observed.now), *new)
        return with_pending(with_notified(state, found, due, now=observed.now), new)

    _change(mirror, changed)
    # A full disk takes no metrics any more, and is alerted to all the same.
    with suppress(OSError):
        write_metrics(mirror)
    return to_send


def note_event(
    mirror: Mirror, event: Event, *, message: str, channels: Sequence[str]
) -> PendingMessage | None:
    """Note that ``message`` reports ``event``; None when people were notified of it before."""
    pending = _message(mirror, message, channels)
    is_news = True

    def changed(state: NotificationState) -> NotificationState:
        nonlocal is_news
        notified = with_event(state, event.key, about=event.about, title=event.title, now=pending.created_at)
        is_news = notified is not None
        return state if notified is None or not channels else with_pending(notified, (pending,))

    _change(mirror, changed)
    return pending if is_news else None


def note_delivery(mirror: Mirror, message: PendingMessage, *, failed: Sequence[str]) -> None:
    """Note an attempt at ``message``: it has not reached the channels ``failed``."""
    now = int(mirror.clock())
    _change(mirror, lambda state: with_delivery(state, message.id, failed=failed, now=now))


def known_parked(mirror: Mirror) -> frozenset[str]:
    """The parked projects that people were notified of, as ``about_parked`` writes them."""
    known = notification_state(mirror).notified.get(PARKED)
    return frozenset() if known is None else frozenset(known.about)


def notification_state(mirror: Mirror) -> NotificationState:
    return mirror.ledger.facts.alerts or NotificationState()


def observe(mirror: Mirror) -> Observation:
    """The mirror as it was last seen; asks upstream for nothing."""
    seen, forecast = overview(mirror), disk_forecast(mirror)
    return Observation(
        now=int(mirror.clock()),
        master=mirror.settings.master,
        cursor=seen.cursor,
        upstream_serial=seen.upstream_serial,
        lag_seconds=seen.lag_seconds,
        unreachable_since=_seconds(seen.upstream_silent_since),
        upstream_error=upstream_state(mirror).trouble,
        disk=ObservedDisk(
            path=seen.disk.path,
            free=seen.disk.free,
            reserve=seen.disk.reserve,
            full_at=_seconds(forecast.full_at),
            bytes_a_day=forecast.bytes_a_day,
        ),
        last_sync=_ended(mirror.ledger.runs.last_ended(RunKind.SYNC)),
        last_audit=_ended(mirror.ledger.runs.last_ended(RunKind.AUDIT)),
        running=_running(mirror),
        paused_until=_seconds(seen.paused_until),
        waiting=_waiting(seen),
        parked=tuple(
            Parked(project=entry.project, error=entry.error, reason=entry.reason)
            for entry in mirror.ledger.backlog.parked()
        ),
        replaced=_replaced(mirror),
    )


def _replaced(mirror: Mirror) -> tuple[Replaced, ...]:
    """Files that upstream offers other bytes of, as far as pages lack them or a project has no page."""
    found = [
        Replaced(project=each.project, filename=each.part.filename or "", reason=each.part.reason)
        for each in mirror.ledger.left_out.failed_with(FileReplaced.__name__, limit=_MOST_REPLACED)
    ]
    paged = {each.project for each in found}
    found += [
        Replaced(project=entry.project, filename="a file of it", reason=entry.reason)
        for entry in mirror.ledger.backlog.failed()
        if entry.error == FileReplaced.__name__ and entry.project not in paged
    ]
    return tuple(found)


def _running(mirror: Mirror) -> RunningRun | None:
    latest = next(iter(mirror.ledger.runs.latest(audits=False)), None)
    if latest is None or latest.state is not RunState.RUNNING:
        return None
    return RunningRun(label=latest.request.label, started_at=latest.started_at)


def _waiting(seen: Overview) -> Condition | None:
    plan = seen.waiting
    if plan is None:
        return None
    return approval_needed(label=plan.run, plan=plan.plan, would=plan.would, exceeded=plan.exceeded)


def _ended(run: Run | None) -> EndedRun | None:
    if run is None or run.finished_at is None:
        return None
    reason = None if run.outcome is None else run.outcome.reason
    return EndedRun(
        label=run.request.label,
        failed=run.state is RunState.FAILED,
        finished_at=run.finished_at,
        reason=reason or "no reason was recorded",
    )


def _message(mirror: Mirror, message: str, channels: Sequence[str]) -> PendingMessage:
    now = int(mirror.clock())
    return PendingMessage(id=uuid.uuid4().hex, message=message, channels=tuple(channels), created_at=now)


def _change(mirror: Mirror, changed: Callable[[NotificationState], NotificationState]) -> None:
    mirror.ledger.facts.change(Facts.alerts, lambda state: changed(state or NotificationState()))


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
