"""bandersnatch's configuration syntax, read with its line numbers.

The rules are those of ``configparser.ConfigParser(delimiters="=")`` with case-sensitive keys, which is
what bandersnatch uses: ``[section]``, ``key = value``, deeper indented lines continue a value, lines that
begin with ``#`` or ``;`` are comments, ``%(key)s`` refers to a key of the same section or of ``[DEFAULT]``,
``%%`` is a percent sign. The standard parser stops at some mistakes and forgets where values stood, so
the lines are read here; a test compares the two over generated files.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pypi_mirror.errors import Mistake

DEFAULT = "DEFAULT"
_HEADER = re.compile(r"\[(?P<name>.+)\]")
_REFERENCE = re.compile(r"%(?:(?P<percent>%)|\((?P<key>[^)]+)\)s|(?P<bad>.?))")
_MAX_DEPTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a value, stripped; ``number`` counts from 1."""

    number: int
    text: str


@dataclass(slots=True, kw_only=True)
class Entry:
    """``key = value`` as written, references not yet resolved; the first line may be empty text."""

    key: str
    lines: list[Line]

    @property
    def number(self) -> int:
        return self.lines[0].number


@dataclass(slots=True, kw_only=True)
class Section:
    name: str
    number: int
    entries: dict[str, Entry] = field(default_factory=dict)


def parse_sections(
    text: str, home: Callable[[str], str] = lambda _: "section"
) -> tuple[dict[str, Section], list[Mistake]]:
    """The sections of a file by name, and every violation of the syntax; ``home`` is the section of a key."""
    sections: dict[str, Section] = {}
    mistakes: list[Mistake] = []
    section: Section | None = None
    entry: Entry | None = None
    indent = 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith(("#", ";")):
            continue
        depth = len(line) - len(line.lstrip())
        if entry is not None and depth > indent:
            entry.lines.append(Line(number=number, text=stripped))
            continue
        indent = depth
        if header := _HEADER.match(stripped):
            section, entry = _open_section(sections, header["name"], number, mistakes), None
        else:
            entry = _read_entry(section, stripped, number, mistakes, home) or entry
    return sections, mistakes


def _open_section(sections: dict[str, Section], name: str, number: int, mistakes: list[Mistake]) -> Section:
    known = sections.get(name)
    if known is None:
        return sections.setdefault(name, Section(name=name, number=number))
    if name != DEFAULT:
        message = f"the section appears twice, first in line {known.number}; merge the two"
        mistakes.append(Mistake(line=number, key=f"[{name}]", message=message))
    return known


def _read_entry(
    section: Section | None,
    stripped: str,
    number: int,
    mistakes: list[Mistake],
    home: Callable[[str], str],
) -> Entry | None:
    key, equals, value = stripped.partition("=")
    key = key.rstrip()
    place = f"[{section.name}]" if section else "(no section)"
    if not equals or not key:
        what = "a line must be `[section]`, `key = value`, a comment, or an indented part of the value above"
        mistakes.append(Mistake(line=number, key=place, message=f"{stripped!r} cannot be read: {what}"))
        return None
    entry = Entry(key=key, lines=[Line(number=number, text=value.strip())])
    if section is None:
        message = f"the key stands before the first section; write a line `[{home(key)}]` above it"
        mistakes.append(Mistake(line=number, key=key, message=message))
    elif key in section.entries:
        first = section.entries[key].number
        message = f"the key is set twice, first in line {first}; keep one"
        mistakes.append(Mistake(line=number, key=f"{place} {key}", message=message))
    else:
        section.entries[key] = entry
    return entry


class BadReference(ValueError):
    """A ``%`` in a value that is neither ``%%`` nor a reference to a key that exists."""


def resolve(lines: Sequence[Line], variables: Mapping[str, str]) -> list[Line]:
    """``lines`` with ``%(key)s`` and ``%%`` replaced; references to values of several lines bring more lines.

    Raises BadReference, with the line's number in ``args[1]``.
    """
    resolved = []
    for line in lines:
        try:
            text = _resolve_text(line.text, variables, depth=1)
        except BadReference as error:
            raise BadReference(error.args[0], line.number) from None
        resolved += [Line(number=line.number, text=part.strip()) for part in text.split("\n")]
    return resolved


def references(text: str) -> set[str]:
    """The keys that ``%(key)s`` names in ``text``."""
    return {match["key"] for match in _REFERENCE.finditer(text) if match["key"]}


def _resolve_text(text: str, variables: Mapping[str, str], depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise BadReference("the references are circular, or nested more than ten deep")

    def replace(match: re.Match[str]) -> str:
        if match["percent"]:
            return "%"
        key = match["key"]
        if key is None:
            raise BadReference("a percent sign is written %%; %(key)s refers to another key")
        if key not in variables:
            raise BadReference(f"%({key})s refers to a key that is neither in this section nor in [DEFAULT]")
        return _resolve_text(variables[key], variables, depth + 1)

    return _REFERENCE.sub(replace, text)
