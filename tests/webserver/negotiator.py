"""RFC 9110 content negotiation, written for reading: what the maps of ``accept`` are held to."""

import re
from dataclasses import dataclass
from fractions import Fraction

_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")*')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")*')
_QVALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")

TYPES = {
    "json": ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json"),
    "v1html": ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.latest+html"),
    "html": ("text/html",),
}


@dataclass(frozen=True)
class Element:
    media_range: str
    weight: Fraction


def negotiate(accept: str | None, offered: tuple[str, ...] = ("json", "v1html", "html")) -> str:
    """The format for an ``Accept`` header; None or empty for a request without one."""
    elements = [Element("*/*", Fraction(1))] if not accept else _parse(accept)
    weights = {offer: _weigh(offer, elements) for offer in offered}
    best = max(weight for weight, _ in weights.values())
    if best == 0:
        return "html"
    winners = [offer for offer in offered if weights[offer][0] == best]
    # Asked for by type beats application/* beats */*; among named ones the order offered, else HTML first.
    specificity = max(weights[offer][1] for offer in winners)
    winners = [offer for offer in winners if weights[offer][1] == specificity]
    return winners[0] if specificity == 2 else winners[-1]


def _parse(accept: str) -> list[Element]:
    elements = []
    for text in _split(_ELEMENT, accept, ","):
        media_range, *parameters = (part.strip(" \t") for part in _split(_PARAMETER, text, ";"))
        weights = [p for p in parameters if re.match(r"q[ \t]*=", p, re.IGNORECASE)]
        if not weights:
            elements.append(Element(media_range.lower(), Fraction(1)))
        elif len(weights) == 1 and _QVALUE.fullmatch(weights[0][2:]) and weights[0][1] == "=":
            elements.append(Element(media_range.lower(), Fraction(weights[0][2:].rstrip(".") or "0")))
    return elements


def _split(piece: re.Pattern[str], text: str, separator: str) -> list[str]:
    pieces, at = [], 0
    while True:
        found = piece.match(text, at)
        assert found is not None
        pieces.append(found[0])
        at = found.end() + 1
        if at > len(text) or text[found.end()] != separator:
            return pieces


def _weigh(offer: str, elements: list[Element]) -> tuple[Fraction, int]:
    family = TYPES[offer][0].split("/")[0] + "/*"
    for specificity, ranges in ((2, TYPES[offer]), (1, (family,)), (0, ("*/*",))):
        for element in elements:
            if element.media_range in ranges:
                return element.weight, specificity
    return Fraction(0), 0
