"""The links of an HTML document, read in a time that grows with its length alone, whatever it holds.

This is the tokenization of HTML (WHATWG, section 13.2.5) as far as links need it. Parsers that build a tree,
and the standard library's, take the square of the length for some documents, trees kilobytes for each tag.
Expressions go over the bytes as they came, which mean the same in UTF-8; only what is asked for is decoded.
They never go back: each byte is looked at a few times at most.
"""

import html
import re
from collections.abc import Callable, Iterator
from html.entities import html5
from typing import Final, NamedTuple

# Behind an attribute's name: its value, up to its end. Where that never comes, the document ends in the tag.
_VALUE: Final = r"""
    (?: [\t\n\f\r\ ]*+ = [\t\n\f\r\ ]*+
        (?: "([^"]*+)" | '([^']*+)' | ([^\t\n\f\r\ >"'] [^\t\n\f\r\ >]*+) | (?=>|\Z) )
      | (?! [\t\n\f\r\ ]*+ = ) )
"""
_ATTRIBUTE: Final = r"[^\t\n\f\r\ />] [^\t\n\f\r\ />=]*+" + re.sub(r"[(](?![?])", "(?:", _VALUE)
# CPython up to 3.11.4 goes on from the wrong place where the last turn of a possessive repetition fails in an
# assertion (gh-106052), unless another alternative fails after it.
_NEVER: Final = "(?!)"
_ATTRIBUTES: Final = rf"(?: [\t\n\f\r\ /]++ | {_ATTRIBUTE} | {_NEVER} )*+"
# What is between these tags is text, whatever it looks like.
_TEXT_ONLY: Final = "script|style|title|textarea|xmp|iframe|noembed|noframes"
_READ: Final = rf"(?: a | base | meta | plaintext | {_TEXT_ONLY} ) (?=[\t\n\f\r\ />])"
# Tags that are not read, comments, and what only looks like a tag.
_PASSED: Final = rf"""
    < (?: (?! {_READ} ) [a-z] [^\t\n\f\r\ />]*+ {_ATTRIBUTES} >
        | / [a-z] [^\t\n\f\r\ />]*+ {_ATTRIBUTES} >
        | !-- (?: -?+> | .*?--!?+> )
        | (?! !-- | /[a-z] ) [!?/] [^>]*+ >
        | (?! [a-z!?/] )
    )
"""
_UNTIL_READ: Final = rf"[^<]*+ (?: {_PASSED} [^<]*+ | {_NEVER} )*+"
_UNTIL_ANCHOR_ENDS: Final = rf"[^<]*+ (?: (?! </a[\t\n\f\r\ />] ) {_PASSED} [^<]*+ | {_NEVER} )*+"
_FLAGS: Final = re.VERBOSE | re.IGNORECASE | re.DOTALL
_ELEMENT: Final = re.compile(
    rf"""
    {_UNTIL_READ} <
    (?: (a) (?=[\t\n\f\r\ />]) ({_ATTRIBUTES}) > ({_UNTIL_ANCHOR_ENDS})
      | (base|meta|{_TEXT_ONLY}) (?=[\t\n\f\r\ />]) ({_ATTRIBUTES}) > )
    """.encode(),
    _FLAGS,
)
_PASSED_IN_TEXT: Final = re.compile(_PASSED.encode(), _FLAGS)
_TEXT_ENDS: Final = {
    name.encode(): re.compile(rf"</{name}(?=[\t\n\f\r />])".encode(), re.IGNORECASE)
    for name in _TEXT_ONLY.split("|")
}
_REFERENCE: Final = re.compile(r"&(?:#[0-9]++|#[xX][0-9a-fA-F]++|[A-Za-z][A-Za-z0-9]*+);?")
# Of a character reference; HTML's longest name has 33 with the marks around it.
_MAX_REFERENCE: Final = 40
_REFERENCE_STEPS: Final = 3
# Bytes of one tag: a yank reason of the longest, each of its characters written as &#NN;.
_MAX_ATTRIBUTES: Final = 384 * 1024


