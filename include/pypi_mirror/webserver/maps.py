"""nginx's ``map``, its only way to compute, and content negotiation in it (RFC 9110, 12.5.1; PEP 691).

nginx has no negotiation of its own, but its maps can read an ``Accept`` header exactly:

1. For each media type a map finds the first element of the header that speaks of it, the type itself
   before ``application/*`` before ``*/*``, and yields ``<specificity>:<weight>``.
2. A second map writes the weight with all its digits, ``<4 digits><specificity>``: 0.5 by name is ``05002``.
   Numbers of one length compare as text.
3. Then the better one of two, by a regular expression: after a common prefix the digit is higher.

The highest weight wins. Between equal weights a type that the client named wins over one that merely a
wildcard lets through, among named ones JSON, among the others HTML, which is what people's browsers get.
Elements whose weight is malformed are ignored. Where nothing is acceptable, the answer is HTML, as
upstream's is: PEP 691 lets a server do so, and the client can see the content type.
"""

from pathlib import Path

from msgspec import Struct

from pypi_mirror.settings.values import SimpleFormat

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
V1_HTML_TYPE = "application/vnd.pypi.simple.v1+html"
HTML_TYPE = "text/html; charset=utf-8"

_BLANK = r"[ \t]*"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
# Possessive repeats: a hostile header costs one pass, never a search through all ways to split it.
_SKIPPED_ELEMENTS = rf'^(?:(?:[^,"]|{_QUOTED})*+,)*?'
_PARAMETER = rf'{_BLANK};(?!{_BLANK}q{_BLANK}=)(?:[^,;"]|{_QUOTED})*+'
_WEIGHT = r"(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)"

_NAMED, _BY_TYPE, _BY_ANY = "2", "1", "0"


class Rule(Struct, frozen=True, kw_only=True):
    """A line of a map. ``pattern`` is a regular expression or, if ``exact``, plain text.

    ``value`` may name variables, those that the pattern's named groups set among them. Groups are named
    and not numbered because evaluating a map overwrites the ``$1`` of whoever asks for its variable.
    """

    pattern: str
    value: str
    exact: bool = False
    ignore_case: bool = True


class Map(Struct, frozen=True, kw_only=True):
    """``map "source" $target { … }``: plain texts first, then the first regular expression that matches.

    ``comment`` is for whoever reads the rendered file.
    """

    source: str
    target: str
    default: str
    rules: tuple[Rule, ...]
    include: Path | None = None
    comment: str = ""


def negotiation(simple_format: SimpleFormat) -> tuple[Map, ...]:
    """The maps that set ``$mirror_format`` to ``json``, ``v1html`` or ``html``; none if there is no choice.

    Where JSON and HTML are both there, ``$mirror_page`` is the file of the chosen one.
    """
    if simple_format == "JSON":
        return ()
    html = (
        *_weight_of("v1html", r"application/vnd\.pypi\.simple\.(?:v1|latest)\+html", r"application/\*"),
        *_weight_of("html", r"text/html", r"text/\*"),
        _better(
            "$mirror_v1html_weight",
            "$mirror_html_weight",
            target="$mirror_format" if simple_format == "HTML" else "$mirror_html_format",
            first="v1html",
            second="html",
        ),
    )
    if simple_format == "HTML":
        return html
    return (
        *html,
        Map(
            source="$mirror_html_format",
            target="$mirror_best_html_weight",
            default="$mirror_html_weight",
            rules=(Rule(pattern="v1html", value="$mirror_v1html_weight", exact=True),),
        ),
        *_weight_of("json", r"application/vnd\.pypi\.simple\.(?:v1|latest)\+json", r"application/\*"),
        _better(
            "$mirror_json_weight",
            "$mirror_best_html_weight",
            target="$mirror_format",
            first="json",
            second="$mirror_html_format",
        ),
        Map(
            source="$mirror_format",
            target="$mirror_page",
            default="index.html",
            rules=(Rule(pattern="json", value="index.v1_json", exact=True),),
        ),
    )


def _weight_of(name: str, media_type: str, family: str) -> tuple[Map, Map]:
    found = f"$mirror_{name}_found"
    capture = f"mirror_{name}_q"
    return (
        Map(
            comment=f"What Accept says of {name}: how specifically (2 by name, 0 by */*), and its weight.",
            source="$http_accept",
            target=found,
            default=f"{_BY_ANY}:0",
            rules=(
                Rule(pattern="", value=f"{_BY_ANY}:1", exact=True),
                *(
                    Rule(pattern=_element(spelled, capture), value=f"{specificity}:${capture}")
                    for spelled, specificity in (
                        (media_type, _NAMED),
                        (family, _BY_TYPE),
                        (r"\*/\*", _BY_ANY),
                    )
                ),
            ),
        ),
        Map(
            comment="The same in five digits, which compare as text: the weight, then how specifically.",
            source=found,
            target=f"$mirror_{name}_weight",
            default="00000",
            rules=tuple(
                Rule(
                    pattern=rf"^(?<mirror_{name}_s>[0-9]):{digits}\z",
                    value=value.format(d=f"${{mirror_{name}_d}}", s=f"${{mirror_{name}_s}}"),
                )
                for digits, value in (
                    (r"(?:1(?:\.0*)?)?", "1000{s}"),
                    (rf"0\.(?<mirror_{name}_d>[0-9])", "0{d}00{s}"),
                    (rf"0\.(?<mirror_{name}_d>[0-9]{{2}})", "0{d}0{s}"),
                    (rf"0\.(?<mirror_{name}_d>[0-9]{{3}})", "0{d}{s}"),
                )
            ),
        ),
    )


def _element(media_type: str, capture: str) -> str:
    weight = rf"{_BLANK};{_BLANK}q=(?<{capture}>{_WEIGHT}){_BLANK}(?=[;,]|\z)(?:{_PARAMETER})*+"
    return rf"{_SKIPPED_ELEMENTS}{_BLANK}{media_type}{_BLANK}(?:{_PARAMETER})*+(?:{weight})?{_BLANK}(?:,|\z)"


def _better(one: str, other: str, *, target: str, first: str, second: str) -> Map:
    """``first`` if the weight ``one`` beats ``other``, or equals it and was asked for by name."""
    higher = "|".join(rf"[{d + 1}-9][0-9]* \g{{1}}{d}" for d in range(9))
    return Map(
        comment=f"{first}, where it weighs more, or as much and was asked for by name.",
        source=f"{one} {other}",
        target=target,
        default=second,
        rules=(
            Rule(pattern=r"^0000", value=second),
            Rule(pattern=rf"^([0-9]*)(?:{higher})", value=first),
            Rule(pattern=rf"^([0-9]{{4}}{_NAMED}) \g{{1}}\z", value=first),
        ),
    )
