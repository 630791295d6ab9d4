"""Bulk HTTP: many small GETs at once over libcurl's multi interface, driven by asyncio.

A :class:`Transport` answers one :class:`Request` with one :class:`Response`; everything else (which
answers are good, what to try again, what to do with bytes) belongs to its callers. Connections are kept
and shared by all requests of a process; HTTP/2 is used where the server offers it over TLS.
"""

import asyncio
import os
import re
import select
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, Self

import certifi
import pycurl

from pypi_mirror import __version__
from pypi_mirror.answers import MAX_REDIRECTS, REDIRECTS, parse_retry_after, redirect_target
from pypi_mirror.bandwidth import Bandwidth
from pypi_mirror.concurrency import Controller, Gate
from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable

USER_AGENT: Final = f"pypi-mirror/{__version__} {pycurl.version.split(' ')[0]}"
# Where the bundle of certificate authorities is named, ours first; `requests` knows the other two.
_CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# The body of an answer that is no success is read to its end, so that the connection can be used again,
# but not kept; and not when it has no end.
_MAX_ERROR_BODY: Final = 1024 * 1024
# Answers that ask for fewer requests at once: upstream, or what stands before it, has too much to do.
_TOO_MUCH: Final = frozenset({429, 502, 503, 504})
# Errors of libcurl that are not upstream's: a body that is too large or a sink that failed, an address.
_TOO_LARGE: Final = pycurl.E_FILESIZE_EXCEEDED
_NO_ADDRESS: Final = frozenset({pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL})
_OURS: Final = _NO_ADDRESS | {pycurl.E_WRITE_ERROR, _TOO_LARGE}
# So many of the requests that may run at once may be for large files: others need not wait hours for them.
_LARGE_SHARE: Final = 0.75
# Bytes a second that each of them should get: where the bandwidth is bounded, more at once only take longer.
_LARGE_RATE: Final = 250_000
# Answers whose body was asked for.
_WANTED: Final = frozenset({200, 206})
_END_OF_HEAD: Final = frozenset({b"\r\n", b"\n"})
# libcurl's wishes about a socket in epoll's words.
_EVENTS: Final = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}
_STATUS_LINE: Final = re.compile(rb"HTTP/[0-9.]+ +([0-9]{3})(?![0-9])")


class Sink(Protocol):
    """Takes the body of a 200 or 206 answer, chunk by chunk, as it arrives."""

    def start(self, status: int) -> None:
        """Called once before the first chunk; with 206 the body continues where the request's Range says."""
        ...

    def write(self, chunk: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A GET. ``max_bytes`` bounds the decoded body; a body that goes past it is cut off and refused.

    With a ``sink`` the body of a 200 or 206 goes there, without it into ``Response.body``. The body of any
    other answer is dropped, whatever its size: ``max_bytes`` is about what was asked for.
    ``compressed`` lets upstream compress the body on the way (pages, not package files). ``large`` is for
    bodies that take their time: some of what may run at once is kept free of them.
    """

    url: str
    headers: tuple[str, ...] = ()
    sink: Sink | None = None
    max_bytes: int = 64 * 1024 * 1024
    compressed: bool = False
    large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back: ``headers`` have lower-case names, ``url`` is the address after redirects."""

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

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
    """An answer's headers by lower-case name, read from its lines when somebody asks for one."""

    __slots__ = ("_fields", "_lines")

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._fields: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        if self._fields is None:
            self._fields = _read_head(self._lines)[1]
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_read_head(self._lines)[1])

    def __len__(self) -> int:
        return len(_read_head(self._lines)[1])


def _read_head(lines: list[bytes]) -> tuple[int, dict[str, str], bool]:
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


