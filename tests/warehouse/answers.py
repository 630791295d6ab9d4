"""HTTP answers with upstream's headers, and the rules of negotiation and conditional requests."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

Headers = tuple[tuple[bytes, bytes], ...]

CORS: Headers = (
    (b"Access-Control-Allow-Origin", b"*"),
    (
        b"Access-Control-Allow-Headers",
        b"Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Unmodified-Since",
    ),
    (b"Access-Control-Allow-Methods", b"GET"),
    (b"Access-Control-Max-Age", b"86400"),
    (b"Access-Control-Expose-Headers", b"X-PyPI-Last-Serial"),
)
VARY_ENCODING: Headers = ((b"Vary", b"Accept-Encoding"),)
VARY_ACCEPT: Headers = ((b"Vary", b"Accept, Accept-Encoding"),)

# What a 304 repeats of the 200 (RFC 9110, section 15.4.5): everything but what describes the body.
_OF_THE_BODY = frozenset({b"content-type", b"content-length", b"content-encoding"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FileSlice:
    """The bytes of a file on disk from ``start`` up to, not including, ``stop``."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(len(self))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer; ``body`` is what a GET gets, the server drops it for HEAD."""

    status: int
    headers: Headers
    body: bytes | FileSlice = b""

    def header(self, name: bytes) -> bytes | None:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def with_headers(self, **changed: bytes) -> "Answer":
        """Replaces or adds headers; an underscore in a keyword stands for a hyphen."""
        new = {key.replace("_", "-").encode(): value for key, value in changed.items()}
        lowered = {key.lower() for key in new}
        kept = tuple((key, value) for key, value in self.headers if key.lower() not in lowered)
        return replace(self, headers=kept + tuple(new.items()))

    def with_body(self, body: bytes) -> "Answer":
        """Another body with the length that belongs to it."""
        return replace(self, body=body).with_headers(Content_Length=b"%d" % len(body))


def answer(status: int, content_type: bytes, body: bytes, *more: Headers) -> Answer:
    headers: Headers = ((b"Content-Type", content_type), (b"Content-Length", b"%d" % len(body)))
    return Answer(status=status, headers=sum(more, headers), body=body)


def page(content_type: bytes, body: bytes, *, serial: int | None, max_age: int, vary: Headers) -> Answer:
    """A 200 that caches may keep: CORS, the serial, the ETag over the body."""
    serials = () if serial is None else ((b"X-PyPI-Last-Serial", b"%d" % serial),)
    caching = ((b"Cache-Control", b"max-age=%d, public" % max_age), (b"ETag", etag(body)))
    return answer(200, content_type, body, CORS, serials, caching, vary)


def etag(body: bytes) -> bytes:
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    return b'"%s"' % base64.b64encode(digest).rstrip(b"=")


def moved(location: str, path: str, *more: Headers) -> Answer:
    """A 301 from an address to ``location``, which the body calls ``path``."""
    body = (
        "<html>\n <head>\n  <title>301 Moved Permanently</title>\n </head>\n <body>\n"
        "  <h1>301 Moved Permanently</h1>\n"
        f"  The resource has been moved to {path}; you should be redirected automatically.\n"
        "\n\n </body>\n</html>"
    ).encode()
    answered = answer(301, b"text/html; charset=UTF-8", body)
    return replace(answered, headers=((b"Location", location.encode()), *sum(more, ()), *answered.headers))


NO_PAGE = answer(404, b"text/plain; charset=UTF-8", b"404 Not Found", CORS, VARY_ENCODING)
NO_JSON = answer(404, b"application/json", b'{"message": "Not Found"}', CORS, VARY_ENCODING)
NOT_FOUND = answer(
    404,
    b"text/html; charset=UTF-8",
    b'<!DOCTYPE html>\n<html lang="en"><head><title>Not found</title></head><body>404</body></html>\n',
    CORS,
    VARY_ENCODING,
)

# A file server's answer to a POST.
NOT_ALLOWED = answer(405, b"text/html", b"<html><body>405 Not Allowed</body></html>\n")


def compressed(plain: Answer) -> Answer:
    """The gzip variant with an ETag of its own; the answer itself where that is not smaller."""
    assert isinstance(plain.body, bytes)
    body = gzip.compress(plain.body, mtime=0)
    if len(body) > len(plain.body):
        return plain
    smaller = plain.with_body(body).with_headers(Content_Encoding=b"gzip")
    return smaller.with_headers(ETag=etag(body)) if plain.header(b"ETag") else smaller


def accepts_gzip(accept_encoding: bytes) -> bool:
    for element in accept_encoding.lower().split(b","):
        coding, _, parameter = element.partition(b";")
        if coding.strip() == b"gzip":
            return _quality(parameter) > 0
    return False


def none_match(header: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names the tag, so that the answer is 304 (RFC 9110, section 13.1.2)."""
    if header.strip() == b"*":
        return True
    return tag in {each.strip().removeprefix(b"W/") for each in header.split(b",")}


def not_modified(whole: Answer) -> Answer:
    kept = tuple((key, value) for key, value in whole.headers if key.lower() not in _OF_THE_BODY)
    return Answer(status=304, headers=kept)


def negotiate(accept: bytes | None, offers: Sequence[bytes]) -> bytes | None:
    """The offer the client likes best, the first of equals; None when it accepts none of them.

    A more specific range decides over a wider one (RFC 9110, section 12.5.1); without a header all are alike.
    """
    if not accept:
        return offers[0]
    ranges: dict[bytes, float] = {}
    for element in accept.lower().split(b","):
        media, _, parameters = element.partition(b";")
        ranges.setdefault(media.strip(), _quality(parameters))
    best, best_quality = None, 0.0
    for offer in offers:
        wide = offer.partition(b"/")[0] + b"/*"
        quality = next((ranges[each] for each in (offer, wide, b"*/*") if each in ranges), 0.0)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _quality(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        key, _, value = parameter.partition(b"=")
        if key.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
