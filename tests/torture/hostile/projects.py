"""Hostile projects: each a page, and what it links, that must do no harm to anything but itself.

``refused`` says whether the project has to be refused and named; where it is None either will do, as long as
nothing is served that is not right (a text that is merely ugly is carried on, escaped).
"""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.torture.hostile.honest import content, document, file
from tests.torture.hostile.server import JSON, Answer, endless, page

# A host that is link-local: nothing answers there, and no upstream may send a mirror to look.
INSIDE = "http://169.254.169.254/latest/meta-data/"
_NOT_INSIDE = "an internal address"
SCRIPT = "\"'><script>alert(1)</script>"
_GIB = 1 << 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """``answers`` makes what the upstream says, of the project's name and a path outside the mirror.

    ``reason`` is in what the report says of it, where that could be refused for a lesser reason. ``alone`` is
    for what is about memory: it gets a run of its own.
    """

    name: str
    answers: Callable[[str, str], dict[str, Answer]]
    refused: bool | None = True
    reason: str = ""
    alone: bool = False


def _page_is(answer: Answer) -> Callable[[str, str], dict[str, Answer]]:
    return lambda project, outside: {f"/simple/{project}/": answer}


def _raw(body: bytes, **more: Any) -> Callable[[str, str], dict[str, Answer]]:
    """The page is ``body``, in which PROJECT stands for the name; the file of ``_ENTRY`` is there."""
    return lambda project, outside: {
        f"/simple/{project}/": Answer(body=body.replace(b"PROJECT", project.encode()), **more),
        "/files/x-1.0.tar.gz": Answer(body=content("x-1.0.tar.gz")),
    }


def _named(filename: str) -> Callable[[str, str], dict[str, Answer]]:
    """A file of that name; OUTSIDE in it stands for a directory beside the mirror."""

    def answers(project: str, outside: str) -> dict[str, Answer]:
        body = content(project)
        entry = file(filename.replace("OUTSIDE", outside), body, url=f"../../files/{project}.bin")
        return {
            f"/simple/{project}/": page(document(project, entry)),
            f"/files/{project}.bin": Answer(body=body),
        }

    return answers


def _file(
    answer: Answer | None = None,
    page_changes: dict[str, Any] | None = None,
    entry: dict[str, Any] | None = None,
    **more: Any,
) -> Callable[[str, str], dict[str, Answer]]:
    """A file that is right but for ``entry`` and ``more``; ``answer`` is what comes when it is asked for.

    PROJECT in a text stands for the project's name.
    """

    def answers(project: str, outside: str) -> dict[str, Answer]:
        filename = f"{project.replace('-', '_')}-1.0.tar.gz"
        changed = json.loads(json.dumps((entry or {}) | more).replace("PROJECT", project))
        return {
            f"/simple/{project}/": page(document(project, file(filename, **changed), **(page_changes or {}))),
            f"/files/{filename}": answer or Answer(body=content(filename)),
        }

    return answers


def _sidecar(suffix: str, answer: Answer, **entry: Any) -> Callable[[str, str], dict[str, Answer]]:
    """A file that is right, with a sidecar that is not."""

    def answers(project: str, outside: str) -> dict[str, Answer]:
        filename = f"{project.replace('-', '_')}-1.0.tar.gz"
        said = _file(**entry)(project, outside)
        return said | {f"/files/{filename}{suffix}": answer}

    return answers


def _away(location: bytes, status: int = 302) -> Answer:
    return Answer(status=status, headers=(b"Location: " + location,))


def _url(url: str) -> Callable[[str, str], dict[str, Answer]]:
    return _file(url=url)