class _Transfer:
    """One curl handle's current request: what came of the answer so far, and who waits for it."""

    __slots__ = (
        "body", "compressed", "error", "future", "hold", "lines", "max_bytes", "received", "sink", "status",
    )  # fmt: skip

    def __init__(
        self, request: Request, future: "asyncio.Future[None]", hold: Callable[[int], bool] | None
    ) -> None:
        """``hold`` is asked whether so many bytes, which came, have to wait; None where they never do."""
        self.future = future
        self.hold = hold
        self.compressed = request.compressed
        self.lines: list[bytes] = []
        self.body: list[bytes] = []
        self.sink = request.sink
        self.max_bytes = request.max_bytes
        self.status = 0
        self.received = 0
        self.error: Exception | None = None

    @property
    def limit(self) -> int:
        return self.max_bytes if self.status in _WANTED else _MAX_ERROR_BODY

    def on_body(self, chunk: bytes) -> int | None:
        """Only for a sink, or under a bandwidth: other bodies are collected, and bounded, without Python."""
        if self.hold is not None and self.hold(len(chunk)):
            return pycurl.WRITEFUNC_PAUSE  # type: ignore[no-any-return]
        first = not self.received
        if first:
            self.status = _read_head(self.lines)[0]
        self.received += len(chunk)
        if self.received > self.limit:
            return 0  # libcurl ends the transfer with E_WRITE_ERROR
        if self.status not in _WANTED:
            return None
        if self.sink is None:
            self.body.append(chunk)
            return None
        try:
            if first:
                self.sink.start(self.status)
            self.sink.write(chunk)
        except Exception as error:  # noqa: BLE001 - an exception cannot cross libcurl; `get` raises it again
            self.error = error
            return 0
        return None


