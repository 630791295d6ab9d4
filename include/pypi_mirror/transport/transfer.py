"""One request on one of libcurl's handles: how it is set up, what it gathers, what its end means."""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import certifi
import pycurl

from pypi_mirror import __version__
from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.transport.messages import Head, Hold, Memory, Request, Response, read_head
from pypi_mirror.transport.proxies import Proxy
from pypi_mirror.transport.zones import AddressGuard

_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})

USER_AGENT: Final = f"pypi-mirror/{__version__} {pycurl.version.split(' ')[0]}"
# Where the bundle of certificate authorities is named, ours first; `requests` knows the other two.
_CA_VARIABLES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# Answers whose body was asked for.
_WANTED: Final = frozenset({200, 206})
# The body of an answer that is no success is read to its end, so that the connection can be used again,
# but not kept; and not when it has no end.
_MAX_ERROR_BODY: Final = 1024 * 1024
# Errors of libcurl that are not upstream's: a body that is too large or a sink that failed, an address.
_TOO_LARGE: Final = pycurl.E_FILESIZE_EXCEEDED
_NO_ADDRESS: Final = frozenset({pycurl.E_URL_MALFORMAT, pycurl.E_UNSUPPORTED_PROTOCOL})
_NO_CONNECTION: Final = frozenset(
    {pycurl.E_COULDNT_CONNECT, pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY}
)
OURS: Final = _NO_ADDRESS | {pycurl.E_WRITE_ERROR, _TOO_LARGE}


class Address(NamedTuple):
    """As libcurl has it: ``addr`` begins with the address as text."""

    family: int
    socktype: int
    protocol: int
    addr: tuple[str, int] | tuple[str, int, int, int]


class Opened:
    """A new socket, until libcurl has a descriptor of its own for it: pycurl duplicates this one."""

    __slots__ = ("_descriptor",)

    def __init__(self, address: Address) -> None:
        """Raises OSError when there are no more descriptors, or no sockets of this family."""
        made = socket.socket(address.family, address.socktype, address.protocol)
        self._descriptor = made.detach()

    def fileno(self) -> int:
        return self._descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


def refusal(address_guard: AddressGuard, url: str, address: Address) -> str | None:
    """Why the host of ``url`` must not be connected to at ``address``; None when it may be."""
    if address.family not in _FAMILIES:
        return f"leads to an address of the unknown family {address.family}"
    return address_guard.refusal(url, address.addr[0])


def keep_from_children(descriptor: int, _purpose: int) -> int:
    """For SOCKOPTFUNCTION: the duplicate would stay open in programs that we start."""
    os.set_inheritable(descriptor, False)
    return pycurl.SOCKOPT_OK  # type: ignore[no-any-return]


class Transfer:
    """One curl handle's current request: what came of the answer so far, and who waits for it."""

    __slots__ = (
        "alone", "body", "compressed", "crowded", "error", "future", "hold", "lines", "max_bytes", "memory",
        "proxied", "received", "refused", "sink", "size", "status", "timeout", "url",
    )  # fmt: skip

    def __init__(
        self,
        request: Request,
        url: str,
        future: "asyncio.Future[None]",
        hold: Callable[[int], bool] | None,
        *,
        memory: Memory,
        timeout: float,
        alone: bool,
    ) -> None:
        """``url`` is where redirects have led ``request``, ``timeout`` the seconds that are left for it.

        ``hold`` is asked whether so many bytes, which came, have to wait; None where they never do. A body
        that goes beyond ``memory`` is ``crowded``: it is dropped, to come again ``alone``.
        """
        self.memory = memory
        self.timeout = timeout
        self.alone = alone
        self.crowded = False
        self.proxied = False
        self.size = 0  # of the body in memory
        self.url = url
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
        self.refused: str | None = None  # why no connection was made to an address

    @property
    def limit(self) -> int:
        return self.max_bytes if self.status in _WANTED else _MAX_ERROR_BODY

    def on_body(self, chunk: bytes) -> int | None:
        if self.hold is not None and self.hold(len(chunk)):
            return pycurl.WRITEFUNC_PAUSE  # type: ignore[no-any-return]
        first = not self.received
        if first:
            self.status = read_head(self.lines)[0]
        self.received += len(chunk)
        if self.received > self.limit:
            return 0  # libcurl ends the transfer with E_WRITE_ERROR
        if self.status not in _WANTED:
            return None
        if self.sink is None:
            return self.collect(chunk)
        try:
            if first:
                self.sink.start(self.status)
            self.sink.write(chunk)
        except Exception as error:  # noqa: BLE001 - an exception cannot cross libcurl; `get` raises it again
            self.error = error
            return 0
        return None

    def collect(self, chunk: bytes) -> int | None:
        """For a body in memory: bounded by itself, and together with all the others."""
        size, memory = len(chunk), self.memory
        self.size += size
        memory.held += size
        if self.size > self.max_bytes and self.size > _MAX_ERROR_BODY:
            return 0
        if memory.held > memory.limit and memory.held > self.size and not self.alone:
            self.crowded = True
            return 0
        self.body.append(chunk)
        return None

    def drop(self) -> None:
        """Give the memory back: the idle handle keeps the transfer until its next request."""
        self.body.clear()
        self.memory.held -= self.size
        self.size = 0


