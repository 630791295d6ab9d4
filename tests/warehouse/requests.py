"""A request as the routes see it, and the record of all that came."""

from collections import Counter
from dataclasses import dataclass, field

Pairs = list[tuple[bytes, bytes]]

SELECTED = (
    "accept", "accept-encoding", "cache-control", "if-none-match", "range", "if-range", "user-agent",
    "content-type", "authorization",
)  # fmt: skip
"""The request headers that are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """``path`` is percent-decoded; header names are lower-case."""

    method: str
    path: str
    pairs: Pairs = field(default_factory=list)
    body: bytes = b""

    def header(self, name: bytes) -> bytes | None:
        """The value, repeated headers joined by commas; None when it was not sent."""
        found = [value for key, value in self.pairs if key == name]
        return b", ".join(found) if found else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A request that was answered.

    ``kind`` is ``index``, ``page``, ``file``, ``metadata``, ``provenance``, ``json``, ``xmlrpc``,
    ``redirect``, ``refused`` (without a login) or ``unexpected`` (a path or method upstream has not).
    ``status`` is 0 where the connection was dropped without an answer, ``size`` the number of body bytes
    given to the network.
    """

    method: str
    path: str
    kind: str
    status: int
    size: int
    pairs: Pairs
    body: bytes = b""

    @property
    def headers(self) -> dict[str, str]:
        """The ``SELECTED`` headers that were sent, by lower-case name."""
        sent = {key.decode("latin-1"): value.decode("latin-1") for key, value in self.pairs}
        return {name: sent[name] for name in SELECTED if name in sent}

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status} ({self.kind}, {self.size} bytes)"


class RequestLog:
    """Every request since the start or the last ``reset``, in order of their answers' end."""

    def __init__(self) -> None:
        self._all: list[Recorded] = []

    def add(self, recorded: Recorded) -> None:
        self._all.append(recorded)

    def reset(self) -> None:
        self._all = []

    def of(self, kind: str | None = None) -> tuple[Recorded, ...]:
        """The requests of that kind, all without one."""
        return tuple(each for each in self._all if kind is None or each.kind == kind)

    def count(self, kind: str | None = None) -> int:
        return len(self._all) if kind is None else len(self.of(kind))

    @property
    def counts(self) -> dict[str, int]:
        """How many there were of each kind."""
        return dict(Counter(each.kind for each in self._all))

    @property
    def bytes_sent(self) -> int:
        return sum(each.size for each in self._all)

    @property
    def unexpected(self) -> tuple[Recorded, ...]:
        """Requests no client of the real index would make."""
        return self.of("unexpected")