class CurlTransport:
    """The real transport. One instance belongs to one event loop and is used as a context manager."""

    def __init__(
        self,
        *,
        workers: int,
        bandwidth: Bandwidth | None = None,
        timeout: float,
        global_timeout: float,
        proxy: str | None = None,
        allow_non_https: bool = False,
    ) -> None:
        """As many requests run at once as upstream takes without slowing down, ``workers`` at most.

        One that is silent for ``timeout`` seconds, or takes more than ``global_timeout`` seconds in all, is
        given up. ``bandwidth`` bounds the bytes of all answers together. Without ``allow_non_https`` no
        redirect leaves https.
        """
        self.requests = 0
        self._allow_non_https = allow_non_https
        self._concurrency = Controller(workers)
        self._gate = Gate(self._concurrency.limit)
        self._large_gate = Gate(_large_share(self._concurrency.limit, bandwidth))
        self._bandwidth = bandwidth
        self._held: deque[pycurl.Curl] = deque()
        self._resuming: asyncio.TimerHandle | None = None
        self._new_easy = partial(_easy_handle, timeout, global_timeout, proxy)
        self._idle: list[pycurl.Curl] = []
        self._transfers: dict[pycurl.Curl, _Transfer] = {}
        self._multiplexed = True
        self._timer: asyncio.Handle | None = None
        self._epoll = select.epoll()
        self._watched: set[int] = set()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, workers)
        self._multi.setopt(pycurl.M_MAXCONNECTS, workers * 2)
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._on_sockets)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for easy, transfer in list(self._transfers.items()):
            self._multi.remove_handle(easy)
            transfer.future.cancel()
        self._transfers.clear()
        for timer in (self._timer, self._resuming):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._multi.close()
        self._epoll.close()
        for easy in self._idle:
            easy.close()

    async def get(self, request: Request) -> Response:
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._in_turn(request, url)
            if response.status not in REDIRECTS or "location" not in response.headers:
                return response
            url = redirect_target(url, response.headers["location"], allow_non_https=self._allow_non_https)
        raise UpstreamMalformed(f"more than {MAX_REDIRECTS} redirects, the last to {url}", url=request.url)

    async def _in_turn(self, request: Request, url: str) -> Response:
        large = self._large_gate if request.large else None
        if large is not None and not large.enter():
            await large.wait()
        try:
            if not self._gate.enter():
                await self._gate.wait()
            try:
                return await self._get_once(request, url)
            finally:
                self._gate.leave()
        finally:
            if large is not None:
                large.leave()

    async def _get_once(self, request: Request, url: str) -> Response:
        easy = self._idle.pop() if self._idle else self._new_easy()
        bandwidth = self._bandwidth
        if bandwidth is not None and request.compressed:
            # How much came shows at the end of a compressed body, so such requests wait before.
            await bandwidth.is_paid()
        hold = None if bandwidth is None or request.compressed else partial(self._hold, bandwidth, easy)
        transfer = _Transfer(request, self._loop.create_future(), hold)
        _set_up(easy, url, request, transfer)
        # Only for HTTP/2 is it worth waiting for another request's connection: over HTTP/1.1, libcurl lets
        # those that wait go on one at a time, when others end, and a silent answer would hold them all up.
        easy.setopt(pycurl.PIPEWAIT, self._multiplexed and url.startswith("https:"))
        self._transfers[easy] = transfer
        self.requests += 1
        self._multi.add_handle(easy)
        try:
            await transfer.future
        except asyncio.CancelledError:
            if self._transfers.pop(easy, None) is not None:
                self._multi.remove_handle(easy)
            easy.close()
            raise
        except pycurl.error as error:
            self._idle.append(easy)
            raise self._translated(error, transfer, url) from error
        self._idle.append(easy)
        return _answer(transfer, url)

    @staticmethod
    def _translated(error: pycurl.error, transfer: _Transfer, url: str) -> Exception:
        if transfer.error is not None:
            return transfer.error
        code, message = error.args
        if code == _TOO_LARGE or transfer.received > transfer.limit:
            return UpstreamMalformed(f"the body is larger than {transfer.limit} bytes; cut off", url=url)
        if code in _NO_ADDRESS:
            return UpstreamError(message, url=url)
        return UpstreamUnavailable(message, url=url)

    # libcurl tells which sockets and which timer it waits for; asyncio waits and calls back. The sockets are
    # gathered under a descriptor of their own: libcurl changes its mind about one several times a request,
    # and asyncio's bookkeeping would take longer than the request.

    def _on_socket(self, what: int, fd: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            self._epoll.unregister(fd)
        elif fd in self._watched:
            self._epoll.modify(fd, _EVENTS[what])
        else:
            self._watched.add(fd)
            self._epoll.register(fd, _EVENTS[what])

    def _on_sockets(self) -> None:
        for fd, events in self._epoll.poll(0):
            # What was done for another socket may have closed this one.
            if fd in self._watched:
                ready = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
                if events & ~select.EPOLLOUT:
                    ready |= pycurl.CSELECT_IN
                self._multi.socket_action(fd, ready)
        self._collect()

    def _on_timer(self, timeout_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if timeout_ms == 0:
            self._timer = self._loop.call_soon(self._on_timeout)
        elif timeout_ms > 0:
            self._timer = self._loop.call_later(timeout_ms / 1000, self._on_timeout)

    def _on_timeout(self) -> None:
        self._timer = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()

    def _collect(self) -> None:
        more = 1
        while more:
            more, finished, failed = self._multi.info_read()
            for easy in finished:
                self._end(easy, None)
            for easy, code, message in failed:
                self._end(easy, pycurl.error(code, message))

    def _end(self, easy: pycurl.Curl, error: pycurl.error | None) -> None:
        transfer = self._transfers.pop(easy)
        transfer.status = easy.getinfo(pycurl.RESPONSE_CODE)
        if transfer.status and easy.getinfo(pycurl.INFO_HTTP_VERSION) < pycurl.CURL_HTTP_VERSION_2:
            self._multiplexed = False
        if self._bandwidth is not None:
            # What did not pass through `_hold`: the head, and a compressed body in the size that it came in.
            body = easy.getinfo(pycurl.SIZE_DOWNLOAD_T) if transfer.compressed else 0
            self._bandwidth.take(int(body) + easy.getinfo(pycurl.HEADER_SIZE))
        self._learn(easy, transfer, error)
        self._multi.remove_handle(easy)
        if transfer.future.done():
            return
        if error is None:
            transfer.future.set_result(None)
        else:
            transfer.future.set_exception(error)

    def _learn(self, easy: pycurl.Curl, transfer: _Transfer, error: pycurl.error | None) -> None:
        """Let the concurrency follow what became of a request; what we cut off ourselves says nothing."""
        if error is not None:
            if transfer.error is not None or error.args[0] in _OURS:
                return
            changed = self._concurrency.refused()
        elif transfer.status in _TOO_MUCH:
            changed = self._concurrency.refused()
        else:
            # From the moment the request could be sent: connecting is no sign of a queue.
            delay = easy.getinfo(pycurl.STARTTRANSFER_TIME) - easy.getinfo(pycurl.PRETRANSFER_TIME)
            changed = self._concurrency.answered(delay, waiting=self._gate.waiting)
        if changed:
            self._gate.resize(self._concurrency.limit)
            self._large_gate.resize(_large_share(self._concurrency.limit, self._bandwidth))

    # Where the bandwidth is bounded, libcurl keeps bytes for us until it is their turn, and upstream sees a
    # slow reader.

    def _hold(self, bandwidth: Bandwidth, easy: pycurl.Curl, size: int) -> bool:
        """Whether ``size`` bytes that came for ``easy`` have to wait; else they are taken."""
        wait = bandwidth.wait()
        if not wait:
            bandwidth.take(size)
            return False
        self._held.append(easy)
        if self._resuming is None:
            self._resuming = self._loop.call_later(wait, self._resume, bandwidth)
        return True

    def _resume(self, bandwidth: Bandwidth) -> None:
        """Let go on what waits, in turn, as far as the bandwidth goes."""
        self._resuming = None
        for _ in range(len(self._held)):
            if bandwidth.wait():
                break
            easy = self._held.popleft()
            if easy in self._transfers:
                try:
                    # Comes back with the bytes it was held with, or asks to be held again.
                    easy.pause(pycurl.PAUSE_CONT)
                except pycurl.error as error:
                    self._end(easy, error)
        if self._held and self._resuming is None:
            self._resuming = self._loop.call_later(bandwidth.wait(), self._resume, bandwidth)


def _set_up(easy: pycurl.Curl, url: str, request: Request, transfer: _Transfer) -> None:
    easy.setopt(pycurl.URL, url)
    # A handle keeps its last request's options; an empty list would leave the old headers standing.
    if request.headers:
        easy.setopt(pycurl.HTTPHEADER, list(request.headers))
    else:
        easy.unsetopt(pycurl.HTTPHEADER)
    if request.compressed:
        easy.setopt(pycurl.ACCEPT_ENCODING, "gzip")
    else:
        easy.unsetopt(pycurl.ACCEPT_ENCODING)
    # Nothing of ours is called for an answer's lines and small bodies: at 20,000 answers a few seconds,
    # a Python function for each of their lines takes as long as all of libcurl.
    easy.setopt(pycurl.HEADERFUNCTION, transfer.lines.append)
    if request.sink is None and transfer.hold is None:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.body.append)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, max(request.max_bytes, _MAX_ERROR_BODY))
    else:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.on_body)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, 0)


