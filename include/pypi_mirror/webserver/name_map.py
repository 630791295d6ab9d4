"""The name map: a line a project, by which nginx knows every spelling of its name and its serial.

nginx cannot turn a string to lower case, but its ``map`` compares without regard to case. The rendered
configuration first makes one ``-`` of every run of ``.``, ``_`` and ``-`` (up to ``SEGMENTS`` parts), so a
line's key is the normalized name, and one line serves every spelling. Its value is that name and the
project's serial, ``zope-interface:12345``. The line without a name has the serial of the root index.

730,000 projects take nginx 115 MB, which its workers share, and a second or two of each reload.

Display names are upstream's words: only names of the core metadata specification's form are written.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct
from packaging.utils import canonicalize_name

from pypi_mirror.disk.writing import AtomicFile
from pypi_mirror.model import IndexEntry
from pypi_mirror.webserver.maps import Map, Rule

SEGMENTS = 16
"""Parts of a name that the rendered regular expressions can join again."""

LONGEST_KEY = 440
"""Longer names get no line: a key must fit into a bucket of nginx's hash table (see ``render``)."""

NORMALIZED = r"[a-z0-9]+(?:-[a-z0-9]+)*"
"""Regular expression of a normalized name (PEP 503), one way only to match it."""

SPELLED = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
"""Regular expression of a name as the core metadata specification allows it."""

_HEADER = b"# Any spelling of a project's name, separators made -, to its normalized name and serial.\n"
_NAME = re.compile(SPELLED)
_SEPARATORS = re.compile(r"[._-]+")
_BLOCK = 1 << 16


class NameMap(Struct, frozen=True, kw_only=True):
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


def is_current(path: Path) -> bool:
    """Whether there is a map of this form at ``path``; those of earlier versions have no serials."""
    try:
        with path.open("rb") as file:
            return file.read(len(_HEADER)) == _HEADER
    except FileNotFoundError:
        return False


def write_name_map(path: Path, entries: Iterable[IndexEntry], *, serial: int | None = None) -> bool:
    """Write the map of the root index's ``entries``; return whether the file changed. ``serial`` is the
    index's, None where upstream has no serials.

    Streams: memory does not grow with the number of entries. Each project comes once (as the ledger has
    it); a repeated neighbour is merged. Hostile or malformed names are left out. ``OSError`` if the disk
    refuses; the old map is then untouched.
    """
    with AtomicFile(path.parent) as file:
        block = bytearray(_HEADER)
        if serial is not None:
            block += f'"" :{serial};\n'.encode()
        previous = ""
        for entry in entries:
            if entry.project == previous:
                continue
            for key in _keys(entry.name, entry.project):
                number = "" if entry.serial is None else entry.serial
                block += f"{key} {entry.project}:{number};\n".encode()
                previous = entry.project
            if len(block) >= _BLOCK:
                file.write(bytes(block))
                block.clear()
        file.write(bytes(block))
        if file.equals(path):
            return False
        file.publish(path, durable=True)
    return True


def spelling_maps(names: Path, *, hash_index: bool = False) -> tuple[Map, ...]:
    """From ``$mirror_spelling`` to ``$mirror_normalized``, which is empty where no project is known by it,
    and to ``$mirror_serial``: the project's, or the root index's where there is no spelling.

    A spelling that is all lower case needs no line in ``names``, for the page may be newer; whether there is
    such a project, the page's location finds out. With ``hash_index``, ``$mirror_directory`` is where the
    page is.
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
            comment="A project's name in any case, to its normalized name and serial; empty if unknown.",
            source="$mirror_dashed",
            target="$mirror_entry",
            default="",
            # nginx's "~" compares case, "~*" would not: upper-case letters must come out of the name map.
            rules=(Rule(pattern=rf"^{NORMALIZED}\z", value="$mirror_dashed:", ignore_case=False),),
            include=names,
        ),
        Map(
            source="$mirror_entry",
            target="$mirror_normalized",
            default="",
            rules=(Rule(pattern="^(?<mirror_name>[^:]+)", value="$mirror_name"),),
        ),
        Map(
            source="$mirror_entry",
            target="$mirror_serial",
            default="",
            rules=(Rule(pattern=r":(?<mirror_number>[0-9]+)\z", value="$mirror_number"),),
        ),
        *(
            (
                Map(
                    comment="hash-index: the page's directory.",
                    source="$mirror_normalized",
                    target="$mirror_directory",
                    default="",
                    rules=(Rule(pattern="^(?<mirror_letter>.)", value="$mirror_letter/$mirror_normalized"),),
                ),
            )
            if hash_index
            else ()
        ),
    )


def _keys(display: str, normalized: str) -> tuple[str, ...]:
    if len(display) > LONGEST_KEY or not _NAME.fullmatch(display):
        return ()
    if canonicalize_name(display) != normalized:
        return ()
    spelled = display.lower()
    if spelled != normalized and len(_SEPARATORS.split(display)) > SEGMENTS:
        # More parts than nginx joins: this spelling, at least, is known as it is.
        return (normalized, spelled)
    return (normalized,)
