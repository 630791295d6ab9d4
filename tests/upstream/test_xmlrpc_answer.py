"""What an XML-RPC answer may be: read within bounds of memory, whatever is in it."""

import resource
import xmlrpc.client
from typing import Any

import pytest

from pypi_mirror.upstream.xmlrpc_answer import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_TAGS,
    BadAnswer,
    read_answer,
)

ANSWER = "<methodResponse><params><param><value>{}</value></param></params></methodResponse>"
ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x" * 1000}">' for n in range(8))


def said(value: Any) -> bytes:
    return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True).encode()


@pytest.mark.parametrize(
    "value",
    [
        7, True, "ä€", "", None, [], [["alpha", None, 1700000000, "create", 6]] * 3, {"a": 1}, "a\nb\n<&>",
    ],
)  # fmt: skip
def test_a_value_is_read(value: Any) -> None:
    assert read_answer(said(value)) == value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp1252"])
def test_in_every_encoding(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>" + ANSWER.format("<string>äöü</string>")
    assert read_answer(text.encode(encoding)) == "äöü"


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x0b", "\x1b", "\x1f"])
def test_a_character_that_xml_does_not_have_costs_itself(character: str) -> None:
    event = ["alpha", None, 1700000000, f"add py3 file a{character}.whl", 6]
    assert read_answer(said([event])) == [[*event[:3], "add py3 file a?.whl", 6]]


def test_a_fault_is_raised() -> None:
    with pytest.raises(xmlrpc.client.Fault, match="too many"):
        read_answer(xmlrpc.client.dumps(xmlrpc.client.Fault(1, "too many"), methodresponse=True).encode())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (f"<!DOCTYPE x [{ENTITIES}]>{ANSWER.format('&e7;')}", "DOCTYPE"),
        (f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{ANSWER.format("")}', "DOCTYPE"),
        (ANSWER.format("&e;"), "entity"),
        (ANSWER.format("<array><data><value>" * 40 + "</value></data></array>" * 40), "nested"),
        ("<x>" * (MAX_DEPTH + 1) + "</x>" * (MAX_DEPTH + 1), "nested"),
        (ANSWER.format("<array><data>" + "<value/>" * MAX_TAGS + "</data></array>"), "more elements"),
        (ANSWER.format("<int" + " a=''" * (MAX_ATTRIBUTES + 1) + ">1</int>"), "more elements"),
        ("", ""),
        ("<", ""),
        ("<methodResponse/>", ""),
        ("<methodResponse><params></params></methodResponse>", ""),
        (ANSWER.format("<int>x</int>"), ""),
        (ANSWER.format(f"<int>{'9' * 100_000}</int>"), ""),
        (ANSWER.format("<bigdecimal>x</bigdecimal>"), ""),
        (ANSWER.format("<base64>x</base64>"), ""),
        (ANSWER.format("<dateTime.iso8601>x</dateTime.iso8601>"), ""),
    ],
    ids=lambda each: each[:30] if isinstance(each, str) else None,
)
def test_what_is_no_answer_or_beyond_the_bounds(body: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why or None):
        read_answer(body.encode())


@pytest.mark.slow
@pytest.mark.parametrize(
    "inside",
    [
        "<string>" + "\n" * 20_000_000 + "</string>",
        "<string>" + "&#10;" * 4_000_000 + "</string>",
        "<array><data>" + "<value><struct></struct></value>" * 100_000 + "</data></array>",
    ],
    ids=["lines", "references", "structs"],
)
def test_memory_stays_near_the_size_of_the_answer(inside: str) -> None:
    body = ANSWER.format(inside).encode()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_answer(body)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 160 * 1024
