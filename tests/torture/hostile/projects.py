"""Hostile projects: each a page with a good file, and a bad part that must cost nothing but itself.

The good file is yanked in the same breath. Whatever else is wrong, our page says so, unless the whole page
cannot be read.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tests.torture.hostile.honest import content, document, file
from tests.torture.hostile.server import JSON, Answer, endless, page

# A host that is link-local: nothing answers there, and no upstream may send a mirror to look.
INSIDE = "http://169.254.169.254/latest/meta-data/"
_NOT_INSIDE = "an internal address"
SCRIPT = "\"'><script>alert(1)</script>"
_GIB = 1 << 30


# What the good file is yanked for.
YANKED = "broken"


class Cost(Enum):
    """What a bad part costs its project. All but NOTHING has to be named."""

    PAGE = "the page: what was served stays"
    FILE = "its file"
    VALUE = "a value of its file or of the page"
    NOTHING = "nothing"
    AT_MOST_VALUE = "a value or nothing: read tolerantly or dropped"
    AT_MOST_FILE = "its file, a value, or nothing: a text that is merely ugly is carried on, escaped"
    ANYTHING = "the page or less"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """``answers`` makes what the upstream says, of the project's name and a path outside the mirror.

    ``reason`` is in what is said of it, where that could be refused for a lesser reason. ``alone`` is for
    what is about memory: it gets a run of its own, and lists no good file.
    """

    name: str
    answers: Callable[[str, str], dict[str, Answer]]
    costs: Cost = Cost.FILE
    reason: str = ""
    alone: bool = False


def good_file(project: str) -> str:
    return f"{project.replace('-', '_')}-0.9.tar.gz"


def before(project: str) -> dict[str, Answer]:
    """The project before anything is wrong with it."""
    return listing(project, meta={"api-version": "1.4", "_last-serial": 6}, yanked=False)


def listing(project: str, *entries: Any, yanked: bool | str = YANKED, **changes: Any) -> dict[str, Answer]:
    """A page of the good file and of ``entries``, and the good file."""
    good = file(good_file(project), yanked=yanked)
    return {
        f"/simple/{project}/": page(document(project, good, *entries, **changes)),
        f"/files/{good_file(project)}": Answer(body=content(good_file(project))),
    }


def page_is(answer: Answer) -> Callable[[str, str], dict[str, Answer]]:
    return lambda project, outside: {f"/simple/{project}/": answer}


def _raw(body: bytes, **more: Any) -> Callable[[str, str], dict[str, Answer]]:
    """The page is ``body``, in which PROJECT stands for the name, GOOD and LINK for the good file.

    The file of ``_ENTRY`` is there.
    """

    def answers(project: str, outside: str) -> dict[str, Answer]:
        name = good_file(project)
        link = f'<a href="../../files/{name}" data-yanked="{YANKED}">{name}</a>'
        said = body.replace(b"PROJECT", project.encode()).replace(b"LINK", link.encode())
        said = said.replace(b"GOOD", json.dumps(file(name, yanked=YANKED)).encode())
        return listing(project) | {
            f"/simple/{project}/": Answer(body=said, **more),
            "/files/x-1.0.tar.gz": Answer(body=content("x-1.0.tar.gz")),
        }

    return answers


def _named(filename: str) -> Callable[[str, str], dict[str, Answer]]:
    """A file of that name; OUTSIDE in it stands for a directory beside the mirror."""

    def answers(project: str, outside: str) -> dict[str, Answer]:
        body = content(project)
        entry = file(filename.replace("OUTSIDE", outside), body, url=f"../../files/{project}.bin")
        return listing(project, entry) | {f"/files/{project}.bin": Answer(body=body)}

    return answers


def with_file(
    answer: Answer | None = None,
    page_changes: dict[str, Any] | None = None,
    entry: dict[str, Any] | None = None,
    **more: Any,
) -> Callable[[str, str], dict[str, Answer]]:
    """A file that is right but for ``entry`` and ``more``; ``answer`` is what comes when it is asked for.

    FILENAME in a text stands for the name of the file.
    """

    def answers(project: str, outside: str) -> dict[str, Answer]:
        filename = f"{project.replace('-', '_')}-1.0.tar.gz"
        changed = json.loads(json.dumps((entry or {}) | more).replace("FILENAME", filename))
        return listing(project, file(filename, **changed), **(page_changes or {})) | {
            f"/files/{filename}": answer or Answer(body=content(filename))
        }

    return answers


def sidecar(suffix: str, answer: Answer, **entry: Any) -> Callable[[str, str], dict[str, Answer]]:
    """A file that is right, with a sidecar that is not."""

    def answers(project: str, outside: str) -> dict[str, Answer]:
        filename = f"{project.replace('-', '_')}-1.0.tar.gz"
        said = with_file(**entry)(project, outside)
        return said | {f"/files/{filename}{suffix}": answer}

    return answers


def away(location: bytes, status: int = 302) -> Answer:
    return Answer(status=status, headers=(b"Location: " + location,))


def _twice(project: str, outside: str) -> dict[str, Answer]:
    name = f"{project.replace('-', '_')}-1.0.tar.gz"
    other = file(name, b"other bytes", url="../../files/other.bin")
    return with_file()(project, outside) | {
        **listing(project, file(name), other),
        "/files/other.bin": Answer(body=b"other bytes"),
    }


def _gzipped(block: bytes, size: int) -> Answer:
    """``size`` bytes of ``block`` over and over, packed."""

    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(9, wbits=31)
        for _ in range(size // len(block)):
            if piece := packer.compress(block):
                yield piece
        yield packer.flush()

    return Answer(headers=(b"Content-Encoding: gzip",), stream=pieces)


def _many_files(number: int) -> Iterator[bytes]:
    head, tail = json.dumps(document("PROJECT")).split('"files": []')
    yield head.encode() + b'"files": ['
    for start in range(0, number, 1000):
        entries = (
            {"filename": f"a-{n}.zip", "url": f"a{n}", "hashes": {}} for n in range(start, start + 1000)
        )
        yield b",".join(json.dumps(each).encode() for each in entries) + b","
    yield b'{"filename": "b-1.zip", "url": "b", "hashes": {}}]' + tail.encode()


def _streamed(pieces: Callable[[], Iterator[bytes]], content_type: str = JSON) -> Any:
    def answers(project: str, outside: str) -> dict[str, Answer]:
        def stream() -> Iterator[bytes]:
            for piece in pieces():
                yield piece.replace(b"PROJECT", project.encode())

        return {f"/simple/{project}/": Answer(stream=stream, content_type=content_type)}

    return answers


def _around(before: bytes, block: bytes, number: int, after: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield before
        whole = block * 1000
        for _ in range(number // 1000):
            yield whole
        yield after

    return pieces


_META = b'{"meta": {"api-version": "1.4"}, "name": "PROJECT", '
_ENTRY = json.dumps(file("x-1.0.tar.gz")).encode()
_HTML = "text/html"

FILE_NAMES: tuple[tuple[str, str, Cost], ...] = (
    ("a file name that climbs", f"{'../' * 6}outside/pwned.tar.gz", Cost.FILE),
    ("a file name that climbs from within", f"a/{'../' * 7}outside/pwned.tar.gz", Cost.FILE),
    ("an absolute file name", "OUTSIDE/pwned.tar.gz", Cost.FILE),
    ("backslashes in a file name", "..\\..\\outside\\pwned.tar.gz", Cost.FILE),
    ("a drive in a file name", "C:\\pwned.tar.gz", Cost.FILE),
    ("a file name of dots", "..", Cost.FILE),
    ("no file name", "", Cost.FILE),
    ("a hidden file", ".htaccess", Cost.FILE),
    ("a temporary file's name", ".tmp-x-1.0.tar.gz.part", Cost.FILE),
    ("NUL in a file name", "x-1.0\0.tar.gz", Cost.FILE),
    ("a line end in a file name", "x-1.0\r\nX-Evil: 1.tar.gz", Cost.FILE),
    ("escape codes in a file name", "\x1b[2Jx-1.0.tar.gz", Cost.FILE),
    ("text that turns round in a file name", "x-1.0\u202ezg.rat", Cost.FILE),
    ("an overlong file name", f"{'x' * 5000}-1.0.tar.gz", Cost.FILE),
    ("a file name of 221 bytes", f"{'x' * 210}-1.0.tar.gz", Cost.NOTHING),
    ("half a surrogate in a file name", "x-\ud800-1.0.tar.gz", Cost.FILE),
    ("another file's metadata", "x-1.0.tar.gz.metadata", Cost.FILE),
    ("another file's provenance", "x-1.0.tar.gz.provenance", Cost.FILE),
    ("an element in a file name", "<script>alert(1)<script>-1.0.tar.gz", Cost.FILE),
    ("a double quote in a file name", 'x"onmouseover="alert(1)-1.0.tar.gz', Cost.FILE),
    ("a single quote in a file name", "x'onclick='y'-1.0.tar.gz", Cost.AT_MOST_FILE),
    ("references in a file name", "x&lt;script&gt;-1.0.tar.gz", Cost.AT_MOST_FILE),
    ("percent signs in a file name", "%2e%2e%2f%2e%2e%2fpwned.tar.gz", Cost.AT_MOST_FILE),
    ("a question mark in a file name", "x-1.0.tar.gz?y=1", Cost.FILE),
    ("a number sign in a file name", "x#sha256=00-1.0.tar.gz", Cost.AT_MOST_FILE),
)

NAMES: tuple[Case, ...] = tuple(
    Case(name=what, answers=_named(filename), costs=costs) for what, filename, costs in FILE_NAMES
)

# The escape in one of them: nobody but libcurl takes it for an address; what it connects to is looked at.
URLS: tuple[tuple[str, str, str], ...] = (
    ("file: on a page", "file:///etc/passwd", ""),
    ("ftp: on a page", "ftp://127.0.0.1/x.tar.gz", ""),
    ("gopher: on a page", "gopher://127.0.0.1:25/x", ""),
    ("data: on a page", "data:text/plain,hello", ""),
    ("javascript: on a page", "javascript:alert(1)", ""),
    ("a password in an address", "http://user:secret@127.0.0.1/x.tar.gz", ""),
    ("backslashes in an address", "http:\\\\127.0.0.1\\x.tar.gz", ""),
    ("a line end in an address", "../../files/x\r\nX-Evil: 1", ""),
    ("half an address", "//[::1", ""),
    ("a port that is none", "http://127.0.0.1:99999/x.tar.gz", ""),
    ("a link-local address on a page", INSIDE, _NOT_INSIDE),
    ("a link-local address as a number", "http://2852039166/latest/", _NOT_INSIDE),
    ("a link-local address in hexadecimal", "http://0xa9fea9fe/latest/", _NOT_INSIDE),
    ("a link-local address within IPv6", "http://[::ffff:169.254.169.254]/latest/", _NOT_INSIDE),
    ("a link-local address with an escape", "http://169.254.169%2e254/latest/", _NOT_INSIDE),
    ("a multicast address on a page", "http://224.0.0.1/x.tar.gz", _NOT_INSIDE),
    ("an address that climbs", "../../packages/../../../../etc/passwd", ""),
)

ADDRESSES: tuple[Case, ...] = (
    *(Case(name=what, answers=with_file(url=url), reason=reason) for what, url, reason in URLS),
    Case(
        name="a file that redirects to file:",
        answers=with_file(away(b"file:///etc/passwd")),
    ),
    Case(name="a file that redirects to ftp:", answers=with_file(away(b"ftp://127.0.0.1/x"))),
    Case(
        name="a file that redirects to link-local",
        answers=with_file(away(INSIDE.encode())),
        reason=_NOT_INSIDE,
    ),
    Case(
        name="a redirect without a scheme",
        answers=with_file(away(b"//169.254.169.254/latest/")),
        reason=_NOT_INSIDE,
    ),
    Case(name="a redirect with a password", answers=with_file(away(b"http://u:p@127.0.0.1/x"))),
    Case(name="a redirect of control characters", answers=with_file(away(b"/files/\x01\x02\x7f"))),
    Case(name="a redirect that climbs", answers=with_file(away(b"/../../../../etc/passwd"))),
    Case(
        name="a redirect to itself",
        answers=lambda project, outside: with_file(
            away(f"/files/{project.replace('-', '_')}-1.0.tar.gz".encode())
        )(project, outside),
    ),
    Case(
        name="a page that redirects to file:", costs=Cost.PAGE, answers=page_is(away(b"file:///etc/passwd"))
    ),
    Case(
        name="a page that redirects to link-local",
        costs=Cost.PAGE,
        answers=page_is(away(INSIDE.encode())),
        reason=_NOT_INSIDE,
    ),
    Case(
        name="a page that redirects to another project's",
        costs=Cost.PAGE,
        answers=page_is(away(b"/simple/honest-a/")),
    ),
)

FILES: tuple[Case, ...] = (
    Case(name="a shorter file than announced", answers=with_file(size=5000)),
    Case(name="a longer file than announced", answers=with_file(size=5)),
    Case(name="a file without an end", answers=with_file(Answer(stream=endless(b"x" * 65536)))),
    Case(
        name="a file without an end and without a size",
        answers=with_file(Answer(stream=endless(b"x" * 4096, pause=0.01)), size=None),
    ),
    Case(name="other bytes than announced", answers=with_file(hashes={"sha256": "0" * 64})),
    Case(name="a digest that is a path", answers=with_file(hashes={"sha256": "../../../../outside/pwned"})),
    Case(name="a digest that is too short", answers=with_file(hashes={"sha256": "00"})),
    Case(name="an algorithm that is markup", answers=with_file(hashes={SCRIPT: "00", "sha256": "0" * 64})),
    Case(name="a negative size", costs=Cost.VALUE, answers=with_file(size=-1)),
    Case(name="a size of 2^80", answers=with_file(size=2**80)),
    Case(name="a size of 2^40 + 1", answers=with_file(size=2**40 + 1)),
    Case(name="a size of one exabyte less one", answers=with_file(size=10**18 - 1)),
    Case(name="one file twice, two digests", answers=_twice),
    Case(
        name="metadata with another digest",
        costs=Cost.VALUE,
        answers=sidecar(
            ".metadata",
            Answer(body=b"Metadata-Version: 2.1\nName: x\n"),
            entry={"core-metadata": {"sha256": "0" * 64}},
        ),
    ),
    Case(
        name="metadata that is none",
        costs=Cost.VALUE,
        answers=sidecar(".metadata", Answer(body=b"<html>"), entry={"core-metadata": True}),
    ),
    Case(
        name="metadata without an end",
        costs=Cost.VALUE,
        answers=sidecar(
            ".metadata",
            Answer(body=b"Metadata-Version: 2.1\n", stream=endless(b"x" * 65536)),
            entry={"core-metadata": True},
        ),
    ),
    Case(
        name="metadata that is advertised and missing",
        costs=Cost.NOTHING,
        answers=with_file(entry={"core-metadata": {"sha256": "0" * 64}}),
    ),
    Case(
        name="provenance that is nested deeply",
        costs=Cost.AT_MOST_FILE,
        answers=sidecar(
            ".provenance",
            Answer(body=b'{"version": 1, "attestation_bundles": ' + b"[" * 200_000),
            provenance="../../files/FILENAME.provenance",
        ),
    ),
    Case(name="provenance elsewhere", costs=Cost.VALUE, answers=with_file(provenance="file:///etc/passwd")),
    Case(
        name="provenance that is a program",
        costs=Cost.VALUE,
        answers=with_file(provenance="javascript:alert(1)"),
    ),
    Case(
        name="provenance inside", costs=Cost.VALUE, answers=with_file(provenance=INSIDE), reason=_NOT_INSIDE
    ),
    Case(
        name="provenance without an end",
        costs=Cost.VALUE,
        answers=lambda project, outside: (
            with_file(provenance=f"../../files/{project}.prov")(project, outside)
            | {f"/files/{project}.prov": Answer(stream=endless(b" " * 65536))}
        ),
    ),
)

TEXTS: tuple[Case, ...] = (
    Case(name="markup in a yank reason", costs=Cost.NOTHING, answers=with_file(yanked=SCRIPT)),
    Case(
        name="markup in requires-python",
        costs=Cost.AT_MOST_FILE,
        answers=with_file(entry={"requires-python": f">=3{SCRIPT}"}),
    ),
    Case(
        name="lines in requires-python",
        costs=Cost.AT_MOST_FILE,
        answers=with_file(entry={"requires-python": ">=3\n\0,<4"}),
    ),
    Case(
        name="a megabyte of requires-python",
        costs=Cost.VALUE,
        answers=with_file(entry={"requires-python": ">=3," * 250_000}),
    ),
    Case(name="a yank reason of 10 MB", costs=Cost.VALUE, answers=with_file(yanked="no " * 3_500_000)),
    Case(
        name="an upload time that is none", costs=Cost.VALUE, answers=with_file(entry={"upload-time": SCRIPT})
    ),
    Case(
        name="an upload time of a month 13",
        costs=Cost.VALUE,
        answers=with_file(entry={"upload-time": "2025-13-01T12:00:00Z"}),
    ),
    Case(
        name="markup in a status reason",
        costs=Cost.NOTHING,
        answers=with_file(page_changes={"project-status": {"status": "archived", "reason": SCRIPT}}),
    ),
    Case(
        name="a status reason of 10 MB",
        costs=Cost.VALUE,
        answers=with_file(
            page_changes={"project-status": {"status": "archived", "reason": "x" * 10_000_000}}
        ),
    ),
    Case(
        name="markup as a status",
        costs=Cost.VALUE,
        answers=with_file(page_changes={"project-status": {"status": SCRIPT}}),
    ),
    Case(
        name="markup as a version",
        costs=Cost.AT_MOST_FILE,
        answers=with_file(page_changes={"versions": [SCRIPT, "1.0"]}),
    ),
    Case(
        name="a version of 10 MB",
        costs=Cost.VALUE,
        answers=with_file(page_changes={"versions": ["1." * 5_000_000]}),
    ),
    Case(
        name="half a surrogate in a reason",
        costs=Cost.VALUE,
        reason="half a surrogate",
        answers=with_file(yanked="\ud800"),
    ),
    Case(
        name="half a surrogate as a version",
        costs=Cost.VALUE,
        reason="not valid versions",
        answers=with_file(page_changes={"versions": ["\udfff"]}),
    ),
    Case(
        name="an ETag that goes on",
        costs=Cost.AT_MOST_FILE,
        answers=lambda project, outside: {
            path: Answer(
                body=answer.body, headers=(b'ETag: "' + b"x" * 50_000 + b'"', b"X-PyPI-Last-Serial: NaN")
            )
            for path, answer in with_file()(project, outside).items()
        },
    ),
    Case(
        name="control characters in an ETag",
        costs=Cost.NOTHING,
        answers=lambda project, outside: {
            path: Answer(
                body=answer.body, headers=(b'ETag: "a\x01\x1b"', b"X-PyPI-Last-Serial: " + b"9" * 400)
            )
            for path, answer in with_file()(project, outside).items()
        },
    ),
)

DOCUMENTS: tuple[Case, ...] = (
    Case(
        name="files twice in one document",
        costs=Cost.PAGE,
        answers=_raw(_META + b'"files": [GOOD], "files": [' + _ENTRY + b"]}"),
        reason="twice",
    ),
    Case(
        name="a key twice in a file",
        answers=_raw(_META + b'"files": [GOOD, ' + _ENTRY[:-1] + b', "url": "../../files/x-1.0.tar.gz"}]}'),
        reason="twice",
    ),
    Case(
        name="a key twice, once in disguise",
        answers=_raw(
            _META + b'"files": [GOOD, ' + _ENTRY[:-1] + b', "\\u0075rl": "../../files/x-1.0.tar.gz"}]}'
        ),
        reason="twice",
    ),
    Case(
        name="a digest twice",
        answers=_raw(
            _META
            + b'"files": [GOOD, '
            + _ENTRY.replace(b'"sha256":', b'"sha256": "' + b"0" * 64 + b'", "sha256":')
            + b"]}"
        ),
        reason="twice",
    ),
    Case(
        name="NaN as a size",
        costs=Cost.PAGE,
        answers=_raw(_META + b'"files": [GOOD, ' + _ENTRY[:-1] + b', "size": NaN}]}'),
    ),
    Case(
        name="Infinity as a serial",
        costs=Cost.PAGE,
        answers=_raw(b'{"meta": {"api-version": "1.4", "_last-serial": Infinity}}'),
    ),
    Case(
        name="a document that is nested deeply",
        costs=Cost.PAGE,
        answers=_raw(_META + b'"files": ' + b"[" * 500_000),
    ),
    Case(name="a list", costs=Cost.PAGE, answers=_raw(b"[]")),
    Case(name="nothing", costs=Cost.PAGE, answers=_raw(b"")),
    Case(name="something after the end", costs=Cost.PAGE, answers=_raw(_META + b'"files": []} <script>')),
    Case(
        name="no UTF-8",
        costs=Cost.VALUE,
        answers=_raw(_META + b'"files": [GOOD, ' + _ENTRY + b'], "versions": ["\xff\xfe"]}'),
    ),
    Case(
        name="no UTF-8 where nobody looks",
        costs=Cost.AT_MOST_FILE,
        answers=_raw(_META + b'"files": [GOOD], "x": "\xff\xfe"}'),
    ),
    Case(name="UTF-16", costs=Cost.PAGE, answers=_raw((_META + b'"files": []}').decode().encode("utf-16"))),
    Case(name="files in an object", costs=Cost.PAGE, answers=_raw(_META + b'"files": {}}')),
    Case(name="a file name that is a number", answers=_raw(_META + b'"files": [GOOD, {"filename": 1}]}')),
    Case(name="no address", answers=with_file(url=None)),
    Case(name="digests in a list", answers=with_file(hashes=[["sha256", "0" * 64]])),
    Case(name="a reason that is a number", costs=Cost.VALUE, answers=with_file(yanked=17)),
    Case(
        name="versions that are objects", costs=Cost.VALUE, answers=with_file(page_changes={"versions": [{}]})
    ),
    Case(
        name="an upload time that is a number",
        costs=Cost.VALUE,
        answers=with_file(entry={"upload-time": 1.5e300}),
    ),
    Case(name="a signature that is a list", costs=Cost.VALUE, answers=with_file(entry={"gpg-sig": []})),
    Case(
        name="version 2.0 of the interface",
        costs=Cost.PAGE,
        answers=with_file(page_changes={"meta": {"api-version": "2.0"}}),
    ),
    Case(name="no meta", costs=Cost.PAGE, answers=with_file(page_changes={"meta": None})),
    Case(
        name="another project's page", costs=Cost.PAGE, answers=with_file(page_changes={"name": "honest-a"})
    ),
    Case(
        name="a name that climbs", costs=Cost.PAGE, answers=with_file(page_changes={"name": "../../outside"})
    ),
    Case(
        name="a negative serial",
        costs=Cost.VALUE,
        answers=with_file(page_changes={"meta": {"api-version": "1.4", "_last-serial": -7}}),
    ),
    Case(
        name="a serial of 2^63",
        costs=Cost.VALUE,
        answers=with_file(page_changes={"meta": {"api-version": "1.4", "_last-serial": 2**63}}),
    ),
    Case(name="an image", costs=Cost.PAGE, answers=_raw(_META + b'"files": []}', content_type="image/png")),
    Case(
        name="somebody's error page",
        costs=Cost.PAGE,
        answers=_raw(b"<html><h1>Trouble</h1></html>", content_type=_HTML),
    ),
    Case(
        name="an HTML page with hostile links",
        answers=_raw(
            b'<!DOCTYPE html><html><body>LINK<a href="file:///etc/passwd">x-1.0.tar.gz</a></body></html>',
            content_type=_HTML,
        ),
    ),
    Case(
        name="an HTML page whose link climbs",
        answers=_raw(
            b'<!DOCTYPE html><html><body>LINK<a href="../../files/x">../outside/pwned.tar.gz</a></html>',
            content_type=_HTML,
        ),
    ),
    Case(
        name="gzip that is none",
        costs=Cost.PAGE,
        answers=_raw(b"\x1f\x8bgarbage", headers=(b"Content-Encoding: gzip",)),
    ),
    Case(
        name="headers without an end",
        costs=Cost.PAGE,
        answers=_raw(b"", headers=tuple([b"X-A: " + b"a" * 8000] * 200)),
    ),
)

BOMBS: tuple[Case, ...] = (
    Case(
        name="a page of 2 GB",
        costs=Cost.PAGE,
        answers=page_is(Answer(stream=endless(b" " * 65536, size=2 * _GIB))),
        alone=True,
    ),
    Case(
        name="a page without an end",
        costs=Cost.PAGE,
        answers=page_is(Answer(stream=endless(b"[" * 65536))),
        alone=True,
    ),
    Case(name="a gzip bomb", costs=Cost.PAGE, answers=page_is(_gzipped(b" " * 65536, _GIB)), alone=True),
    Case(
        name="a gzip bomb just below the limit",
        costs=Cost.PAGE,
        answers=page_is(_gzipped(b'{"a":[],' * 8192, 60 << 20)),
        alone=True,
    ),
    Case(
        name="a million files", costs=Cost.PAGE, answers=_streamed(lambda: _many_files(1_000_000)), alone=True
    ),
    Case(
        name="ten million versions",
        costs=Cost.PAGE,
        answers=_streamed(_around(_META + b'"files": [], "versions": [""', b',"a"', 10_000_000, b"]}")),
        alone=True,
    ),
    Case(
        name="a million digests of one file",
        costs=Cost.PAGE,
        answers=_streamed(
            _around(
                _META + b'"files": [{"filename": "x-1.0.zip", "url": "x", "hashes": {"a": "0"',
                b',"\\u0000sha":"00"',
                2_000_000,
                b"}}]}",
            )
        ),
        alone=True,
    ),
    Case(
        name="a million links in HTML",
        costs=Cost.PAGE,
        answers=_streamed(
            _around(
                b"<!DOCTYPE html><html><body>Links for x",
                b'<a href="x-1.0.zip">x-1.0.zip</a>',
                1_000_000,
                b"</body></html>",
            ),
            _HTML,
        ),
        alone=True,
    ),
    Case(
        name="a million elements, each in the other",
        costs=Cost.PAGE,
        answers=_streamed(_around(b"<!DOCTYPE html><html><body>", b"<b>", 1_000_000, b"</html>"), _HTML),
        alone=True,
    ),
    Case(
        name="a million attributes",
        costs=Cost.PAGE,
        answers=_streamed(_around(b"<html><a ", b'a="b" ', 3_000_000, b">x-1.0.zip</a></html>"), _HTML),
        alone=True,
    ),
    Case(
        name="a text of 60 MB",
        costs=Cost.ANYTHING,
        answers=_streamed(_around(_META + b'"files": [], "x": "', b"xxxx" * 15, 1_000_000, b'"}')),
        alone=True,
    ),
    Case(
        name="a redirect with a body of 2 GB",
        costs=Cost.PAGE,
        answers=page_is(
            Answer(
                status=302,
                headers=(b"Location: /simple/honest-a/",),
                stream=endless(b" " * 65536, size=2 * _GIB),
            )
        ),
        alone=True,
    ),
)

CASES: tuple[Case, ...] = (*NAMES, *ADDRESSES, *FILES, *TEXTS, *DOCUMENTS, *BOMBS)
