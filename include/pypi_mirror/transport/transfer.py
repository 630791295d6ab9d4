"""One request on one of libcurl's handles: how it is set up, what it gathers, what its end means."""

import asyncio
import os
from collections.abc import Callable
from typing import Final

import certifi
import pycurl

from pypi_mirror import __version__
from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.transport.messages import Head, Request, Response, read_head

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
OURS: Final = _NO_ADDRESS | {pycurl.E_WRITE_ERROR, _TOO_LARGE}


class Transfer:
    """One curl handle's current request: what came of the answer so far, and who waits for it."""

    __slots__ = (
        "body", "compressed", "error", "future", "hold", "lines", "max_bytes", "received", "refused", "sink",
        "status", "url",
    )  # fmt: skip

    def __init__(
        self, request: Request, url: str, future: "asyncio.Future[None]", hold: Callable[[int], bool] | None
    ) -> None:
        """``url`` is where redirects have led ``request``. ``hold`` is asked whether so many bytes, which
        came, have to wait; None where they never do."""
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
        """Only for a sink, or under a bandwidth: other bodies are collected, and bounded, without Python."""
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


def set_up(
    easy: pycurl.Curl, url: str, request: Request, transfer: Transfer, *, login: str | None = None
) -> None:
    """Ready ``easy``, new or used before, for ``request`` at ``url``; ``login`` is for Authorization."""
    easy.setopt(pycurl.URL, url)
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
    # Nothing of ours is called for an answer's lines and small bodies: at 20,000 answers a few seconds,
    # a Python function for each of their lines takes as long as all of libcurl.
    easy.setopt(pycurl.HEADERFUNCTION, transfer.lines.append)
    if request.sink is None and transfer.hold is None:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.body.append)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, max(request.max_bytes, _MAX_ERROR_BODY))
    else:
        easy.setopt(pycurl.WRITEFUNCTION, transfer.on_body)
        easy.setopt(pycurl.MAXFILESIZE_LARGE, 0)


def answer(transfer: Transfer, url: str) -> Response:
    """The whole answer to a request that came to its end; raises UpstreamError for one that is none."""
    body = b"".join(transfer.body)
    transfer.body.clear()  # the idle handle keeps the transfer until its next request
    if not (body or transfer.received or read_head(transfer.lines)[2]):
        # libcurl takes what came for a whole answer without a body.
        raise UpstreamUnavailable("the connection was lost in the head of the answer", url=url)
    if len(body) > transfer.limit:
        raise UpstreamMalformed(f"the body is larger than {transfer.limit} bytes", url=url)
    if transfer.status not in _WANTED:
        body = b""
    return Response(url=url, status=transfer.status, headers=Head(transfer.lines), body=body)


def translated(error: pycurl.error, transfer: Transfer, url: str) -> Exception:
    """What ended ``transfer``, in our words."""
    if transfer.error is not None:
        return transfer.error
    code, message = error.args
    if code == pycurl.E_COULDNT_CONNECT and transfer.refused is not None:
        return UpstreamMalformed(transfer.refused, url=url)
    if code == _TOO_LARGE or transfer.received > transfer.limit:
        return UpstreamMalformed(f"the body is larger than {transfer.limit} bytes; cut off", url=url)
    if code in _NO_ADDRESS:
        return UpstreamError(message, url=url)
    return UpstreamUnavailable(message, url=url)


def ca_bundle() -> str:
    """The file of certificate authorities that upstream's certificate must lead to."""
    named = (os.environ.get(variable) for variable in _CA_VARIABLES)
    return next(filter(None, named), None) or certifi.where()


def easy_handle(timeout: float, global_timeout: float, proxy: str | None) -> pycurl.Curl:
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
    easy.setopt(pycurl.TIMEOUT_MS, int(global_timeout * 1000))
    easy.setopt(pycurl.CAINFO, ca_bundle())
    if proxy is not None:
        easy.setopt(pycurl.PROXY, proxy)
    return easy
