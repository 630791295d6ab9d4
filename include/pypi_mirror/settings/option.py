"""What an option of ``mirror.conf`` is."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from pypi_mirror.settings.values import Settings


def format_plain(value: Any) -> str:
    """A value as it is written in the file; None is written as nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One key of one section.

    ``field`` is the value's path in Settings, ``default`` the text that stands for a missing line (None:
    no value, or one made from other options), ``doc`` says what it does, in one line. A ``many`` option is
    a list, an item a line; ``words`` splits the lines at spaces and commas. ``empty`` allows a line without
    a value, which then means ``when_empty``. ``variable`` is the environment variable that overrides the
    file, the place for secrets, read by ``parse_variable``. ``get`` is for options that fill several fields.
    """

    section: str
    key: str
    field: str
    parse: Callable[[str], Any]
    doc: str
    default: str | None = None
    aliases: tuple[str, ...] = ()
    required: bool = False
    many: bool = False
    words: bool = False
    empty: bool = False
    when_empty: Any = None
    format: Callable[[Any], str] = format_plain
    get: Callable[[Settings], Any] | None = None
    variable: str | None = None
    parse_variable: Callable[[str], Any] | None = None

    @property
    def place(self) -> str:
        return f"[{self.section}] {self.key}"

    def value_in(self, settings: Settings) -> Any:
        return attrgetter(self.field)(settings) if self.get is None else self.get(settings)
