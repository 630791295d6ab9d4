"""Hostile answers to the question what has changed: the root index and the changelog over XML-RPC.

They meet a mirror that is filled. Whatever comes of it, the next honest answer is followed.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape
from xmlrpc.client import dumps

from tests.torture.hostile.honest import NAMES, root
from tests.torture.hostile.projects import INSIDE, SCRIPT
from tests.torture.hostile.server import Answer, endless, page

_GIB = 1 << 30
INDEX = "/simple/"
XMLRPC = "/pypi"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """``believed`` says whether the run has to succeed all the same (the honest rest of the answer counts) or
    has to fail; None lets it do either. It changes nothing.

    ``reason`` is in what is said of it. ``is_html`` is for a mirror of an index that is in HTML.
    """

    name: str
    answers: dict[str, Answer]
    believed: bool | None = False
    reason: str = ""
    is_html: bool = False


def _index(*more: Any, **meta: Any) -> dict[str, Answer]:
    """The honest projects and ``more`` entries; ``meta`` replaces keys of the document."""
    projects = [{"name": name, "_last-serial": 8} for name in NAMES]
    entries = [each if isinstance(each, dict) else {"name": each, "_last-serial": 8} for each in more]
    document = {"meta": {"api-version": "1.4", "_last-serial": 8}, "projects": [*projects, *entries]} | meta
    return {INDEX: page(document)}


def xml(
    body: bytes = b"", stream: Callable[[], Iterator[bytes]] | None = None, then: Answer | None = None
) -> dict[str, Answer]:
    return {
        INDEX: root(NAMES, serial=7),
        XMLRPC: Answer(body=body, content_type="text/xml", stream=stream, then=then),
    }


def unreadable(name: str, answers: dict[str, Answer]) -> Case:
    """A changelog that nobody can read is none: the root index decides, which is honest here."""
    return Case(name=name, answers=answers, believed=True)


def own_event() -> list[object]:
    """The one that the mirror is at: a changelog that has it is believed."""
    return ["honest-a", "1.0", 1_740_000_000, "new release", 7]


def rows_answer(*rows: object) -> bytes:
    """A changelog, with numbers that Python writes to no XML-RPC."""

    def value(said: object) -> str:
        match said:
            case None:
                return "<nil/>"
            case bool():
                return f"<boolean>{said:d}</boolean>"
            case int():
                return f"<i8>{said}</i8>"
            case float():
                return f"<double>{said}</double>"
            case str():
                return f"<string>{escape(said)}</string>"
            case list() | tuple():
                members = "".join(f"<value>{value(each)}</value>" for each in said)
                return f"<array><data>{members}</data></array>"
        raise TypeError(said)

    answer = f"<methodResponse><params><param><value>{value(rows)}</value></param></params></methodResponse>"
    return answer.encode()


def _events(*rows: object) -> dict[str, Answer]:
    """A changelog of the mirror's own event, so that it is believed, and of ``rows``."""
    return xml(rows_answer(own_event(), *rows), then=Answer(body=rows_answer(), content_type="text/xml"))


_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a0 "lol">'
    + b"".join(b'<!ENTITY a%d "%s">' % (depth, b"&a%d;" % (depth - 1) * 10) for depth in range(1, 10))
    + b"]><methodResponse><params><param><value>&a9;</value></param></params></methodResponse>"
)
_SPIED = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    b"<methodResponse><params><param><value><string>&f;</string></value></param></params></methodResponse>"
)


def _many_events() -> Iterator[bytes]:
    yield b"<methodResponse><params><param><value><array><data>"
    row = (
        b"<value><array><data><value><string>x</string></value><value><nil/></value><value><int>1</int></value>"
        b"<value><string>y</string></value><value><int>9</int></value></data></array></value>"
    )
    while True:
        yield row * 500


