"""Beside runs: what is upstream's newest serial, and since when is the mirror behind it?

Serials count more than what a mirror holds: people get roles, and other projects change than those that the
filters let in. The mirror is behind from the first event on that it would have to follow, so a mirror of
which nothing changes is not behind, however far upstream's serial has run ahead of its cursor.
"""

import logging
from collections.abc import Iterable
from itertools import chain

from msgspec.structs import replace

from pypi_mirror.changes.upstream_index import upstream_index
from pypi_mirror.errors import UpstreamError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import UpstreamState
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Event
from pypi_mirror.upstream.changelog import (
    NO_EVENTS,
    Changelog,
    changes_content,
)
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.serials import is_absurd

log = logging.getLogger(__name__)

# Of runs that came to no end, so many are remembered.
_MARKS = 100


def ask_upstream(mirror: Mirror) -> UpstreamState:
    """Ask upstream for its newest serial and note what comes of it.

    An upstream that does not answer is noted as well, and no error.
    """
    before = upstream_state(mirror)
    try:
        with mirror.control() as control:
            state = _asked(mirror, control, before)
    except UpstreamError as error:
        return note_silence(mirror, error)
    mirror.ledger.facts.put(Facts.upstream.to(state))
    return state


def note_fetched(mirror: Mirror, *, upto: int | None) -> None:
    """A run was told what changed up to a serial; the events are in the ledger, if there were any."""
    before, cursor = upstream_state(mirror), mirror.ledger.facts.cursor
    missed = None
    if cursor is not None and upto is not None and upto > cursor:
        missed = _still_missed(mirror, before, cursor)
        if missed is None:
            events = mirror.ledger.events.between(cursor, upto)
            first = next(events, None)
            # Where root indexes are compared there are no events, and so no time but this one.
            missed = (
                (upto, int(mirror.clock()))
                if first is None
                else _first_missed(mirror, chain((first,), events))
            )
    state = _missing(_answered(mirror, before, serial=upto), missed)
    mirror.ledger.facts.put(Facts.upstream.to(state))


def note_silence(mirror: Mirror, error: UpstreamError) -> UpstreamState:
    """Upstream could not be asked; what was known of it before stays."""
    before = upstream_state(mirror)
    since = int(mirror.clock()) if before.silent_since is None else before.silent_since
    state = replace(before, silent_since=since, trouble=str(error))
    mirror.ledger.facts.put(Facts.upstream.to(state))
    return state


def upstream_state(mirror: Mirror) -> UpstreamState:
    """What was last noted, by a watch or by a run."""
    return mirror.ledger.facts.upstream or UpstreamState()


def lag_of(mirror: Mirror) -> int | None:
    """For how many seconds the mirror has been behind; 0 when it is not, None where that cannot be told."""
    state, cursor = upstream_state(mirror), mirror.ledger.facts.cursor
    if cursor is None or state.serial is None:
        return None
    if state.missed_serial is None or state.missed_at is None or cursor >= state.missed_serial:
        return 0
    return max(0, int(mirror.clock()) - state.missed_at)


def _asked(mirror: Mirror, control: Control, before: UpstreamState) -> UpstreamState:
    cursor = mirror.ledger.facts.cursor
    changelog = mirror.changelog(control)
    try:
        serial = changelog.last_serial()
    except NO_EVENTS:
        return _asked_index(mirror, control, before, cursor)
    if cursor is not None and is_absurd(serial, cursor):
        log.warning("upstream says it is at serial %d, which is absurd; the mirror is at %d", serial, cursor)
        # What has happened since, its events say, if there are any.
        state, through = _answered(mirror, before, serial=cursor), None
    else:
        state, through = _answered(mirror, before, serial=serial), _looked_through(mirror, before)
    if cursor is None or serial <= cursor:
        return _missing(state, None)
    missed = _still_missed(mirror, before, cursor)
    if missed is None:
        # Each event is read once: an idle mirror of a busy upstream looks only at what is new since.
        start = cursor if through is None else max(cursor, through)
        if serial > start:
            missed = _first_missed_upstream(mirror, changelog, start)
    return _missing(state, missed)


