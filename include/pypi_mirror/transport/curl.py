"""Many requests at once over libcurl's multi interface, driven by asyncio."""

import asyncio
import logging
import select
import socket
from collections import deque
from functools import partial
from typing import Final, Self
from urllib.parse import urlsplit

import pycurl

from pypi_mirror.errors import UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.plain_text import without_secrets
from pypi_mirror.transport.answers import MAX_REDIRECTS, REDIRECTS, redirect_target
from pypi_mirror.transport.bandwidth import Bandwidth
from pypi_mirror.transport.concurrency import Controller, Gate
from pypi_mirror.transport.login import Logins
from pypi_mirror.transport.messages import Memory, Request, Response
from pypi_mirror.transport.proxies import Proxies
from pypi_mirror.transport.transfer import (
    OURS,
    Address,
    Opened,
    Transfer,
    answer,
    easy_handle,
    keep_from_children,
    refusal,
    set_proxy,
    set_up,
    translated,
)
from pypi_mirror.transport.zones import AddressGuard
from pypi_mirror.wording import count

log = logging.getLogger(__name__)

# Answers that ask for fewer requests at once: upstream, or what stands before it, has too much to do.
_TOO_MUCH: Final = frozenset({429, 502, 503, 504})
# So many of the requests that may run at once may be for large files: others need not wait hours for them.
_LARGE_SHARE: Final = 0.75
# Bytes a second that each of them should get: where the bandwidth is bounded, more at once only take longer.
_LARGE_RATE: Final = 250_000
# Seconds to look a name up that a proxy looks up again.
_LONGEST_LOOKUP: Final = 5
# libcurl's wishes about a socket in epoll's words.
_EVENTS: Final = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class _CrowdedError(Exception):
    """A body did not fit into the memory that all have together."""


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
        address_guard: AddressGuard | None = None,
        logins: Logins | None = None,
    ) -> None:
        """As many requests run at once as upstream takes without slowing down, ``workers`` at most.

        One that is silent for ``timeout`` seconds, or takes more than ``global_timeout`` seconds in all, is
        given up. ``bandwidth`` bounds the bytes of all answers together. Without ``allow_non_https`` no
        redirect leaves https. ``address_guard`` says where names may lead. Behind a proxy, of the settings or
        of the environment, they are looked up here, too, where that is possible.
        ``logins`` are for those addresses that they name, wherever redirects lead.
        """
        self.requests = 0
        self._received = 0
        self._allow_non_https = allow_non_https
        self._logins = logins
        self._concurrency = Controller(workers)
        self._gate = Gate(self._concurrency.limit)
        self._large_gate = Gate(_large_share(self._concurrency.limit, bandwidth))
        self._bandwidth = bandwidth
        self._held: deque[pycurl.Curl] = deque()
        self._resuming: asyncio.TimerHandle | None = None
        self._timeout = timeout
        self._global_timeout = global_timeout
        self._proxies = Proxies(proxy)
        self._address_guard = address_guard
        self._refusals: dict[str, str | None] = {}
        self._memory = Memory()
        self._crowd = asyncio.Lock()
        self._idle: list[pycurl.Curl] = []
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._multiplexed = True
        self._timer: asyncio.TimerHandle | None = None
        self._due: float | None = None
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
        now, most = self._concurrency.limit, self._concurrency.most
        if most > 1:
            log.info("%s; final concurrency %d of %d", count(self.requests, "request"), now, most)
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

    @property
    def received(self) -> int:
        """Bytes of bodies that have come so far; those of files also while they still come."""
        return self._received + sum(transfer.received for transfer in self._transfers.values())

    async def get(self, request: Request) -> Response:
        url = request.url
        given = self._global_timeout if request.timeout is None else request.timeout
        left = given
        for _ in range(MAX_REDIRECTS + 1):
            response, took = await self._in_turn(request, url, left)
            if request.method != "GET" or response.status not in REDIRECTS:
                return response
            if "location" not in response.headers:
                return response
            left -= took
            if left <= 0:
                raise UpstreamUnavailable(f"timed out: no whole answer in {given:g} seconds", url=url)
            url = redirect_target(url, response.headers["location"], allow_non_https=self._allow_non_https)
        raise UpstreamMalformed(
            f"more than {MAX_REDIRECTS} redirects, the last to {without_secrets(url)}", url=request.url
        )

    async def _in_turn(self, request: Request, url: str, left: float) -> tuple[Response, float]:
        large = self._large_gate if request.large else None
        if large is not None and not large.enter():
            await large.wait()
        try:
            if not self._gate.enter():
                await self._gate.wait()
            try:
                started = self._loop.time()
                try:
                    response = await self._get_once(request, url, left)
                except _CrowdedError:
                    # Those that did not fit into memory beside the others come again one by one.
                    async with self._crowd:
                        started = self._loop.time()
                        response = await self._get_once(request, url, left, alone=True)
                return response, self._loop.time() - started
            finally:
                self._gate.leave()
        finally:
            if large is not None:
                large.leave()

    async def _get_once(self, request: Request, url: str, left: float, *, alone: bool = False) -> Response:
        proxy = self._proxies.of(url) if self._proxies else None
        if proxy is not None and self._address_guard is not None:
            await self._check_name(self._address_guard, url)
        easy = self._idle.pop() if self._idle else self._one_more()
        bandwidth = self._bandwidth
        if bandwidth is not None and request.compressed:
            # How much came shows at the end of a compressed body, so such requests wait before.
            await bandwidth.is_paid()
        hold = None if bandwidth is None or request.compressed else partial(self._hold, bandwidth, easy)
        transfer = Transfer(
            request,
            url,
            self._loop.create_future(),
            hold,
            memory=self._memory,
            timeout=left,
            alone=alone,
        )
        login = None if self._logins is None else self._logins.header(url)
        set_up(easy, url, request, transfer, login=login)
        if self._proxies:
            set_proxy(easy, proxy)
            transfer.proxied = proxy is not None
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
                self._received += transfer.received
                self._multi.remove_handle(easy)
            transfer.drop()
            easy.close()
            raise
        except pycurl.error as error:
            # The future keeps the error, and its traceback our frame: a cycle, in which Python 3.12 keeps the
            # frames of callers too, with the bodies that they have.
            error.__traceback__ = None
            self._idle.append(easy)
            if transfer.crowded:
                transfer.drop()
                raise _CrowdedError from error
            failed = translated(error, transfer, url, easy.getinfo(pycurl.OS_ERRNO))
            transfer.drop()
            raise failed from error
        self._idle.append(easy)
        return answer(transfer, url)

    def _one_more(self) -> pycurl.Curl:
        easy = easy_handle(self._timeout)
        if self._address_guard is not None:
            # Called for a connection, not for a request, and by the handle that waits for the connection.
            easy.setopt(pycurl.OPENSOCKETFUNCTION, partial(self._open, self._address_guard, easy))
            easy.setopt(pycurl.SOCKOPTFUNCTION, keep_from_children)
        return easy

    async def _check_name(self, address_guard: AddressGuard, url: str) -> None:
        """UpstreamMalformed when a name leads inside as we see it; a proxy would go there for us.

        Where names cannot be looked up here, the proxy alone knows.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host not in self._refusals:
            try:
                async with asyncio.timeout(_LONGEST_LOOKUP):
                    found = await self._loop.getaddrinfo(host, parts.port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError, TimeoutError):
                found = []
            refusals = [address_guard.refusal(url, str(address[0])) for *_, address in found]
            self._refusals[host] = next(filter(None, refusals), None)
        refused = self._refusals[host]
        if refused is not None:
            raise UpstreamMalformed(refused, url=url)

    def _open(
        self, address_guard: AddressGuard, easy: pycurl.Curl, _purpose: int, address: Address
    ) -> Opened | int:
        """A socket for ``address``. Of several of a name, libcurl tries one after the other."""
        transfer = self._transfers[easy]
        # A proxy is where the administrator says.
        refused = None if transfer.proxied else refusal(address_guard, transfer.url, address)
        if refused is None:
            try:
                return Opened(address)
            except OSError as error:
                log.warning("%s: no socket: %s", transfer.url, error.strerror)
        else:
            transfer.refused = refused
        return pycurl.SOCKET_BAD  # type: ignore[no-any-return]

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
        # It is set twice a request and nearly always set again before it ends: a timer that ends too early is
        # left to itself, which looks then how long it still is.
        self._due = None if timeout_ms < 0 else self._loop.time() + timeout_ms / 1000
        if self._due is not None and (self._timer is None or self._due < self._timer.when()):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._due, self._on_timeout)

    def _on_timeout(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self._due > self._loop.time():
            self._timer = self._loop.call_at(self._due, self._on_timeout)
            return
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
        self._received += int(easy.getinfo(pycurl.SIZE_DOWNLOAD_T))
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

    def _learn(self, easy: pycurl.Curl, transfer: Transfer, error: pycurl.error | None) -> None:
        """Let the concurrency follow what became of a request; what we cut off ourselves says nothing."""
        if error is not None:
            if transfer.error is not None or transfer.refused is not None or error.args[0] in OURS:
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


def _large_share(limit: int, bandwidth: Bandwidth | None) -> int:
    share = int(limit * _LARGE_SHARE)
    return max(1, share if bandwidth is None else min(share, int(bandwidth.rate // _LARGE_RATE)))
