"""Upstream's changelog over XML-RPC: ``changelog_since_serial``, paged and rate-limited.

An index without XML-RPC (a static mirror, devpi) is recognized by its answer: NoChangelog.
"""

import logging
import re
import reprlib
import xmlrpc.client
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Final, TypeGuard

from pypi_mirror.errors import (
    MirrorError,
    UpstreamError,
    UpstreamMalformed,
    UpstreamUnavailable,
)
from pypi_mirror.model import Event
from pypi_mirror.transport.messages import Response
from pypi_mirror.upstream.checks import MAX_SERIAL, checked_name
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.serials import is_absurd
from pypi_mirror.upstream.xmlrpc_answer import BadAnswer, read_answer

log = logging.getLogger(__name__)

# Upstream's 50,000 events are some 20 MB of XML.
MAX_ANSWER: Final = 48 * 1024 * 1024
# Upstream gives at most 50,000 events a call; this many calls are cheaper to replace by the root index.
MAX_CALLS: Final = 20
# Seconds by which an event may be dated before one of a lower serial: transactions overtake each other.
_OUT_OF_ORDER: Final = 600
_RATE_LIMITED: Final = "HTTPTooManyRequests"
# In the RateLimit header: `"xmlrpc.client";r=0;t=1234`.
_STATE: Final = re.compile(r";\s*t=(\d{1,9})", re.ASCII)
_RESET: Final = re.compile(r"reset in (\d{1,9}) second", re.ASCII)
# Seconds that one call waits for a limit to reset. Longer than that, and the root index has to do.
_MAX_WAIT: Final = 120.0
# How upstream has said of other methods that they are gone for good.
_RETIRED: Final = re.compile(r"deprecated|no longer support|been removed")

# What the journal says of people: "add Owner alice", "invite Maintainer bob". The page does not change and
# is not purged. One word after the role and no more: "add <python version> file <filename>" is an upload.
_PEOPLE: Final = re.compile(
    r"(?:add|remove|change|accepted|invite|revoke_invite|decline_invite) (?:Owner|Maintainer) \S+"
)


# Name, version, timestamp, action, serial: as upstream gives them. Without a name an event is of no project.
_Row = tuple[str | None, str | None, int, str, int]
# What stands for an action that upstream does not say: the project changed.
_UNSAID: Final = "unknown action"
# Seconds: the end of the year 9999, the last that dates can have.
_LATEST: Final = 253_402_300_799
_UNDATED: Final = -1


class NoChangelog(UpstreamError):
    """Upstream has no XML-RPC changelog; its root index must serve."""


class ChangelogBusy(UpstreamUnavailable):
    """Upstream answers, but has no changelog for us for now: 429, 5xx, or a limit that resets too late."""


class ChangelogUnreadable(UpstreamMalformed):
    """Upstream answers with what is no changelog, or with a fault that nobody has foreseen."""


class TooFarBehind(MirrorError):
    """There are more events than are worth reading; compare root indexes instead."""


# Upstream answers, and has no events for us now: its root index says the same, at a greater cost.
NO_EVENTS: Final = (NoChangelog, ChangelogBusy, ChangelogUnreadable, TooFarBehind)


def changes_content(action: str) -> bool:
    """Whether an event of this action can change a project's page; unknown actions are taken to."""
    return _PEOPLE.fullmatch(action) is None


def is_removal(action: str) -> bool:
    """Whether this event says that the whole project is gone."""
    return action == "remove project"


def takes_files(action: str) -> bool:
    """Whether an event of this action takes files off the page: those of a file, a release or the project."""
    return changes_content(action) and action.startswith(
        ("remove ", "release quarantined", "project quarantined")
    )


def _is_number(said: object) -> TypeGuard[int]:
    """Whether XML-RPC said a whole number: a boolean is one to Python alone."""
    return type(said) is int


def _dated(rows: list[_Row]) -> list[_Row]:
    """``rows``, those without a time at the time of a neighbour; 0 where none has one."""
    last = next((row[2] for row in rows if row[2] != _UNDATED), 0)
    dated = []
    for name, version, timestamp, action, serial in rows:
        last = last if timestamp == _UNDATED else timestamp
        dated.append((name, version, last, action, serial))
    return dated