def _asked_index(
    mirror: Mirror, control: Control, before: UpstreamState, cursor: int | None
) -> UpstreamState:
    still = None if cursor is None else _still_missed(mirror, before, cursor)
    through = _looked_through(mirror, before)
    decided = still is not None or through is not None
    index = upstream_index(mirror, control, etag=before.index_etag if decided else None, after=cursor)
    if index is None:
        return _missing(_answered(mirror, before, serial=before.serial), still)
    state = replace(_answered(mirror, before, serial=index.serial), index_etag=index.etag)
    if still is None and cursor is not None and index.serial is not None and index.serial > cursor:
        new = [
            entry.serial
            for entry in index.entries()
            if entry.serial is not None
            and entry.serial > cursor
            and mirror.policy.rejection_reason(entry.project) is None
        ]
        still = (min(new), int(mirror.clock())) if new else None
    return _missing(state, still)


def _first_missed_upstream(mirror: Mirror, changelog: Changelog, start: int) -> tuple[int, int] | None:
    read: Event | None = None
    try:
        for events in changelog.since(start):
            missed = _first_missed(mirror, events)
            if missed is not None:
                return missed
            read = events[-1]
    except NO_EVENTS:
        # A mirror that far behind compares root indexes; until then it counts as behind.
        return None if read is None else (read.serial, _happened(mirror, read))
    return None


def _first_missed(mirror: Mirror, events: Iterable[Event]) -> tuple[int, int] | None:
    """(serial, time) of the first event that the mirror would have to follow."""
    for event in events:
        if changes_content(event.action) and mirror.policy.rejection_reason(event.project) is None:
            return event.serial, _happened(mirror, event)
    return None


def _happened(mirror: Mirror, event: Event) -> int:
    """When, by our clock: not in the future, and not before upstream was asked for what gave the cursor."""
    success = mirror.ledger.runs.last_success()
    earliest = 0 if success is None else success.started_at
    return min(max(event.timestamp, earliest), int(mirror.clock()))


def _still_missed(mirror: Mirror, before: UpstreamState, cursor: int) -> tuple[int, int] | None:
    """What was missed already when upstream was last asked, if no run has brought it since."""
    if before.selection != mirror.selection or before.missed_serial is None or before.missed_at is None:
        return None
    return (before.missed_serial, before.missed_at) if before.missed_serial > cursor else None


def _looked_through(mirror: Mirror, before: UpstreamState) -> int | None:
    """The serial up to which the last state found nothing to follow; None where it did, or did not state."""
    if before.selection != mirror.selection or before.missed_serial is not None:
        return None
    return before.serial


def _answered(mirror: Mirror, before: UpstreamState, *, serial: int | None) -> UpstreamState:
    return replace(
        before,
        serial=serial,
        asked_at=int(mirror.clock()),
        silent_since=None,
        trouble=None,
        selection=mirror.selection,
    )


def _missing(state: UpstreamState, missed: tuple[int, int] | None) -> UpstreamState:
    serial, at = missed or (None, None)
    return replace(state, missed_serial=serial, missed_at=at)


def note_as_of(mirror: Mirror, control: Control, *, newest: int | None = None) -> None:
    """Remember what time it is by upstream's clock: asked for once where the policy depends on it, if nothing
    that was asked before has told it. ``newest`` is upstream's newest serial, if it was asked for that.

    While upstream does not answer, the time stands still. One that states no time is believed to have ours.
    """
    if control.lead is None:
        if not mirror.policy.depends_on_time:
            return
        try:
            control.call("HEAD", mirror.simple_root, max_bytes=0)
        except UpstreamError as error:
            # An answer that is an error has a date, too.
            if control.lead is None:
                log.warning("nothing changes by its age before upstream says what time it is: %s", error)
                return
    ahead = 0.0 if control.lead is None else control.lead.most
    as_of = int(mirror.clock() - ahead)
    facts = mirror.ledger.facts
    facts.put(Facts.as_of.to(as_of))
    if newest is not None and mirror.policy.holds:
        before = [each for each in facts.serials_at or () if each[0] <= newest and each[1] <= as_of]
        # What happened before the cursor is no news any more.
        start = max((serial for serial, _ in before if serial <= (facts.cursor or 0)), default=0)
        kept = [each for each in before if each[0] >= start][-_MARKS:]
        facts.put(Facts.serials_at.to((*kept, (newest, as_of))))
