"""What people were notified of, and what is due: when a condition starts, as a reminder, and when it ends.

Pure; times are seconds since 1970. A message that was not delivered stays in ``pending`` until it is.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.alerts.conditions import ENDED, Condition

# The newest messages that are retried. A week is enough to repair a mail server.
MOST_PENDING: Final = 50
RETRIED_FOR: Final = 7 * 86_400
# The process that added a message still has it in hand.
IN_DELIVERY: Final = 120


class Phase(StrEnum):
    """Something new of a known kind has ``STARTED``, too: another failed run, another parked project."""

    STARTED = "started"
    ONGOING = "ongoing"
    ENDED = "ended"


# Ledgers of earlier versions have these names in their JSON.
class Notified(msgspec.Struct, frozen=True, kw_only=True, rename={"notified_at": "told_at"}):
    """A condition that people were notified of: since when, when last, in which words, and about what."""

    since: int
    notified_at: int
    title: str
    about: tuple[str, ...] = ()


class PendingMessage(msgspec.Struct, frozen=True, kw_only=True, rename={"created_at": "at"}):
    """A message, opaque here, that has not reached ``channels`` yet; ``id`` is unique."""

    id: str
    message: str
    channels: tuple[str, ...]
    created_at: int


class NotificationState(
    msgspec.Struct, frozen=True, kw_only=True, rename={"notified": "told", "pending": "unsent"}
):
    """``notified`` is by the key of its condition."""

    notified: Mapping[str, Notified] = {}
    pending: tuple[PendingMessage, ...] = ()


class Notification(Struct, frozen=True, kw_only=True):
    """What people are to be notified of. ``condition`` is None when it ended; ``title`` is then its last."""

    key: str
    phase: Phase
    since: int
    title: str
    condition: Condition | None = None


def notifications_due(
    state: NotificationState, conditions: Sequence[Condition], *, now: int, repeat_after: int
) -> tuple[Notification, ...]:
    """What is due at ``now``, when ``conditions`` hold.

    ``repeat_after`` is the interval of reminders in seconds; 0: none.
    """
    due = []
    for condition in conditions:
        known = state.notified.get(condition.key)
        phase = _phase(known, condition, now=now, repeat_after=repeat_after)
        if phase is not None:
            since = now if known is None else known.since
            due.append(
                Notification(
                    key=condition.key, phase=phase, since=since, title=condition.title, condition=condition
                )
            )
    holding = {condition.key for condition in conditions}
    due += [
        Notification(key=key, phase=Phase.ENDED, since=known.since, title=known.title)
        for key, known in state.notified.items()
        if key not in holding and key in ENDED and not _is_newer(known, now)
    ]
    return tuple(due)


def with_notified(
    state: NotificationState,
    conditions: Sequence[Condition],
    notifications: Sequence[Notification],
    *,
    now: int,
) -> NotificationState:
    """The state once people are notified; a condition that no longer holds is forgotten, so it can return."""
    # A run that reports its own failure does so at any moment, also after the mirror was observed.
    notified = {key: known for key, known in state.notified.items() if _is_newer(known, now)}
    renewed = {notification.key for notification in notifications}
    for condition in conditions:
        known = state.notified.get(condition.key)
        is_new = known is None or condition.key in renewed
        notified[condition.key] = Notified(
            since=now if known is None else known.since,
            notified_at=now if known is None or is_new else known.notified_at,
            title=condition.title if known is None or is_new else known.title,
            about=condition.about,
        )
    return replace(state, notified=notified)


def with_event(
    state: NotificationState, key: str, *, about: str, title: str, now: int
) -> NotificationState | None:
    """The state once a run has reported ``about`` itself; None when people know of it already."""
    known = state.notified.get(key)
    if known is not None and about in known.about:
        return None
    since = now if known is None else known.since
    event = Notified(since=since, notified_at=now, title=title, about=(about,))
    return replace(state, notified={**state.notified, key: event})


def with_pending(state: NotificationState, messages: Sequence[PendingMessage]) -> NotificationState:
    """With ``messages`` to be delivered; beyond MOST_PENDING the oldest are dropped."""
    return replace(state, pending=(*state.pending, *messages)[-MOST_PENDING:])


def deliverable(state: NotificationState, *, now: int) -> tuple[PendingMessage, ...]:
    """The pending messages that no other process is delivering at the moment."""
    return tuple(each for each in state.pending if not 0 <= now - each.created_at < IN_DELIVERY)


def with_delivery(
    state: NotificationState, id_: str, *, failed: Sequence[str], now: int
) -> NotificationState:
    """After an attempt at a message: the channels ``failed`` are retried, for a week at most."""
    pending = []
    for each in state.pending:
        if each.id != id_:
            pending.append(each)
        elif failed and now - each.created_at < RETRIED_FOR:
            pending.append(replace(each, channels=tuple(failed)))
    return replace(state, pending=tuple(pending))


def _is_newer(known: Notified, now: int) -> bool:
    """Whether people were notified while the mirror was being observed: too late to know whether it ended.

    A time further ahead comes from a clock that was wrong.
    """
    return 0 <= known.notified_at - now < IN_DELIVERY


def _phase(known: Notified | None, condition: Condition, *, now: int, repeat_after: int) -> Phase | None:
    if known is None or not set(condition.about) <= set(known.about):
        return Phase.STARTED
    if condition.repeats and repeat_after and now - known.notified_at >= repeat_after:
        return Phase.ONGOING
    return None
