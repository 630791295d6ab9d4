"""XML-RPC answers, read within bounds: XML that is small on the wire can be gigabytes in memory.

``xmlrpc.client`` makes the values; how much it may be given is decided here. An answer has no document type,
and so no entities of its own. Its depth, its tags and its attributes are bounded; its bytes are where they
arrive, after they are expanded.
"""

import re
import xmlrpc.client
from typing import Any, Final, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate

# A changelog nests 11 deep: methodResponse, params, param, then value, array and data twice, value, int.
MAX_DEPTH: Final = 32
# Upstream's 50,000 events have 13 elements each, and so 26 of these.
MAX_TAGS: Final = 2_000_000
# XML-RPC has no attributes; the XML declaration has two.
MAX_ATTRIBUTES: Final = 100_000
_BLOCK: Final = 1024 * 1024
_BUFFER: Final = 64 * 1024
# XML 1.0 has no such characters, and Python's XML-RPC writes them all the same: one in the name of a file
# would cost the whole changelog.
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class BadAnswer(ValueError):
    """What came is no XML-RPC answer, or one beyond the bounds."""


def read_answer(body: bytes) -> object:
    """The value that a method returned; raises xmlrpc.client.Fault where it says one, BadAnswer otherwise."""
    # Counted before anything is made of them. Every encoding that expat reads has ASCII's bytes for ASCII.
    if body.count(b"<") > MAX_TAGS or body.count(b"=") > MAX_ATTRIBUTES:
        raise BadAnswer("it has more elements than any answer")
    if b"\0" not in body[:4]:  # as UTF-16 has
        body = _CONTROL.sub(b"?", body)
    values = xmlrpc.client.Unmarshaller(use_builtin_types=True)
    values.xml("", None)  # expat gives text, whatever the encoding
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise BadAnswer(f"its elements are nested over {MAX_DEPTH} deep")
        values.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        values.end(tag)

    def refuse(*_: Any) -> NoReturn:
        raise BadAnswer("it has a document type (DOCTYPE); XML-RPC has none")

    parser = ParserCreate()
    # Without, each line of a text is a string of its own.
    parser.buffer_text, parser.buffer_size = True, _BUFFER
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = values.data
    try:
        for at in range(0, len(body), _BLOCK):
            parser.Parse(body[at : at + _BLOCK], False)
        parser.Parse(b"", True)
        return values.close()[0]
    except (xmlrpc.client.Fault, BadAnswer):
        raise
    except (ExpatError, xmlrpc.client.Error, ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise BadAnswer(str(error)) from error
