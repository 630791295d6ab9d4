"""The name map: what nginx needs to send ``/simple/Zope.Interface/`` to ``/simple/zope-interface/``.

nginx cannot turn a string to lower case, but its ``map`` compares without regard to case. The rendered
configuration first makes one ``-`` of every run of ``.``, ``_`` and ``-`` (up to ``SEGMENTS`` parts), so a
line's key is the normalized name, and one line serves every spelling. Projects whose display name is the
normalized name get no line, which halves the table: nobody links to ``/simple/REQUESTS/``.

Display names are upstream's words: only names of the core metadata specification's form are written.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from pypi_mirror.disk import open_temporary
from pypi_mirror.webserver.maps import Map, Rule

SEGMENTS = 16
"""Parts of a name that the rendered regular expressions can join again."""

LONGEST_KEY = 440
"""Longer names get no line: a key must fit into a bucket of nginx's hash table (see ``render``)."""

NORMALIZED = r"[a-z0-9]+(?:-[a-z0-9]+)*"
"""Regular expression of a normalized name (PEP 503), one way only to match it."""

SPELLED = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
"""Regular expression of a name as the core metadata specification allows it."""

_HEADER = b"# Any spelling of a project's name, separators made -, to its normalized name. Generated.\n"
_NAME = re.compile(SPELLED)
_SEPARATORS = re.compile(r"[._-]+")
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMap:
    """A written map: how many lines it has and the SHA-256 of its bytes, for a configuration to depend on."""

    path: Path
    lines: int
    digest: bytes


def read_name_map(path: Path) -> NameMap:
    """Measure the map at ``path``; an empty one is written first if there is none yet."""
    if not path.exists():
        write_name_map(path, ())
    lines = 0
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            lines += block.count(b"\n")
            digest.update(block)
    return NameMap(path=path, lines=lines, digest=digest.digest())


def write_name_map(path: Path, pairs: Iterable[tuple[str, str]]) -> bool:
    """Write the map of ``(display name, normalized name)`` pairs; return whether the file changed.

    Streams: memory does not grow with the number of pairs. Each project comes once (as the ledger has
    it); a repeated neighbour is merged. Hostile or malformed names are left out. ``OSError`` if the disk
    refuses; the old map is then untouched.
    """
    with open_temporary(path.parent) as file:
        block = bytearray(_HEADER)
        previous = ""
        for display, normalized in pairs:
            if normalized == previous:
                continue
            for key in _keys(display, normalized):
                block += f"{key} {normalized};\n".encode()
                previous = normalized
            if len(block) >= _BLOCK:
                file.write(bytes(block))
                block.clear()
        file.write(bytes(block))
        if file.equals(path):
            return False
        file.publish(path, durable=True)
    return True


def spelling_maps(names: Path) -> tuple[Map, Map]:
    """From ``$mirror_spelling`` to ``$mirror_normalized``, which is empty where no project is known by it.

    A spelling that is all lower case needs no line in ``names``; whether there is such a project, the
    page's location finds out.
    """
    part = "[^._-]+"
    joined = tuple(
        Rule(
            pattern="^" + "[._-]+".join(f"(?<mirror_p{n}>{part})" for n in range(1, parts + 1)) + r"\z",
            value="-".join(f"${{mirror_p{n}}}" for n in range(1, parts + 1)),
        )
        for parts in range(2, SEGMENTS + 1)
    )
    return (
        Map(
            comment="One - for every run of separators.",
            source="$mirror_spelling",
            target="$mirror_dashed",
            default="$mirror_spelling",
            rules=(Rule(pattern=rf"^{part}(?:-{part})*\z", value="$mirror_spelling"), *joined),
        ),
        Map(
            comment="A project's name in any case, to its normalized name; empty where there is none.",
            source="$mirror_dashed",
            target="$mirror_normalized",
            default="",
            # nginx's "~" compares case, "~*" would not: upper-case letters must come out of the name map.
            rules=(Rule(pattern=rf"^{NORMALIZED}\z", value="$mirror_dashed", ignore_case=False),),
            include=names,
        ),
    )


def _keys(display: str, normalized: str) -> tuple[str, ...]:
    if display == normalized or len(display) > LONGEST_KEY or not _NAME.fullmatch(display):
        return ()
    if canonicalize_name(display) != normalized:
        return ()
    spelled = display.lower()
    if spelled != normalized and len(_SEPARATORS.split(display)) > SEGMENTS:
        # More parts than nginx joins: this spelling, at least, is known as it is.
        return (normalized, spelled)
    return (normalized,)