def set_up(
    easy: pycurl.Curl, url: str, request: Request, transfer: Transfer, *, login: str | None = None
) -> None:
    """Ready ``easy``, new or used before, for ``request`` at ``url``; ``login`` is for Authorization."""
    easy.setopt(pycurl.URL, url)
    easy.setopt(pycurl.HTTPGET, 1)
    if request.data is not None:
        easy.setopt(pycurl.POST, 1)
        easy.setopt(pycurl.POSTFIELDS, request.data)
    elif request.method == "HEAD":
        easy.setopt(pycurl.NOBODY, 1)
    # The whole time, from looking the name up to the last byte, whatever comes in between.
    easy.setopt(pycurl.TIMEOUT_MS, max(1, int(transfer.timeout * 1000)))
    # A handle keeps its last request's options; an empty list would leave the old headers standing.
    headers = request.headers if login is None else (*request.headers, f"Authorization: {login}")
    if headers:
        easy.setopt(pycurl.HTTPHEADER, list(headers))
    else:
        easy.unsetopt(pycurl.HTTPHEADER)
    if request.compressed:
        easy.setopt(pycurl.ACCEPT_ENCODING, "gzip")
    else:
        easy.unsetopt(pycurl.ACCEPT_ENCODING)
    # Nothing of ours is called for an answer's lines: at 20,000 answers a few seconds, a Python function for
    # each of them takes as long as all of libcurl.
    easy.setopt(pycurl.HEADERFUNCTION, transfer.lines.append)
    if request.sink is None and transfer.hold is None:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.collect)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, max(request.max_bytes, _MAX_ERROR_BODY))
    else:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.on_body)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, 0)


def answer(transfer: Transfer, url: str) -> Response:
    """The whole answer to a request that came to its end; raises UpstreamError for one that is none."""
    body = b"".join(transfer.body)
    hold = Hold(transfer.memory, transfer.size) if transfer.size else None
    transfer.body.clear()
    transfer.size = 0  # the hold's from here on
    if not (body or transfer.received or read_head(transfer.lines)[2]):
        # libcurl takes what came for a whole answer without a body.
        raise UpstreamUnavailable("the connection was lost in the head of the answer", url=url)
    if len(body) > transfer.limit:
        raise UpstreamMalformed(f"the body is larger than {transfer.limit} bytes", url=url)
    if transfer.status not in _WANTED:
        body = b""
        hold = None
    return Response(url=url, status=transfer.status, headers=Head(transfer.lines), body=body, hold=hold)


def translated(error: pycurl.error, transfer: Transfer, url: str, system: int) -> Exception:
    """What ended ``transfer``, in our words; ``system`` is the operating system's number for it."""
    if transfer.error is not None:
        return transfer.error
    code, message = error.args
    if code == pycurl.E_COULDNT_CONNECT and transfer.refused is not None:
        return UpstreamMalformed(transfer.refused, url=url)
    if code == _TOO_LARGE or max(transfer.received, transfer.size) > transfer.limit:
        return UpstreamMalformed(f"the body is larger than {transfer.limit} bytes; cut off", url=url)
    if code in _NO_ADDRESS:
        return UpstreamError(message, url=url)
    if code == pycurl.E_BAD_CONTENT_ENCODING:
        return UpstreamUnavailable(f"the body cannot be read: {message}", url=url)
    if code in _NO_CONNECTION:
        reason = f"no connection: {os.strerror(system)}" if system else message
        return UpstreamUnavailable(reason, url=url, connected=False)
    if code == pycurl.E_OPERATION_TIMEDOUT:
        return UpstreamUnavailable(f"timed out: {message}", url=url)
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        message += "; name the file of a certificate authority of your own in SSL_CERT_FILE"
    return UpstreamUnavailable(message, url=url)


def ca_bundle() -> str:
    """The file or directory of certificate authorities that upstream's certificate must lead to."""
    named = (os.environ.get(variable) for variable in _CA_VARIABLES)
    return next(filter(None, named), None) or certifi.where()


def set_proxy(easy: pycurl.Curl, proxy: Proxy | None) -> None:
    """Send what ``easy`` asks through ``proxy``, or directly."""
    easy.setopt(pycurl.PROXY, "" if proxy is None else proxy.address)
    for option, value in (
        (pycurl.PROXYUSERNAME, None if proxy is None else proxy.user),
        (pycurl.PROXYPASSWORD, None if proxy is None else proxy.password),
    ):
        if value is None:
            easy.unsetopt(option)
        else:
            easy.setopt(option, value)


def easy_handle(timeout: float) -> pycurl.Curl:
    """A handle with what all requests share; times in seconds."""
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
    authorities = ca_bundle()
    for file, directory in ((pycurl.CAINFO, pycurl.CAPATH), (pycurl.PROXY_CAINFO, pycurl.PROXY_CAPATH)):
        easy.setopt(directory if Path(authorities).is_dir() else file, authorities)
    # Which proxy there is we say for each request; libcurl's own look at the environment is another one.
    easy.setopt(pycurl.PROXY, "")
    easy.setopt(pycurl.NOPROXY, "")
    return easy