CASES: tuple[Case, ...] = (
    Case(name="names that are none", answers=_index("", "..", "../../outside", "a/b", "a b"), believed=True),
    Case(name="markup in the index", answers=_index(SCRIPT, "<b>", "x&y"), believed=True),
    Case(
        name="configuration in the index",
        answers=_index("x;}server{listen 1;}", "x\nevil on;", "x y;", "include /etc/passwd"),
        believed=True,
    ),
    Case(name="control characters in the index", answers=_index("a\0b", "a\x1b[2J", "a\r\nb"), believed=True),
    Case(name="overlong names in the index", answers=_index("a" * 100_000, "b" * 300), believed=True),
    Case(name="names beyond ASCII", answers=_index("ｈonest-a", "honest‐a", "ünter"), believed=True),
    Case(name="one project in two spellings", answers=_index("HONEST_A", "honest.a"), believed=True),
    Case(name="half a surrogate in the index", answers=_index("\ud800"), believed=True),
    Case(name="an index that is nested deeply", answers={INDEX: Answer(body=b"[" * 1_000_000)}),
    Case(name="an index with NaN", answers=_index({"name": "x", "_last-serial": float("nan")})),
    Case(name="an index of wrong types", answers=_index({"name": ["x"]})),
    Case(name="an index in an object", answers=_index(projects={})),
    Case(name="an index without projects", answers=_index(projects=[])),
    Case(
        name="projects twice in the index",
        answers={
            INDEX: Answer(
                body=json.dumps(json.loads(root(NAMES, serial=8).body)).encode()[:-1]
                + b', "projects": [{"name": "honest-a"}]}'
            )
        },
    ),
    Case(name="an index of a serial before", answers={INDEX: root(NAMES, serial=3)}),
    Case(
        name="an error page as index",
        answers={INDEX: Answer(body=b"<html><body><h1>Trouble</h1></body></html>", content_type="text/html")},
    ),
    Case(name="an index without an end", answers={INDEX: Answer(stream=endless(b" " * 65536))}),
    Case(name="an index of 2 GB", answers={INDEX: Answer(stream=endless(b"[" * 65536, size=2 * _GIB))}),
    Case(
        name="an index that redirects inside",
        answers={INDEX: Answer(status=302, headers=(b"Location: " + INSIDE.encode(),))},
    ),
    Case(
        name="an index that redirects to file:",
        answers={INDEX: Answer(status=302, headers=(b"Location: file:///etc/passwd",))},
    ),
    Case(
        name="an index that redirects to itself",
        answers={INDEX: Answer(status=302, headers=(b"Location: /simple/",))},
    ),
    unreadable("XML that multiplies", xml(_BOMB)),
    unreadable("XML that reads files", xml(_SPIED)),
    unreadable("XML without an end", xml(stream=_many_events)),
    unreadable(
        "XML that is nested deeply",
        xml(b"<methodResponse><params><param>" + b"<value><array><data>" * 200_000),
    ),
    Case(
        name="XML-RPC of wrong types",
        answers=_events(["x", 1, "y", "z", "9"]),
        believed=True,
        reason="is not a valid event",
    ),
    unreadable("XML-RPC that is a string", xml(dumps(("no",), methodresponse=True).encode())),
    Case(
        name="events of names that are none",
        answers=_events(
            ["../../outside", None, 1, "create", 8],
            [SCRIPT, None, 1, "create", 9],
            ["a" * 10_000, None, 1, "remove project", 10],
            ["x\ny;", None, 1, "remove project", 11],
        ),
        believed=True,
    ),
    Case(
        name="an event that another spelling hides",
        answers=_events(["HONEST__A", None, 1, "remove project", 8]),
        believed=None,
    ),
    unreadable(
        "a fault of 10 MB",
        xml(
            b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value>"
            b"</member><member><name>faultString</name><value><string>"
            + b"x" * 10_000_000
            + b"</string></value></member></struct></value></fault></methodResponse>"
        ),
    ),
    unreadable(
        "a date of the year 0",
        xml(
            b"<methodResponse><params><param><value><dateTime.iso8601>00000000T99:99:99</dateTime.iso8601></value>"
            b"</param></params></methodResponse>"
        ),
    ),
)