class Names:
    """Names of attributes that somebody reads."""

    def __init__(self, *names: str) -> None:
        one = rf"(?: {'|'.join(names)} ) (?=[\t\n\f\r\ />=]|\Z)"
        self.next: Final = re.compile(
            rf"(?: [\t\n\f\r\ /]++ | (?! {one} ) {_ATTRIBUTE} | {_NEVER} )*+ ({one}) {_VALUE}".encode(),
            _FLAGS,
        )


class TooMuchMarkup(ValueError):
    """Reading the document takes more steps than its reader allows, or a tag is longer than any."""


class Element(NamedTuple):
    """An ``a`` with what is in it, up to the next one, or a ``base`` or ``meta``; as the document has it."""

    name: bytes
    attributes: bytes
    content: bytes


class HtmlElements:
    """Reads ``body``. Each "<" and each attribute that is read is a step, a character reference three.

    A step takes below a microsecond; TooMuchMarkup is raised after ``most_steps``.
    """

    def __init__(self, body: bytes, *, most_steps: int) -> None:
        self.steps = 0
        self._body = body
        self._most = most_steps

    def __iter__(self) -> Iterator[Element]:
        """The elements in their order; one whose tag the end of the document cuts off is none."""
        body, at = self._body, 0
        self.spend(body.count(b"<"))
        while (match := _ELEMENT.match(body, at)) is not None:
            anchor, attributes, content, name, others = match.groups()
            at = match.end()
            if len(others if attributes is None else attributes) > _MAX_ATTRIBUTES:
                raise TooMuchMarkup("a tag that is longer than any text in it")
            if anchor is not None:
                yield Element(b"a", attributes, content)
                continue
            name = name.lower()
            if (text_end := _TEXT_ENDS.get(name)) is None:
                yield Element(name, others, b"")
            elif (found := text_end.search(body, at)) is None:
                return
            else:
                at = found.start()

    def attributes(self, element: Element, names: Names) -> dict[str, str]:
        """The attributes of these ``names``. Of several the first counts; one without a value is empty."""
        found: dict[str, str] = {}
        at = 0
        # Not `finditer`: behind the last of them it would search from every place.
        while (match := names.next.match(element.attributes, at)) is not None:
            self.spend(1)
            at = match.end()
            name, *values = match.groups(b"")
            if (key := name.decode().lower()) not in found:
                found[key] = self._decoded(b"".join(values), _in_attribute)
        return found

    def text(self, element: Element) -> str:
        """The text in ``element``, without tags."""
        content = element.content
        if b"<" in content:
            content = _PASSED_IN_TEXT.sub(_no_tag, content)
        return self._decoded(content, _in_text)

    def spend(self, steps: int) -> None:
        """Counts ``steps`` that a reader takes itself for what this document holds."""
        self.steps += steps
        if self.steps > self._most:
            raise TooMuchMarkup(
                f"more tags, attributes, character references and links than any index; {self._most:,} "
                "are the most"
            )

    def _decoded(self, raw: bytes, replaced: Callable[[re.Match[str]], str]) -> str:
        text = raw.decode("utf-8", "replace")
        if "&" not in text:
            return text
        self.spend(_REFERENCE_STEPS * text.count("&"))
        return _REFERENCE.sub(replaced, text)


def _no_tag(match: re.Match[bytes]) -> bytes:
    # A "<" that begins no tag is text.
    return b"<" if match[0] == b"<" else b""


def _in_text(reference: re.Match[str]) -> str:
    whole = reference[0]
    if len(whole) <= _MAX_REFERENCE:
        return html.unescape(whole)
    return "\N{REPLACEMENT CHARACTER}" if whole[1] == "#" else whole


def _in_attribute(reference: re.Match[str]) -> str:
    """In an address, ``&copy=1`` is a parameter (section 13.2.5.73)."""
    whole, end = reference[0], reference.end()
    if whole[1] != "#" and (
        whole[1:] not in html5 or (whole[-1] != ";" and reference.string[end : end + 1] == "=")
    ):
        return whole
    return _in_text(reference)
