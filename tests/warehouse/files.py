"""The file host: files and their ``.metadata``, immutable, with ranges, as nginx serves them."""

import re
from email.utils import format_datetime
from pathlib import Path

from tests.warehouse.answers import Answer, FileSlice, Headers, answer
from tests.warehouse.model import File

_FOREVER: Headers = ((b"Cache-Control", b"max-age=365000000, immutable, public"),)
_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")

NO_FILE = answer(
    404,
    b"text/html",
    b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>404 Not Found</body>\r\n</html>\r\n",
)


def serve_file(file: File, *, range_: bytes | None, if_range: bytes | None) -> Answer:
    """200, 206 for a single satisfiable range (RFC 9110, section 14), 416 for one that is not.

    ``if_range`` holds an ETag or a date; the range only counts when it still fits.
    """
    content = file.distribution.content()
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    validators = _validators(file, size)
    if range_ is not None and (if_range is None or if_range in {value for _, value in validators}):
        found = _RANGE.fullmatch(range_.strip())
        if found is not None and (found[1] or found[2]):
            return _partial(content, size, validators, found[1], found[2])
    headers: Headers = (*_described(size), *validators, *_FOREVER, (b"Accept-Ranges", b"bytes"))
    return Answer(status=200, headers=headers, body=_slice(content, 0, size))


def serve_metadata(file: File) -> Answer:
    """The wheel's METADATA, at the wheel's address with ``.metadata`` (PEP 658)."""
    body = file.distribution.core_metadata()
    date, tag = _validators(file, len(body))
    headers: Headers = (
        *_described(len(body)),
        date,
        (b"Vary", b"Accept-Encoding"),
        tag,
        *_FOREVER,
        (b"Accept-Ranges", b"bytes"),
    )
    return Answer(status=200, headers=headers, body=body)


def _partial(content: bytes | Path, size: int, validators: Headers, first: bytes, last: bytes) -> Answer:
    start = int(first) if first else max(size - int(last), 0)
    stop = min(int(last) + 1, size) if first and last else size
    if start >= stop:
        body = b"<html>\r\n<head><title>416 Requested Range Not Satisfiable</title></head>\r\n</html>\r\n"
        return answer(416, b"text/html", body, ((b"Content-Range", b"bytes */%d" % size),))
    headers: Headers = (
        *_described(stop - start),
        *validators,
        *_FOREVER,
        (b"Content-Range", b"bytes %d-%d/%d" % (start, stop - 1, size)),
    )
    return Answer(status=206, headers=headers, body=_slice(content, start, stop))


def _slice(content: bytes | Path, start: int, stop: int) -> bytes | FileSlice:
    if isinstance(content, Path):
        return FileSlice(path=content, start=start, stop=stop)
    return content[start:stop]


def _described(length: int) -> Headers:
    return (b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"%d" % length)


def _validators(file: File, size: int) -> Headers:
    """nginx's ETag: the time and the size in hexadecimal."""
    tag = b'"%x-%x"' % (int(file.upload_time.timestamp()), size)
    date = format_datetime(file.upload_time, usegmt=True).encode()
    return (b"Last-Modified", date), (b"ETag", tag)
