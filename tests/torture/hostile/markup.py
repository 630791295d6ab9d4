"""XML and HTML that is small where it comes from and large where it is read: changelogs and root indexes."""

import zlib
from collections.abc import Callable, Iterator

from tests.torture.hostile.indexes import INDEX, Case, unreadable, xml
from tests.torture.hostile.server import Answer, endless

_ANSWER = b"<methodResponse><params><param><value>%b</value></param></params></methodResponse>"
_MB = 1 << 20
# Megabytes that answers of a few kilobytes expand to: more than a changelog and an index may have.
_PACKED_XML = 64
_PACKED_HTML = 160


def _entities(depth: int, width: int, *, kind: bytes = b"") -> bytes:
    """A document type in which each of ``depth`` entities is ``width`` times the one before; ``kind`` is "% "
    for parameter entities.
    """
    mark = b"%" if kind else b"&"
    declared = [b'<!ENTITY %be0 "lol">' % kind]
    for number in range(1, depth):
        before = mark + b"e%d;" % (number - 1)
        declared.append(b'<!ENTITY %be%d "%b">' % (kind, number, before * width))
    return b"<!DOCTYPE x [" + b"".join(declared) + b"]>"


def _documents() -> Iterator[tuple[str, bytes]]:
    """XML with a document type, which no answer has."""
    for depth, width in ((2, 10), (3, 1000), (5, 50), (10, 10), (30, 2), (100, 2), (2, 100_000)):
        name = f"entities {depth} deep, each {width} times"
        yield name, _entities(depth, width) + _ANSWER % (b"&e%d;" % (depth - 1))
        text = b"<string>" + b"&e%d;" % (depth - 1) * 100 + b"</string>"
        yield f"{name}, used 100 times", _entities(depth, width) + _ANSWER % text
    yield "an entity in an attribute", _entities(8, 10) + _ANSWER % b'<int x="&e7;">1</int>'
    yield "a parameter entity", _entities(8, 10, kind=b"% ") + _ANSWER % b"<int>1</int>"
    yield "an entity of itself", b'<!DOCTYPE x [<!ENTITY e "&e;">]>' + _ANSWER % b"&e;"
    yield "an entity nobody declared", _ANSWER % b"&e;"
    yield "a file as entity", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + _ANSWER % b"&e;"
    yield (
        "a host as entity",
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "http://169.254.169.254/">]>' + _ANSWER % b"&e;",
    )
    yield (
        "a document type elsewhere",
        b'<!DOCTYPE x SYSTEM "http://169.254.169.254/">' + _ANSWER % b"<int>1</int>",
    )
    yield (
        "attributes by default",
        b'<!DOCTYPE x [<!ATTLIST int x CDATA "%b">]>' % (b"y" * 100_000)
        + _ANSWER % (b"<int>1</int>" * 10_000),
    )
    yield "a document type behind comments", b"<!-- x -->" * 10_000 + _entities(8, 10) + _ANSWER % b"&e7;"
    wide = (_entities(8, 10) + _ANSWER % b"&e7;").decode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-7", "utf-32"):
        yield f"a document type in {encoding}", wide.encode(encoding)


_NESTED = {
    "arrays": (b"<value><array><data>", b"</data></array></value>"),
    "structs": (b"<value><struct><member><name>x</name>", b"</member></struct></value>"),
    "parameters": (b"<params><param>", b"</param></params>"),
    "unknown elements": (b"<x>", b"</x>"),
}


def _depths() -> Iterator[tuple[str, bytes]]:
    for what, (opening, closing) in _NESTED.items():
        for depth in (40, 2_000, 100_000):
            yield f"{what}, {depth:,} deep", _ANSWER % (opening * depth + closing * depth)
        yield f"{what} without an end", b"<methodResponse>" + opening * 100_000


