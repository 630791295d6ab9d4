"""Upstream's changelog over XML-RPC: ``changelog_since_serial``, paged and rate-limited.

An index without XML-RPC (a static mirror, devpi) is recognized by its answer: NoChangelog.
"""

import re
import xmlrpc.client
from collections.abc import Iterator
from typing import Final
from xml.parsers.expat import ExpatError

from packaging.utils import InvalidName, canonicalize_name

from pypi_mirror.errors import MirrorError, UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.model import Event
from pypi_mirror.upstream.control import Control, ControlAnswer

MAX_ANSWER: Final = 256 * 1024 * 1024
# Upstream gives at most 50,000 events a call; this many calls are cheaper to replace by the root index.
MAX_CALLS: Final = 20
_RATE_LIMITED: Final = "HTTPTooManyRequests"
_RESET: Final = re.compile(r"reset in (\d+) second")
_MAX_WAIT: Final = 120.0

# What the journal says of people: "add Owner alice", "invite Maintainer bob". The page does not change and
# is not purged. One word after the role and no more: "add <python version> file <filename>" is an upload.
_PEOPLE: Final = re.compile(
    r"(?:add|remove|change|accepted|invite|revoke_invite|decline_invite) (?:Owner|Maintainer) \S+"
)


class NoChangelog(MirrorError):
    """Upstream has no XML-RPC changelog; its root index must serve."""


class TooFarBehind(MirrorError):
    """There are more events than are worth reading; compare root indexes instead."""


def changes_content(action: str) -> bool:
    """Whether an event of this action can change a project's page; unknown actions are taken to."""
    return _PEOPLE.fullmatch(action) is None


def is_removal(action: str) -> bool:
    """Whether this event says that the whole project is gone."""
    return action == "remove project"


class Changelog:
    """``master`` is the index's root; the XML-RPC endpoint is ``<master>/pypi``."""

    def __init__(self, master: str, control: Control) -> None:
        self._url = f"{master}/pypi"
        self._control = control

    def since(self, serial: int) -> Iterator[list[Event]]:
        """The events after ``serial`` in order of serial, a list a call, until upstream has no more.

        Raises NoChangelog, TooFarBehind after MAX_CALLS calls, and UpstreamError.
        """
        for _ in range(MAX_CALLS):
            events = self._events(serial)
            if not events:
                return
            yield events
            if events[-1].serial <= serial:
                raise UpstreamMalformed(f"the changelog does not advance past {serial}", url=self._url)
            serial = events[-1].serial
        raise TooFarBehind(f"more than {MAX_CALLS} calls' worth of events")

    def _events(self, serial: int) -> list[Event]:
        rows = self._call("changelog_since_serial", serial)
        if not isinstance(rows, list):
            raise UpstreamMalformed("the changelog is not a list", url=self._url)
        return sorted((self._event(row) for row in rows), key=lambda event: event.serial)

    def _event(self, row: object) -> Event:
        match row:
            case [str(name), str() | None as version, int(timestamp), str(action), int(serial)]:
                try:
                    project = canonicalize_name(name, validate=True)
                except InvalidName as error:
                    raise UpstreamMalformed(
                        f"event {serial} is of {name[:100]!r}, which is no project name", url=self._url
                    ) from error
                return Event(
                    serial=serial,
                    name=name,
                    project=project,
                    version=version,
                    timestamp=timestamp,
                    action=action,
                )
            case _:
                raise UpstreamMalformed(f"{str(row)[:200]} is no changelog event", url=self._url)

    def _call(self, method: str, *params: int) -> object:
        body = xmlrpc.client.dumps(params, method).encode()
        waited = 0.0
        while True:
            answer = self._control.call(
                "POST", self._url, headers={"Content-Type": "text/xml"}, data=body, max_bytes=MAX_ANSWER
            )
            try:
                return self._result(answer)
            except UpstreamUnavailable as error:
                # A limit that resets soon is waited for; a longer one is the next try's business.
                delay = error.retry_after or 1.0
                if waited + delay > _MAX_WAIT:
                    raise
                waited += delay
                self._control.wait(delay)

    def _result(self, answer: ControlAnswer) -> object:
        content_type = answer.headers.get("Content-Type", "")
        if answer.status in (301, 302, 404, 405, 406, 410, 415, 501) or "xml" not in content_type:
            raise NoChangelog(f"{self._url}: answered {answer.status} {content_type}, no XML-RPC")
        if answer.status != 200:
            raise UpstreamError(f"answered {answer.status}", url=self._url)
        try:
            values, _ = xmlrpc.client.loads(answer.body, use_builtin_types=True)
        except xmlrpc.client.Fault as fault:
            if _RATE_LIMITED in fault.faultString:
                reset = _RESET.search(fault.faultString)
                raise UpstreamUnavailable(
                    fault.faultString, url=self._url, retry_after=float(reset[1]) if reset else None
                ) from fault
            if fault.faultCode == -32601:
                raise NoChangelog(f"{self._url}: {fault.faultString}") from fault
            raise UpstreamError(fault.faultString, url=self._url) from fault
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, IndexError, KeyError) as error:
            raise UpstreamMalformed(f"no XML-RPC answer: {error}", url=self._url) from error
        return values[0]
