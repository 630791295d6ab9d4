"""XML-RPC: the mirroring methods, the faults of the others, and the limit on calls."""

import re
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.parsers.expat import ExpatError
from xmlrpc.client import Fault, ResponseError, dumps, loads

from tests.warehouse.answers import VARY_ENCODING, Answer, Headers, answer
from tests.warehouse.behaviour import Behaviour
from tests.warehouse.model import JournalRow
from tests.warehouse.state import Warehouse

_HELP = "https://warehouse.pypa.io/api-reference/xml-rpc.html#deprecated-methods"
_MORE = f"See {_HELP} for more information."


def _unsupported(method: str, instead: str) -> str:
    return f"RuntimeError: PyPI no longer supports the XMLRPC {method} method. Use {instead} instead. {_MORE}"


_GONE = {
    "changelog": "ValueError: The changelog method has been deprecated, use changelog_since_serial instead.",
    "system.multicall": (
        "ValueError: MultiCall requests have been deprecated, use individual requests instead."
    ),
    "list_packages": _unsupported("list_packages", "Simple API"),
    "package_releases": _unsupported("package_releases", "JSON or Simple API"),
    "release_urls": _unsupported("release_urls", "JSON or Simple API"),
    "release_data": _unsupported("release_data", "JSON or Simple API"),
    "package_data": f"RuntimeError: This API has been deprecated. {_MORE}",
    "package_urls": f"RuntimeError: This API has been deprecated. {_MORE}",
    "top_packages": f"RuntimeError: This API has been removed. Use BigQuery instead. {_MORE}",
}

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(kw_only=True, slots=True)
class Limiter:
    """Counts calls in a moving window of ``window`` seconds; ``clock`` gives seconds from anywhere."""

    quota: int
    window: int
    clock: Callable[[], float] = time.monotonic
    _hits: deque[float] = field(default_factory=deque)

    def hit(self) -> tuple[int, float]:
        """Counts a call; returns how many remain and in how many seconds the oldest one is forgotten."""
        now = self.clock()
        while self._hits and self._hits[0] <= now - self.window:
            self._hits.popleft()
        if len(self._hits) < self.quota:
            self._hits.append(now)
        resets_in = self._hits[0] + self.window - now if self._hits else float(self.window)
        return self.quota - len(self._hits), resets_in


class XmlRpc:
    """Answers POSTs; every answer is a 200, a fault too."""

    def __init__(self, warehouse: Warehouse, behaviour: Behaviour) -> None:
        self.warehouse = warehouse
        self.behaviour = behaviour
        self.limiter = Limiter(quota=behaviour.quota, window=behaviour.window)

    def respond(self, body: bytes) -> Answer:
        limits: Headers = ()
        try:
            parameters, method = _parse(body)
            if method not in _METHODS and method not in _GONE:
                raise Fault(-32601, "server error; requested method not found")
            remaining, resets_in = self.limiter.hit()
            limits = self._limit_headers(remaining, resets_in)
            if remaining <= 0:
                raise Fault(-32500, _too_many(resets_in))
            if method in _GONE:
                raise Fault(-32500, _GONE[method])
            result = _METHODS[method](self, *parameters)
            text = dumps((result,), methodresponse=True, allow_none=True)
        except Fault as fault:
            text = dumps(fault, methodresponse=True)
        return answer(200, b"text/xml; charset=UTF-8", text.encode(), limits, VARY_ENCODING)

    def _limit_headers(self, remaining: int, resets_in: float) -> Headers:
        policy = f'"xmlrpc.client";q={self.limiter.quota};w={self.limiter.window};pk=:ip:'
        state = f'"xmlrpc.client";r={remaining};t={int(resets_in)}'
        return (b"RateLimit-Policy", policy.encode()), (b"RateLimit", state.encode())

    def changelog_last_serial(self, *surplus: object) -> int:
        _refuse_surplus(surplus, 0)
        return self.warehouse.serial

    def changelog_since_serial(self, *parameters: object) -> list[tuple[object, ...]]:
        if not parameters:
            raise Fault(-32602, "client error; serial: Missing required argument")
        _refuse_surplus(parameters, 1)
        since = parameters[0]
        if not isinstance(since, int) or isinstance(since, bool):
            raise Fault(-32602, "client error; serial: Input should be a valid integer")
        first = bisect_right(self.warehouse.journal, since, key=lambda row: row.serial)
        rows = self.warehouse.journal[first : first + self.behaviour.changelog_page]
        return [_row(row) for row in rows]

    def list_packages_with_serial(self, *surplus: object) -> dict[str, int]:
        """In the order of PostgreSQL's jsonb: shorter names first, then by bytes."""
        _refuse_surplus(surplus, 0)
        projects = sorted(self.warehouse.projects.values(), key=lambda each: (len(each.name), each.name))
        return {project.name: project.serial for project in projects}


_METHODS: dict[str, Callable[..., Any]] = {
    "changelog_last_serial": XmlRpc.changelog_last_serial,
    "changelog_since_serial": XmlRpc.changelog_since_serial,
    "list_packages_with_serial": XmlRpc.list_packages_with_serial,
}


def _parse(body: bytes) -> tuple[tuple[object, ...], str]:
    try:
        parameters, method = loads(body)
    except (ExpatError, ResponseError, ValueError, TypeError) as error:
        raise Fault(-32700, "parse error; not well formed") from error
    return parameters, method or ""


def _row(row: JournalRow) -> tuple[object, ...]:
    return row.name, row.version, row.timestamp, _clean(row.action), row.serial


def _clean(text: str) -> str:
    """XML-safe as upstream makes it: characters beyond ASCII become references (escaped once more on the
    way out), control characters go.
    """
    return _CONTROL.sub("", text.encode("ascii", "xmlcharrefreplace").decode("ascii"))


def _too_many(resets_in: float) -> str:
    return (
        "HTTPTooManyRequests: The action could not be performed because there were too many requests by the"
        f" client. Limit may reset in {max(1, int(resets_in))} seconds."
    )


def _refuse_surplus(parameters: tuple[object, ...], wanted: int) -> None:
    if len(parameters) > wanted:
        raise Fault(-32602, f"client error; {wanted + 1}: Unexpected positional argument")