class Changelog:
    """``master`` is the index's root; the XML-RPC endpoint is ``<master>/pypi``.

    Without ``beside``, upstream's pages are elsewhere than where an index with such an endpoint has them, and
    nothing is asked.
    """

    def __init__(self, master: str, control: Control, *, beside: bool = True) -> None:
        self._url = f"{master}/pypi"
        self._beside = beside
        self._control = control
        self.absurd: list[Event] = []

    def since(
        self, serial: int, *, check: Callable[[Event | None], None] = lambda _event: None
    ) -> Iterator[list[Event]]:
        """The events after ``serial`` in order of serial, a list a call, until upstream has no more.

        An event whose project has no possible name is left out: nothing could be asked for, and the cursor
        has to get past it. Raises NO_EVENTS, TooFarBehind of them after MAX_CALLS calls, and UpstreamError:
        UpstreamUnavailable when upstream's own serial is lower than ``serial``. ``check`` is told of
        upstream's event at ``serial``, None where it has none, before anything is given. Events whose serial
        is absurd are not given; ``absurd`` has them afterwards.
        """
        # Asked from one event back, upstream shows by our cursor's own event that it knows it: one that was
        # restored or replaced has nothing after our cursor, and would never have.
        asked, reached = max(serial - 1, 0), serial
        for number in range(MAX_CALLS):
            found = self._rows(asked)
            if not found:
                if asked < serial:
                    self._check_not_behind(serial)
                return
            rows = self._believable(found, reached)
            if not number:
                check(next((self._event(row) for row in rows if row[4] == serial), None))
            if not rows:
                return
            asked = reached = self._next(asked, rows)
            if asked == serial:
                return  # the cursor's own event is all there is
            if events := [event for row in rows if row[4] > serial and (event := self._event(row))]:
                yield events
        raise TooFarBehind(f"more than {MAX_CALLS} calls' worth of events")

    def _believable(self, rows: list[_Row], after: int) -> list[_Row]:
        """``rows`` up to the first whose serial is absurd; the others are kept in ``absurd``."""
        for number, row in enumerate(rows):
            if is_absurd(row[4], after):
                events = [event for each in rows[number:] if (event := self._event(each)) is not None]
                for event in events:
                    log.warning(
                        "event %d of %s is refused: its serial is absurd, the one before is %d",
                        event.serial,
                        event.project,
                        after,
                    )
                self.absurd += events
                return rows[:number]
            after = max(after, row[4])
        return rows

    def during(
        self, start: int, end: int, *, after: Callable[[int], int | None] = lambda _time: None
    ) -> Iterator[list[Event]]:
        """The events with ``start <= timestamp < end`` (seconds) in order of serial, a list a call.

        Upstream can be asked by serial alone. ``after`` gives, for a time, the serial of an earlier event,
        where one is known; else the place is searched for, in some ten calls for all of its history. Raises
        NO_EVENTS, TooFarBehind of them after MAX_CALLS calls, and UpstreamError.
        """
        if start >= end:
            return
        early = start - _OUT_OF_ORDER
        known = after(early)
        asked = self._serial_before(early) if known is None else known
        for _ in range(MAX_CALLS):
            rows = self._believable(self._rows(asked), asked)
            found = (self._event(row) for row in rows if start <= row[2] < end)
            if events := [event for event in found if event is not None]:
                yield events
            if not rows or rows[0][2] >= end + _OUT_OF_ORDER:
                return
            asked = self._next(asked, rows)
        raise TooFarBehind(f"more than {MAX_CALLS} calls' worth of events")

    def _serial_before(self, timestamp: int) -> int:
        """A serial whose event happened before ``timestamp``, as late as halving finds one; 0 if none did."""
        low, high = 0, self.last_serial()
        while low + 1 < high:
            middle = (low + high) // 2
            rows = self._believable(self._rows(middle), middle)
            if not rows or rows[0][2] >= timestamp:
                high = middle
            elif rows[-1][2] >= timestamp:
                return middle
            else:
                low = self._next(middle, rows)
        return low

    def last_serial(self) -> int:
        """The serial of upstream's newest event, of whatever kind. Raises as ``since``."""
        last = self._call("changelog_last_serial")
        if not _is_number(last) or not 0 <= last <= MAX_SERIAL:
            raise ChangelogUnreadable(f"{reprlib.repr(last)} is not a valid serial", url=self._url)
        return last

    def _next(self, asked: int, rows: list[_Row]) -> int:
        """The serial to ask for after ``rows``, which came for ``asked``."""
        if rows[0][4] <= asked:
            raise ChangelogUnreadable(
                f"asked for events after {asked}, upstream gives event {rows[0][4]}", url=self._url
            )
        return rows[-1][4]

    def _check_not_behind(self, serial: int) -> None:
        last = self.last_serial()
        if last < serial:
            raise UpstreamUnavailable(
                f"upstream is at serial {last}, the mirror is at {serial} already: an old copy answered, or "
                "another upstream. If upstream was replaced, `pypi-mirror ledger reset-cursor` has the next "
                "sync compare everything with it",
                url=self._url,
            )

    def _rows(self, serial: int) -> list[_Row]:
        rows = self._call("changelog_since_serial", serial)
        if not isinstance(rows, list):
            raise ChangelogUnreadable("the changelog is not a list", url=self._url)
        read = sorted((row for each in rows if (row := self._row(each)) is not None), key=itemgetter(4))
        if rows and not any(row[4] <= MAX_SERIAL for row in read):
            raise ChangelogUnreadable(
                f"{reprlib.repr(rows[0])} is not a valid changelog event", url=self._url
            )
        return _dated(read)

    def _row(self, row: object) -> _Row | None:
        """One row, read tolerantly. One without a serial has no place: it is left out, and costs no other."""
        match row:
            # One above all that can be kept is absurd; what it says of a project is heard.
            case [name, version, timestamp, action, serial] if _is_number(serial) and serial >= 0:
                return (
                    name if isinstance(name, str) else None,
                    version if isinstance(version, str) else None,
                    timestamp if _is_number(timestamp) and 0 <= timestamp <= _LATEST else _UNDATED,
                    action if isinstance(action, str) else _UNSAID,
                    serial,
                )
        log.warning("a row of the changelog is left out: %s is not a valid event", reprlib.repr(row))
        return None

    def _event(self, row: _Row) -> Event | None:
        name, version, timestamp, action, serial = row
        if name is None:
            log.warning("event %d is left out: it names no project", serial)
            return None
        try:
            project = checked_name(name, url=self._url)
        except UpstreamMalformed as error:
            log.warning("event %d is left out: %s", serial, error)
            return None
        return Event(
            serial=serial, name=name, project=project, version=version, timestamp=timestamp, action=action
        )

    def _call(self, method: str, *params: int) -> object:
        """What ``method`` returns. Raises NO_EVENTS, but for TooFarBehind, and UpstreamError."""
        if not self._beside:
            raise NoChangelog("upstream's pages are not at …/simple/ beside it", url=self._url)
        try:
            return self._patient_call(method, *params)
        except UpstreamUnavailable as error:
            if not error.answered:
                raise
            raise ChangelogBusy(error.message, url=self._url, retry_after=error.retry_after) from error
        except UpstreamMalformed as error:
            # An answer without an end is none, either.
            raise ChangelogUnreadable(error.message, url=self._url) from error

    def _patient_call(self, method: str, *params: int) -> object:
        if any(number > xmlrpc.client.MAXINT for number in params):
            message = f"XML-RPC has no number as high as the serial {max(params)}"
            raise NoChangelog(message, url=self._url)
        body = xmlrpc.client.dumps(params, method).encode()
        waited, delay = 0.0, 1.0
        while True:
            answer = self._control.call(
                "POST",
                self._url,
                headers={"Content-Type": "text/xml"},
                data=body,
                max_bytes=MAX_ANSWER,
                longest_wait=_MAX_WAIT,
            )
            try:
                return self._result(answer)
            except UpstreamUnavailable as error:
                pause = delay if error.retry_after is None else max(1.0, error.retry_after)
                if waited + pause > _MAX_WAIT:
                    raise
                waited, delay = waited + pause, delay * 2
                self._control.wait(pause)

    def _result(self, answer: Response) -> object:
        content_type = answer.headers.get("Content-Type", "")
        if answer.status != 200 or "xml" not in content_type:
            raise NoChangelog(f"answered {answer.status} {content_type[:100]}, no XML-RPC", url=self._url)
        try:
            return read_answer(answer.body)
        except xmlrpc.client.Fault as fault:
            raise self._translated(fault, answer.headers.get("RateLimit", "")) from fault
        except BadAnswer as error:
            raise ChangelogUnreadable(f"no XML-RPC answer: {error}", url=self._url) from error

    def _translated(self, fault: xmlrpc.client.Fault, limit: str) -> UpstreamError:
        # The text is whatever upstream put there, a string in good faith only.
        text = fault.faultString if isinstance(fault.faultString, str) else reprlib.repr(fault.faultString)
        text = text[:1000]
        if _RATE_LIMITED in text:
            reset = _RESET.search(text) or _STATE.search(limit)
            after = float(reset[1]) if reset else None
            return UpstreamUnavailable(text, url=self._url, retry_after=after, answered=True)
        if fault.faultCode == -32601 or _RETIRED.search(text):
            return NoChangelog(text, url=self._url)
        return ChangelogUnreadable(text, url=self._url)