# What can be said over and over in an answer: in an element, in a value, or anywhere.
_REPEATED = {
    "spaces": (b"<string>", b" " * 64),
    "digits": (b"<int>", b"9" * 64),
    "lines": (b"<string>", b"\n" * 64),
    "character references": (b"<string>", b"&#10;" * 16),
    "elements": (b"<array><data>", b"<value/>" * 16),
    "attributes": (b"<int ", b"x='' " * 16),
    "one attribute": (b"<int x='", b"x" * 64),
    "one name": (b"<", b"x" * 64),
    "comments": (b"", b"<!-- -->" * 16),
    "one comment": (b"<!--", b" x" * 32),
    "instructions": (b"", b"<?x y?>" * 16),
    "CDATA": (b"<string>", b"<![CDATA[x]]>" * 16),
    "base64": (b"<base64>", b"AAAA" * 16),
    "structs": (b"<array><data>", b"<value><struct></struct></value>" * 4),
    "members": (b"<struct>", b"<member><name>x</name><value/></member>" * 4),
}


def _plain(before: bytes, block: bytes, megabytes: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield before
        whole = block * (_MB // len(block))
        for _ in range(megabytes):
            yield whole

    return pieces


def _packed(before: bytes, block: bytes, megabytes: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(1, wbits=31)
        for piece in _plain(before, block, megabytes)():
            yield packer.compress(piece)
        yield packer.flush()

    return pieces


_GZIP = (b"Content-Encoding: gzip",)


def _xml_cases() -> Iterator[Case]:
    for name, body in (*_documents(), *_depths()):
        yield unreadable(f"XML: {name}", xml(body))
    for name, (before, block) in _REPEATED.items():
        start = b"<methodResponse><params><param><value>" + before
        yield unreadable(f"XML: 24 MB of {name}", xml(stream=_plain(start, block, 24)))
        packed = Answer(content_type="text/xml", headers=_GZIP, stream=_packed(start, block, _PACKED_XML))
        yield unreadable(f"XML: {name} that expand", xml() | {"/pypi": packed})


# What an HTML page can say over and over, and what goes before.
_TAGS = {
    "elements": (b"", b"<b>"),
    "links": (b"", b"<a>"),
    "links somewhere": (b"", b'<a href="x/">'),
    "links with a text": (b"", b'<a href="x/">x</a>'),
    "links to one place each": (b"", b'<a href=">">y</a>'),
    "ends": (b"", b"</b>"),
    "attributes": (b"<a ", b"a=b "),
    "attributes without a value": (b"<a ", b"a "),
    "quotes": (b"<a href=", b"'\""),
    "references": (b"<a href=x/>", b"&amp;"),
    "references by number": (b"<a href=x/>", b"&#65;"),
    "references to no character": (b"<a href=x/>", b"&#1114112;"),
    "digits of a reference": (b"<a href=x/>&#", b"9"),
    "references in an address": (b'<a href="', b"&#x41;"),
    "unended comments": (b"", b"<!--"),
    "comments": (b"", b"<!---->"),
    "declarations": (b"", b"<!x>"),
    "instructions": (b"", b"<?x>"),
    "CDATA": (b"", b"<![CDATA["),
    "less-than signs": (b"", b"<"),
    "unended links": (b"", b"<a "),
    "spaces": (b"<a", b" "),
    "an address": (b"<a href=", b"x"),
    "text": (b"<a href=x/>", b"x"),
    "NUL": (b"<a href=x/>", b"\0"),
    "bytes that are no UTF-8": (b"<a href=x/>", b"\xff"),
    "scripts": (b"", b"<script>"),
    "titles": (b"", b"<title></title>"),
    "bases": (b"", b'<base href="http://169.254.169.254/">'),
    "metas": (b"", b'<meta name="pypi:repository-version" content="1.0">'),
    "tables": (b"", b"<table><tr><td>"),
}
_HTML = "text/html"


def _html_cases() -> Iterator[Case]:
    for name, (before, block) in _TAGS.items():
        start = b"<!DOCTYPE html><html><body>" + before
        answer = Answer(content_type=_HTML, stream=_plain(start, block, 6))
        yield Case(name=f"HTML: 6 MB of {name}", answers={INDEX: answer}, believed=None, is_html=True)
        packed = Answer(content_type=_HTML, headers=_GZIP, stream=_packed(start, block, _PACKED_HTML))
        yield Case(name=f"HTML: {name} that expand", answers={INDEX: packed}, is_html=True)
    unended = Answer(content_type=_HTML, stream=endless(b"<a href='x/'>x</a>" * 4096))
    yield Case(name="HTML without an end", answers={INDEX: unended}, is_html=True)


CASES: tuple[Case, ...] = (*_xml_cases(), *_html_cases())