def _answer(transfer: _Transfer, url: str) -> Response:
    """The whole answer to a request that came to its end; raises UpstreamError for one that is none."""
    body = b"".join(transfer.body)
    transfer.body.clear()  # the idle handle keeps the transfer until its next request
    if not (body or transfer.received or _read_head(transfer.lines)[2]):
        # libcurl takes what came for a whole answer without a body.
        raise UpstreamUnavailable("the connection was lost in the head of the answer", url=url)
    if len(body) > transfer.limit:
        raise UpstreamMalformed(f"the body is larger than {transfer.limit} bytes", url=url)
    if transfer.status not in _WANTED:
        body = b""
    return Response(url=url, status=transfer.status, headers=Head(transfer.lines), body=body)


def _large_share(limit: int, bandwidth: Bandwidth | None) -> int:
    share = int(limit * _LARGE_SHARE)
    return max(1, share if bandwidth is None else min(share, int(bandwidth.rate // _LARGE_RATE)))


def ca_bundle() -> str:
    """The file of certificate authorities that upstream's certificate must lead to."""
    named = (os.environ.get(variable) for variable in _CA_VARIABLES)
    return next(filter(None, named), None) or certifi.where()


def _easy_handle(timeout: float, global_timeout: float, proxy: str | None) -> pycurl.Curl:
    easy = pycurl.Curl()
    easy.setopt(pycurl.USERAGENT, USER_AGENT)
    easy.setopt(pycurl.NOSIGNAL, 1)
    easy.setopt(pycurl.FOLLOWLOCATION, 0)  # `get` follows, so that every address is checked
    easy.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    easy.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
    easy.setopt(pycurl.TCP_KEEPALIVE, 1)
    easy.setopt(pycurl.BUFFERSIZE, 256 * 1024)
    easy.setopt(pycurl.CONNECTTIMEOUT_MS, int(timeout * 1000))
    easy.setopt(pycurl.LOW_SPEED_LIMIT, 1)
    easy.setopt(pycurl.LOW_SPEED_TIME, max(1, int(timeout)))
    easy.setopt(pycurl.TIMEOUT_MS, int(global_timeout * 1000))
    easy.setopt(pycurl.CAINFO, ca_bundle())
    if proxy is not None:
        easy.setopt(pycurl.PROXY, proxy)
    return easy
