"""What one release requires: the dependencies in its core metadata (PEP 566, 643, 685).

Releases are decades old and nobody checks what upstream has: what cannot be read costs nothing of the rest.
An unreadable specifier admits any version, an unreadable marker counts as true, and both are named.
"""

import re
from collections.abc import Iterator, Sequence
from email.parser import BytesHeaderParser
from functools import lru_cache
from typing import Final

import msgspec
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.demands.demand import shown, why_unserved

# More than any real release has; what is beyond is a mistake, or an attack.
MOST_REQUIREMENTS: Final = 10_000
# Characters of a requirement; the longest of real ones have a few hundred.
_LONGEST: Final = 4_096
_SHOWN: Final = 100
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
# What of a requirement can be read where PEP 508 cannot: name, extras, and a marker behind the semicolon.
_LOOSE: Final = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?[^;]*(?:;(?P<marker>.*))?",
    re.DOTALL,
)
# ``extra == 'tests'``, as ``packaging`` writes it.
_EXTRA: Final = re.compile(r"""\bextra == "([^"]+)"|"([^"]+)" == extra\b""")


class Requires(msgspec.Struct, frozen=True, array_like=True):
    """One dependency: ``project`` and ``extras`` are normalized, ``specifier`` (PEP 440) is empty for any
    version, ``marker`` (PEP 508) where it always holds.
    """

    project: NormalizedName
    specifier: str = ""
    extras: tuple[str, ...] = ()
    marker: str = ""


class CoreMetadata(msgspec.Struct, frozen=True, array_like=True):
    """The dependencies of a release, as one of its files states them.

    ``extras`` are those it has, ``default_extras`` those that an installer takes where none is asked for (PEP
    771). ``remarks`` say what could not be read, or is not on an index. ``is_final`` is false where a source
    archive says that building it decides (PEP 643). ``doubts`` say, as half a sentence each, why more may be
    required than is named.
    """

    requires: tuple[Requires, ...] = ()
    extras: tuple[str, ...] = ()
    default_extras: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    is_final: bool = True
    doubts: tuple[str, ...] = ()


def parse_core_metadata(content: bytes) -> CoreMetadata:
    """Read METADATA of a wheel or PKG-INFO of a source archive; only its headers are looked at."""
    head = BytesHeaderParser().parsebytes(_END_OF_HEAD.split(content, maxsplit=1)[0])

    def texts(name: str) -> list[str]:
        return [" ".join(str(value).split()) for value in head.get_all(name, [])]

    dynamic = {value.lower() for value in texts("Dynamic")}
    return make_core_metadata(
        texts("Requires-Dist"),
        texts("Provides-Extra"),
        default_extras=texts("Default-Extra"),
        is_final=_says_all(texts("Metadata-Version")) and "requires-dist" not in dynamic,
    )


def make_core_metadata(
    requires_dist: Sequence[str],
    provides_extra: Sequence[str] = (),
    *,
    default_extras: Sequence[str] = (),
    is_final: bool = True,
) -> CoreMetadata:
    """Return what these fields say; of requirements that cannot be read, the remarks tell."""
    remarks: dict[str, None] = {}
    if len(requires_dist) > MOST_REQUIREMENTS:
        remarks[f"it has {len(requires_dist):,} requirements, of which {MOST_REQUIREMENTS:,} count"] = None
    requires: dict[Requires, None] = {}
    for line in requires_dist[:MOST_REQUIREMENTS]:
        found, remark = _parse(line)
        if found is not None:
            requires[found] = None
        if remark:
            remarks[remark] = None
    named = [*provides_extra, *_extras_in(each.marker for each in requires)]
    return CoreMetadata(
        requires=tuple(requires),
        extras=tuple(dict.fromkeys(map(canonicalize_name, named))),
        default_extras=tuple(dict.fromkeys(map(canonicalize_name, default_extras))),
        remarks=tuple(remarks),
        is_final=is_final,
    )


def _says_all(versions: list[str]) -> bool:
    """Whether metadata of this version names what building may still change: from 2.2 on."""
    major, _, minor = (versions or ["0"])[0].partition(".")
    return (int(major), int(minor)) >= (2, 2) if major.isdecimal() and minor.isdecimal() else False


def _extras_in(markers: Iterator[str]) -> Iterator[str]:
    """The extras that markers name: before Metadata 2.1, and in much that was made by hand, nothing else
    does.
    """
    for marker in markers:
        for first, second in _EXTRA.findall(marker):
            yield first or second


@lru_cache(maxsize=16_384)
def _parse(text: str) -> tuple[Requires | None, str]:
    """The requirement, and what has to be said of it."""
    from packaging.requirements import InvalidRequirement, Requirement

    said = shown(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    if len(text) > _LONGEST:
        return None, f"{said}: a requirement of {len(text):,} characters is not read"
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, ValueError, RecursionError):
        return _parse_loosely(text, said)
    if requirement.url is not None:
        return None, f"{said}: {why_unserved(requirement.url)}"
    return Requires(
        canonicalize_name(requirement.name),
        str(requirement.specifier),
        tuple(sorted(map(canonicalize_name, requirement.extras))),
        "" if requirement.marker is None else str(requirement.marker),
    ), ""


def _parse_loosely(text: str, said: str) -> tuple[Requires | None, str]:
    from packaging.markers import InvalidMarker, Marker

    found = _LOOSE.fullmatch(text)
    try:
        name = canonicalize_name(found["name"] if found is not None else "", validate=True)
    except InvalidName:
        return None, f"{said}: this is not a requirement (PEP 508)"
    assert found is not None  # noqa: S101 - or the name were empty
    extras = [each.strip() for each in (found["extras"] or "").split(",")]
    marker, why = "", "its versions cannot be read, so that any will do"
    if found["marker"] is not None:
        try:
            marker = str(Marker(found["marker"].strip()))
        except (InvalidMarker, ValueError, RecursionError):
            why = "it cannot be read, so that it counts everywhere, in any version"
    normalized = tuple(sorted(canonicalize_name(each) for each in extras if each))
    return Requires(name, "", normalized, marker), f"{said}: {why}"
