"""What an option of ``mirror.conf`` is, and how a dataclass declares one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

_METADATA: Final = "option"


def format_plain(value: Any) -> str:
    """Return a value as it is written in the file; None is written as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of the file: what it is about, and the page of ``docs/`` that explains it (Markdown)."""

    name: str
    doc: str
    see: str


_OF_THE_CLASS: Final = Section(name="", doc="", see="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key of one section.

    The value is the field ``name`` of the dataclass ``owner``. ``doc`` says in one line what the option does,
    ``more`` is what the template adds: sentences, and lines that begin with spaces, which stay as they are.

    ``default`` is the text that stands for a missing line, None where there is no value or it is made from
    other options. A ``many`` option is a list, an item a line; ``words`` splits the lines at spaces and
    commas, and in a ``verbatim`` one # begins no comment. A ``keyed`` list takes every other key of its
    section as items ``key = text``. ``empty`` allows a line without a value, which then means ``when_empty``.
    ``variable`` is the environment variable that overrides the file, the place for secrets, read by
    ``parse_variable``.

    In the template a commented line shows the default or ``example``; ``preset`` is a line that is in force.
    Pages look different under another value of an option that is of the ``look``. For a filter's option,
    ``decides_files`` returns the part of the value that decides over the files of a selected project, and
    ``decides`` is false where the value only says where to find what decides.
    """

    parse: Callable[[str], Any]
    doc: str
    more: str = ""
    section: Section = _OF_THE_CLASS
    key: str = ""
    name: str = ""
    owner: type | None = None
    aliases: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    many: bool = False
    words: bool = False
    verbatim: bool = False
    keyed: bool = False
    empty: bool = False
    when_empty: Any = None
    format: Callable[[Any], str] = format_plain
    variable: str | None = None
    parse_variable: Callable[[str], Any] | None = None
    example: tuple[str, ...] = ()
    preset: str | None = None
    look: bool = False
    decides_files: Callable[[Any], Any] | None = None
    decides: bool = True

    @property
    def place(self) -> str:
        return place(self.section.name, self.key)

    @property
    def default_value(self) -> Any:
        """The value where the file has no line."""
        if self.default is None:
            return () if self.many else self.when_empty
        value = self.parse(self.default)
        return (value,) if self.many else value

    def texts(self, value: Any) -> tuple[str, ...]:
        """Return the value as it is written in the file, an item of a list at a time."""
        return tuple(map(self.format, value if self.many else (value,)))


def place(section: str, key: str) -> str:
    """Return how messages name an option: ``[mirror] workers``."""
    return f"[{section}] {key}"


def declare(parse: Callable[[str], Any], doc: str, more: str = "", **attributes: Any) -> Mapping[str, Any]:
    """Return the metadata of a dataclass's field that is an option without a default value in the code."""
    return {_METADATA: Option(parse=parse, doc=doc, more=more, **attributes)}


def option(parse: Callable[[str], Any], doc: str, more: str = "", **attributes: Any) -> Any:
    """Declare a dataclass's field as an option; ``attributes`` are those of ``Option``.

    The key is the field's name with dashes, unless ``key`` says another, and the section that of the class.
    """
    metadata = declare(parse, doc, more, **attributes)
    return field(default=metadata[_METADATA].default_value, metadata=metadata)


def options_of(owner: type, section: Section) -> tuple[Option, ...]:
    """Return the options that a dataclass declares, in their order; ``section`` is where most of them are."""
    return tuple(
        replace(
            declared,
            section=section if declared.section is _OF_THE_CLASS else declared.section,
            key=declared.key or each.name.replace("_", "-"),
            name=each.name,
            owner=owner,
        )
        for each in fields(owner)
        if (declared := each.metadata.get(_METADATA)) is not None
    )
