"""What is asked and what comes back: requests, answers, and the protocol between them and the rest."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, Self

from msgspec import Struct

from pypi_mirror.transport.answers import parse_retry_after

# What a hundred pages and documents take is a tenth of it.
LIMIT: Final = 64 * 1024 * 1024

_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])")
_END_OF_HEAD: Final = frozenset({b"\r\n", b"\n"})


class Memory:
    """Counts the bytes of bodies in memory: those that come, and those whose answer somebody still has."""

    __slots__ = ("held", "limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.held = 0


class Hold:
    """A body's part of ``memory``, until nobody has its answer any more."""

    __slots__ = ("_memory", "_size")

    def __init__(self, memory: Memory, size: int) -> None:
        self._memory = memory
        self._size = size

    def __del__(self) -> None:
        self._memory.held -= self._size


class Sink(Protocol):
    """Takes the body of a 200 or 206 answer, chunk by chunk, as it arrives."""

    def start(self, status: int) -> None:
        """Called once before the first chunk; with 206 the body continues where the request's Range says."""
        ...

    def write(self, chunk: bytes, /) -> None: ...


class Request(Struct, frozen=True, kw_only=True):
    """A GET, or another ``method``; a POST has ``data``. ``max_bytes`` bounds the decoded body; a body that
    goes past it is cut off and refused.

    With a ``sink`` the body of a 200 or 206 goes there, without it into ``Response.body``. The body of any
    other answer is dropped, whatever its size: ``max_bytes`` is about what was asked for.
    ``compressed`` lets upstream compress the body on the way (pages, not package files). ``large`` is for
    bodies that take their time: some of what may run at once is kept free of them. ``timeout`` is the most
    seconds that it may take, redirects included, where that is less than the transport gives.
    """

    url: str
    method: str = "GET"
    data: bytes | None = None
    headers: tuple[str, ...] = ()
    sink: Sink | None = None
    max_bytes: int = 64 * 1024 * 1024
    compressed: bool = False
    large: bool = False
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: ``headers`` have lower-case names, ``url`` is the address after redirects."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    hold: Hold | None = field(default=None, repr=False, compare=False)

    @property
    def retry_after(self) -> float | None:
        """Seconds upstream asks us to wait, None when it names none."""
        return parse_retry_after(self.headers.get("retry-after", ""))


class Transport(Protocol):
    """Where bulk requests go; the fake in the tests answers from a dictionary."""

    requests: int

    async def get(self, request: Request) -> Response:
        """Answer ``request``, redirects followed.

        Raises UpstreamUnavailable when no whole answer came (connection, timeout), UpstreamMalformed when
        the body is larger than ``max_bytes`` or a redirect leads where no mirror should follow.
        """
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...


class Head(Mapping[str, str]):
    """An answer's headers by name, read from its lines when somebody asks for one; case does not count."""

    __slots__ = ("_fields", "_lines")

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        if self._fields is None:
            self._fields = read_head(self._lines)[1]
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(read_head(self._lines)[1])

    def __len__(self) -> int:
        return len(read_head(self._lines)[1])


def read_head(lines: list[bytes]) -> tuple[int, dict[str, str], bool]:
    """The status, the headers, and whether the head has come to its end.

    Of several heads the last counts (it comes after 100 Continue, say); trailers are left out.
    """
    status, fields, inside = 0, dict[str, str](), False
    for line in lines:
        if not inside:
            if (started := _STATUS_LINE.match(line)) is not None:
                status, fields, inside = int(started[1]), {}, True
        elif line in _END_OF_HEAD:
            inside = False
        else:
            name, colon, value = line.partition(b":")
            if colon:
                fields[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return status, fields, not inside
