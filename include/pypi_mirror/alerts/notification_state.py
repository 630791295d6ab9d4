"""What people were told, and what is left to tell: once when a condition begins, again, once when it ended.

Pure; times are seconds since 1970. A message that could not be sent waits in ``unsent`` until it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from pypi_mirror.alerts.conditions import BY_KEY, Condition

# Messages that wait to be sent, the newest; a week is what a mail server takes to be mended.
MOST_UNSENT: Final = 50
GIVE_UP_AFTER: Final = 7 * 86_400
# Whoever put a message there is still sending it.
BEING_SENT: Final = 120


class Phase(StrEnum):
    """Something new of a known kind has ``BEGUN``, too: another failed run, another parked project."""

    BEGUN = "begun"
    LASTS = "lasts"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A condition that people know of: since when, when it was last told, in which words, about what."""

    since: int
    told_at: int
    title: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A message, opaque here, that has still to go to ``channels``; ``id`` is unique."""

    id: str
    message: str
    channels: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertState:
    """``told`` is by the key of its condition."""

    told: Mapping[str, Told] = field(default_factory=dict)
    unsent: tuple[Unsent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell. ``condition`` is None when it ended; ``title`` is then what it was.

    ``about`` is what of the condition is new, all of it where it lasts.
    """

    key: str
    phase: Phase
    since: int
    title: str
    condition: Condition | None = None


def notices(
    state: AlertState, conditions: Sequence[Condition], *, now: int, repeat_after: int
) -> tuple[Notice, ...]:
    """What there is to tell at ``now``, when ``conditions`` held; ``repeat_after`` is in seconds, 0: never
    again.
    """
    found = []
    for condition in conditions:
        phase = _phase(state.told.get(condition.key), condition, now=now, repeat_after=repeat_after)
        if phase is not None:
            found.append(_notice(state, condition, phase, now))
    present = {condition.key for condition in conditions}
    found += [
        Notice(key=key, phase=Phase.ENDED, since=told.since, title=told.title)
        for key, told in state.told.items()
        if key not in present and key in BY_KEY and not _is_newer(told, now)
    ]
    return tuple(found)


def after(
    state: AlertState, conditions: Sequence[Condition], given: Sequence[Notice], *, now: int
) -> AlertState:
    """The state once the notices ``given`` are told, or wait in ``unsent``.

    What is no longer so is forgotten, so that it is news when it comes back.
    """
    # Whoever tells of what they saw happen does so at any moment, also after we looked.
    told = {key: each for key, each in state.told.items() if _is_newer(each, now)}
    spoken = {notice.key for notice in given}
    for condition in conditions:
        before = state.told.get(condition.key)
        told_at = now if before is None or condition.key in spoken else before.told_at
        told[condition.key] = Told(
            since=now if before is None else before.since,
            told_at=told_at,
            title=condition.title if before is None or condition.key in spoken else before.title,
            about=condition.about,
        )
    return replace(state, told=told)


def tell_once(state: AlertState, key: str, *, about: str, title: str, now: int) -> AlertState | None:
    """The state once somebody who saw it happen has told of ``about``; None when it was told before."""
    before = state.told.get(key)
    if before is not None and about in before.about:
        return None
    since = now if before is None else before.since
    told = {**state.told, key: Told(since=since, told_at=now, title=title, about=(about,))}
    return replace(state, told=told)


def enqueued(state: AlertState, messages: Sequence[Unsent]) -> AlertState:
    """With ``messages`` to be sent; of too many, the oldest are given up."""
    return replace(state, unsent=(*state.unsent, *messages)[-MOST_UNSENT:])


def due(state: AlertState, *, now: int) -> tuple[Unsent, ...]:
    """The messages that somebody else did not get rid of."""
    return tuple(unsent for unsent in state.unsent if not 0 <= now - unsent.at < BEING_SENT)


def delivered(state: AlertState, id_: str, *, still: Sequence[str], now: int) -> AlertState:
    """After an attempt at a message: it has still to go to the channels ``still``, for a week at most."""
    kept = []
    for unsent in state.unsent:
        if unsent.id != id_:
            kept.append(unsent)
        elif still and now - unsent.at < GIVE_UP_AFTER:
            kept.append(replace(unsent, channels=tuple(still)))
    return replace(state, unsent=tuple(kept))


def _is_newer(told: Told, now: int) -> bool:
    """Whether people were told while somebody looked at the mirror, who cannot know whether it is over.

    What a clock that was ahead left in the future is older than that.
    """
    return 0 <= told.told_at - now < BEING_SENT


def _phase(told: Told | None, condition: Condition, *, now: int, repeat_after: int) -> Phase | None:
    if told is None or not set(condition.about) <= set(told.about):
        return Phase.BEGUN
    if condition.repeats and repeat_after and now - told.told_at >= repeat_after:
        return Phase.LASTS
    return None


def _notice(state: AlertState, condition: Condition, phase: Phase, now: int) -> Notice:
    told = state.told.get(condition.key)
    return Notice(
        key=condition.key,
        phase=phase,
        since=now if told is None else told.since,
        title=condition.title,
        condition=condition,
    )