def _twice(project: str, outside: str) -> dict[str, Answer]:
    name = f"{project.replace('-', '_')}-1.0.tar.gz"
    other = file(name, b"other bytes", url="../../files/other.bin")
    return _file()(project, outside) | {
        f"/simple/{project}/": page(document(project, file(name), other)),
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

NAMES: tuple[Case, ...] = (
    Case(name="a file name that climbs", answers=_named(f"{'../' * 6}outside/pwned.tar.gz")),
    Case(name="a file name that climbs from within", answers=_named(f"a/{'../' * 7}outside/pwned.tar.gz")),
    Case(name="an absolute file name", answers=_named("OUTSIDE/pwned.tar.gz")),
    Case(name="backslashes in a file name", answers=_named("..\\..\\outside\\pwned.tar.gz")),
    Case(name="a drive in a file name", answers=_named("C:\\pwned.tar.gz")),
    Case(name="a file name of dots", answers=_named("..")),
    Case(name="no file name", answers=_named("")),
    Case(name="a hidden file", answers=_named(".htaccess")),
    Case(name="a temporary file's name", answers=_named(".tmp-x-1.0.tar.gz.part")),
    Case(name="NUL in a file name", answers=_named("x-1.0\0.tar.gz")),
    Case(name="a line end in a file name", answers=_named("x-1.0\r\nX-Evil: 1.tar.gz")),
    Case(name="escape codes in a file name", answers=_named("\x1b[2Jx-1.0.tar.gz")),
    Case(name="text that turns round in a file name", answers=_named("x-1.0\u202ezg.rat")),
    Case(name="an overlong file name", answers=_named(f"{'x' * 5000}-1.0.tar.gz")),
    Case(name="a file name of 221 bytes", answers=_named(f"{'x' * 210}-1.0.tar.gz")),
    Case(name="half a surrogate in a file name", answers=_named("x-\ud800-1.0.tar.gz")),
    Case(name="another file's metadata", answers=_named("x-1.0.tar.gz.metadata")),
    Case(name="another file's provenance", answers=_named("x-1.0.tar.gz.provenance")),
    Case(name="an element in a file name", answers=_named("<script>alert(1)<script>-1.0.tar.gz")),
    Case(name="a double quote in a file name", answers=_named('x"onmouseover="alert(1)-1.0.tar.gz')),
    Case(name="a single quote in a file name", answers=_named("x'onclick='y'-1.0.tar.gz"), refused=None),
    Case(name="references in a file name", answers=_named("x&lt;script&gt;-1.0.tar.gz"), refused=None),
    Case(name="percent signs in a file name", answers=_named("%2e%2e%2f%2e%2e%2fpwned.tar.gz"), refused=None),
    Case(name="a question mark in a file name", answers=_named("x-1.0.tar.gz?y=1")),
    Case(name="a number sign in a file name", answers=_named("x#sha256=00-1.0.tar.gz"), refused=None),
)

ADDRESSES: tuple[Case, ...] = (
    Case(name="file: on a page", answers=_url("file:///etc/passwd")),
    Case(name="ftp: on a page", answers=_url("ftp://127.0.0.1/x.tar.gz")),
    Case(name="gopher: on a page", answers=_url("gopher://127.0.0.1:25/x")),
    Case(name="data: on a page", answers=_url("data:text/plain,hello")),
    Case(name="javascript: on a page", answers=_url("javascript:alert(1)")),
    Case(name="a password in an address", answers=_url("http://user:secret@127.0.0.1/x.tar.gz")),
    Case(name="backslashes in an address", answers=_url("http:\\\\127.0.0.1\\x.tar.gz")),
    Case(name="a line end in an address", answers=_url("../../files/x\r\nX-Evil: 1")),
    Case(name="half an address", answers=_url("//[::1")),
    Case(name="a port that is none", answers=_url("http://127.0.0.1:99999/x.tar.gz")),
    Case(name="a link-local address on a page", answers=_url(INSIDE), reason=_NOT_INSIDE),
    Case(
        name="a link-local address as a number", answers=_url("http://2852039166/latest/"), reason=_NOT_INSIDE
    ),
    Case(
        name="a link-local address in hexadecimal",
        answers=_url("http://0xa9fea9fe/latest/"),
        reason=_NOT_INSIDE,
    ),
    Case(
        name="a link-local address within IPv6",
        answers=_url("http://[::ffff:169.254.169.254]/latest/"),
        reason=_NOT_INSIDE,
    ),
    # Nobody but libcurl takes this for an address: what it connects to is looked at.
    Case(
        name="a link-local address with an escape",
        answers=_url("http://169.254.169%2e254/latest/"),
        reason=_NOT_INSIDE,
    ),
    Case(name="a multicast address on a page", answers=_url("http://224.0.0.1/x.tar.gz"), reason=_NOT_INSIDE),
    Case(name="an address that climbs", answers=_url("../../packages/../../../../etc/passwd")),
    Case(
        name="a file that redirects to file:",
        answers=_file(_away(b"file:///etc/passwd")),
    ),
    Case(name="a file that redirects to ftp:", answers=_file(_away(b"ftp://127.0.0.1/x"))),
    Case(
        name="a file that redirects to link-local", answers=_file(_away(INSIDE.encode())), reason=_NOT_INSIDE
    ),
    Case(
        name="a redirect without a scheme",
        answers=_file(_away(b"//169.254.169.254/latest/")),
        reason=_NOT_INSIDE,
    ),
    Case(name="a redirect with a password", answers=_file(_away(b"http://u:p@127.0.0.1/x"))),
    Case(name="a redirect of control characters", answers=_file(_away(b"/files/\x01\x02\x7f"))),
    Case(name="a redirect that climbs", answers=_file(_away(b"/../../../../etc/passwd"))),
    Case(
        name="a redirect to itself",
        answers=lambda project, outside: _file(
            _away(f"/files/{project.replace('-', '_')}-1.0.tar.gz".encode())
        )(project, outside),
    ),
    Case(name="a page that redirects to file:", answers=_page_is(_away(b"file:///etc/passwd"))),
    Case(
        name="a page that redirects to link-local",
        answers=_page_is(_away(INSIDE.encode())),
        reason=_NOT_INSIDE,
    ),
    Case(name="a page that redirects to another project's", answers=_page_is(_away(b"/simple/honest-a/"))),
)

FILES: tuple[Case, ...] = (
    Case(name="a shorter file than announced", answers=_file(size=5000)),
    Case(name="a longer file than announced", answers=_file(size=5)),
    Case(name="a file without an end", answers=_file(Answer(stream=endless(b"x" * 65536)))),
    Case(
        name="a file without an end and without a size",
        answers=_file(Answer(stream=endless(b"x" * 4096, pause=0.01)), size=None),
    ),
    Case(name="other bytes than announced", answers=_file(hashes={"sha256": "0" * 64})),
    Case(name="a digest that is a path", answers=_file(hashes={"sha256": "../../../../outside/pwned"})),
    Case(name="a digest that is too short", answers=_file(hashes={"sha256": "00"})),
    Case(name="an algorithm that is markup", answers=_file(hashes={SCRIPT: "00", "sha256": "0" * 64})),
    Case(name="a negative size", answers=_file(size=-1)),
    Case(name="a size of 2^80", answers=_file(size=2**80)),
    Case(name="a size of 2^40 + 1", answers=_file(size=2**40 + 1)),
    Case(name="a size of one exabyte less one", answers=_file(size=10**18 - 1)),
    Case(name="one file twice, two digests", answers=_twice),
    Case(
        name="metadata with another digest",
        answers=_sidecar(
            ".metadata",
            Answer(body=b"Metadata-Version: 2.1\nName: x\n"),
            entry={"core-metadata": {"sha256": "0" * 64}},
        ),
    ),
    Case(
        name="metadata that is none",
        answers=_sidecar(".metadata", Answer(body=b"<html>"), entry={"core-metadata": True}),
    ),
    Case(
        name="metadata without an end",
        answers=_sidecar(
            ".metadata",
            Answer(body=b"Metadata-Version: 2.1\n", stream=endless(b"x" * 65536)),
            entry={"core-metadata": True},
        ),
    ),
    Case(
        name="metadata that is advertised and missing",
        answers=_file(entry={"core-metadata": {"sha256": "0" * 64}}),
        refused=False,
    ),
    Case(
        name="provenance that is nested deeply",
        answers=_sidecar(
            ".provenance",
            Answer(body=b'{"version": 1, "attestation_bundles": ' + b"[" * 200_000),
            provenance="../../files/PROJECT-1.0.tar.gz.provenance",
        ),
        refused=None,
    ),
    Case(name="provenance elsewhere", answers=_file(provenance="file:///etc/passwd")),
    Case(name="provenance that is a program", answers=_file(provenance="javascript:alert(1)")),
    Case(name="provenance inside", answers=_file(provenance=INSIDE), reason=_NOT_INSIDE),
    Case(
        name="provenance without an end",
        answers=lambda project, outside: (
            _file(provenance=f"../../files/{project}.prov")(project, outside)
            | {f"/files/{project}.prov": Answer(stream=endless(b" " * 65536))}
        ),
    ),
)

TEXTS: tuple[Case, ...] = (
    Case(name="markup in a yank reason", answers=_file(yanked=SCRIPT), refused=False),
    Case(
        name="markup in requires-python",
        answers=_file(entry={"requires-python": f">=3{SCRIPT}"}),
        refused=None,
    ),
    Case(
        name="lines in requires-python", answers=_file(entry={"requires-python": ">=3\n\0,<4"}), refused=None
    ),
    Case(name="a megabyte of requires-python", answers=_file(entry={"requires-python": ">=3," * 250_000})),
    Case(name="a yank reason of 10 MB", answers=_file(yanked="no " * 3_500_000)),
    Case(name="an upload time that is none", answers=_file(entry={"upload-time": SCRIPT})),
    Case(name="an upload time of a month 13", answers=_file(entry={"upload-time": "2025-13-01T12:00:00Z"})),
    Case(
        name="markup in a status reason",
        answers=_file(page_changes={"project-status": {"status": "archived", "reason": SCRIPT}}),
        refused=False,
    ),
    Case(
        name="a status reason of 10 MB",
        answers=_file(page_changes={"project-status": {"status": "archived", "reason": "x" * 10_000_000}}),
    ),
    Case(name="markup as a status", answers=_file(page_changes={"project-status": {"status": SCRIPT}})),
    Case(name="markup as a version", answers=_file(page_changes={"versions": [SCRIPT, "1.0"]}), refused=None),
    Case(
        name="a version of 10 MB",
        answers=_file(page_changes={"versions": ["1." * 5_000_000]}),
    ),
    Case(name="half a surrogate in a reason", answers=_file(yanked="\ud800")),
    Case(name="half a surrogate as a version", answers=_file(page_changes={"versions": ["\udfff"]})),
    Case(
        name="an ETag that goes on",
        answers=lambda project, outside: {
            path: Answer(
                body=answer.body, headers=(b'ETag: "' + b"x" * 50_000 + b'"', b"X-PyPI-Last-Serial: NaN")
            )
            for path, answer in _file()(project, outside).items()
        },
        refused=None,
    ),
    Case(
        name="control characters in an ETag",
        answers=lambda project, outside: {
            path: Answer(
                body=answer.body, headers=(b'ETag: "a\x01\x1b"', b"X-PyPI-Last-Serial: " + b"9" * 400)
            )
            for path, answer in _file()(project, outside).items()
        },
        refused=False,
    ),
)

DOCUMENTS: tuple[Case, ...] = (
    Case(
        name="files twice in one document",
        answers=_raw(_META + b'"files": [], "files": [' + _ENTRY + b"]}"),
        reason="twice",
    ),
    Case(
        name="a key twice in a file",
        answers=_raw(_META + b'"files": [' + _ENTRY[:-1] + b', "url": "../../files/x-1.0.tar.gz"}]}'),
        reason="twice",
    ),
    Case(
        name="a key twice, once in disguise",
        answers=_raw(_META + b'"files": [' + _ENTRY[:-1] + b', "\\u0075rl": "../../files/x-1.0.tar.gz"}]}'),
        reason="twice",
    ),
    Case(
        name="a digest twice",
        answers=_raw(
            _META
            + b'"files": ['
            + _ENTRY.replace(b'"sha256":', b'"sha256": "' + b"0" * 64 + b'", "sha256":')
            + b"]}"
        ),
        reason="twice",
    ),
    Case(name="NaN as a size", answers=_raw(_META + b'"files": [' + _ENTRY[:-1] + b', "size": NaN}]}')),
    Case(
        name="Infinity as a serial",
        answers=_raw(b'{"meta": {"api-version": "1.4", "_last-serial": Infinity}}'),
    ),
    Case(name="a document that is nested deeply", answers=_raw(_META + b'"files": ' + b"[" * 500_000)),
    Case(name="a list", answers=_raw(b"[]")),
    Case(name="nothing", answers=_raw(b"")),
    Case(name="something after the end", answers=_raw(_META + b'"files": []} <script>')),
    Case(name="no UTF-8", answers=_raw(_META + b'"files": [], "versions": ["\xff\xfe"]}')),
    Case(
        name="no UTF-8 where nobody looks",
        answers=_raw(_META + b'"files": [], "x": "\xff\xfe"}'),
        refused=None,
    ),
    Case(name="UTF-16", answers=_raw((_META + b'"files": []}').decode().encode("utf-16"))),
    Case(name="files in an object", answers=_raw(_META + b'"files": {}}')),
    Case(name="a file name that is a number", answers=_raw(_META + b'"files": [{"filename": 1}]}')),
    Case(name="no address", answers=_file(url=None)),
    Case(name="digests in a list", answers=_file(hashes=[["sha256", "0" * 64]])),
    Case(name="a reason that is a number", answers=_file(yanked=17)),
    Case(name="versions that are objects", answers=_file(page_changes={"versions": [{}]})),
    Case(name="an upload time that is a number", answers=_file(entry={"upload-time": 1.5e300})),
    Case(name="a signature that is a list", answers=_file(entry={"gpg-sig": []})),
    Case(name="version 2.0 of the interface", answers=_file(page_changes={"meta": {"api-version": "2.0"}})),
    Case(name="no meta", answers=_file(page_changes={"meta": None})),
    Case(name="another project's page", answers=_file(page_changes={"name": "honest-a"})),
    Case(name="a name that climbs", answers=_file(page_changes={"name": "../../outside"})),
    Case(
        name="a negative serial",
        answers=_file(page_changes={"meta": {"api-version": "1.4", "_last-serial": -7}}),
    ),
    Case(
        name="a serial of 2^63",
        answers=_file(page_changes={"meta": {"api-version": "1.4", "_last-serial": 2**63}}),
    ),
    Case(name="an image", answers=_raw(_META + b'"files": []}', content_type="image/png")),
    Case(name="somebody's error page", answers=_raw(b"<html><h1>Trouble</h1></html>", content_type=_HTML)),
    Case(
        name="an HTML page with hostile links",
        answers=_raw(
            b'<!DOCTYPE html><html><body>Links for x<a href="file:///etc/passwd">x-1.0.tar.gz</a></body></html>',
            content_type=_HTML,
        ),
    ),
    Case(
        name="an HTML page whose link climbs",
        answers=_raw(
            b'<!DOCTYPE html><html><body><a href="../../files/x">../outside/pwned.tar.gz</a></body></html>',
            content_type=_HTML,
        ),
    ),
    Case(
        name="gzip that is none",
        answers=_raw(b"\x1f\x8bgarbage", headers=(b"Content-Encoding: gzip",)),
    ),
    Case(name="headers without an end", answers=_raw(b"", headers=tuple([b"X-A: " + b"a" * 8000] * 200))),
)

BOMBS: tuple[Case, ...] = (
    Case(
        name="a page of 2 GB",
        answers=_page_is(Answer(stream=endless(b" " * 65536, size=2 * _GIB))),
        alone=True,
    ),
    Case(name="a page without an end", answers=_page_is(Answer(stream=endless(b"[" * 65536))), alone=True),
    Case(name="a gzip bomb", answers=_page_is(_gzipped(b" " * 65536, _GIB)), alone=True),
    Case(
        name="a gzip bomb just below the limit",
        answers=_page_is(_gzipped(b'{"a":[],' * 8192, 60 << 20)),
        alone=True,
    ),
    Case(name="a million files", answers=_streamed(lambda: _many_files(1_000_000)), alone=True),
    Case(
        name="ten million versions",
        answers=_streamed(_around(_META + b'"files": [], "versions": [""', b',"a"', 10_000_000, b"]}")),
        alone=True,
    ),
    Case(
        name="a million digests of one file",
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
        answers=_streamed(_around(b"<!DOCTYPE html><html><body>", b"<b>", 1_000_000, b"</html>"), _HTML),
        alone=True,
    ),
    Case(
        name="a million attributes",
        answers=_streamed(_around(b"<html><a ", b'a="b" ', 3_000_000, b">x-1.0.zip</a></html>"), _HTML),
        alone=True,
    ),
    Case(
        name="a text of 60 MB",
        answers=_streamed(_around(_META + b'"files": [], "x": "', b"xxxx" * 15, 1_000_000, b'"}')),
        refused=None,
        alone=True,
    ),
    Case(
        name="a redirect with a body of 2 GB",
        answers=_page_is(
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
