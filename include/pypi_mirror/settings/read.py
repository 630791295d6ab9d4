"""``mirror.conf`` → Settings, or every mistake in it at once."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options import BadValue, Option
from pypi_mirror.options.diff_file import resolve_diff_file
from pypi_mirror.options.option import place as place_of
from pypi_mirror.options.parsers import LOGIN_VARIABLE, is_like, nearest
from pypi_mirror.settings import bandersnatch
from pypi_mirror.settings.assemble import assemble, made
from pypi_mirror.settings.conflicts import find_conflicts, find_contradictions, find_idle
from pypi_mirror.settings.locate import absolute, missing
from pypi_mirror.settings.options import BY_PLACE, KEYED, OPTIONS, SECTIONS
from pypi_mirror.settings.plugins import Plugins
from pypi_mirror.settings.syntax import (
    DEFAULT,
    BadReference,
    Entry,
    Line,
    Section,
    parse_sections,
    references,
    resolve,
)
from pypi_mirror.settings.values import MIRROR, Alerts, Settings

# ``key = value``, and not a package with its version.
_ASSIGNMENT: Final = re.compile(r"([\w-]+)\s*=(?!=)")
_SECTIONS = tuple(section.name for section in SECTIONS)


def read_settings(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of the configuration file ``path``.

    ``environ`` may override what can hold a secret: PYPI_MIRROR_LEDGER_URL and PYPI_MIRROR_PROXY; the login,
    PYPI_MIRROR_LOGIN, can be nowhere else. Nothing on the network is touched, and no other file is read.
    Raises ConfigurationError with all mistakes.
    """
    settings, mistakes = read_partly(path, environ)
    if mistakes:
        raise ConfigurationError(absolute(path), in_order(mistakes))
    return settings


def read_partly(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Settings, list[Mistake]]:
    """The same of a file with mistakes: options with one are as if they were not there; they are the second.

    One that has to be there is something else then. Raises ConfigurationError where there is no text at all.
    """
    path = absolute(path)
    reading = _Reading(path)
    reading.read(_load(path), environ)
    settings = assemble(path, {"[mirror] directory": path.parent, "[mirror] master": "pypi"} | reading.values)
    settings = replace(
        settings,
        login=environ.get(LOGIN_VARIABLE) or None,
        warnings=tuple(sorted(reading.warnings, key=lambda warning: warning.line or 0)),
        origin=bandersnatch.with_directory(reading.compared, settings.directory),
        lines=reading.lines_of_items,
    )
    return settings, reading.mistakes


def in_order(mistakes: Iterable[Mistake]) -> list[Mistake]:
    """By line; one without is one of the file as a whole, or of the environment: it comes last."""
    return sorted(mistakes, key=lambda mistake: (mistake.line is None, mistake.line))


def read_origin(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[bandersnatch.Comparison, ...]:
    """What each option of a file for bandersnatch comes to, of a file with mistakes, too."""
    path = absolute(path)
    reading = _Reading(path)
    try:
        reading.read(_load(path), environ)
    except ConfigurationError:
        return ()
    return reading.compared


def read_alerts(path: Path, environ: Mapping[str, str] = os.environ) -> Alerts:
    """What the file ``path`` says of alerts, as far as it can be read; of a list, the items that can.

    For a file with mistakes: one of them must not keep the message about it from those it names. Raises
    nothing; what cannot be read is as if it were not there.
    """
    path = absolute(path)
    reading = _Reading(path, tolerant=True)
    try:
        reading.read(_load(path), environ)
    except ConfigurationError:
        return Alerts()
    return made(Alerts, reading.values)


def _load(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}{missing(path)}"
        raise ConfigurationError(path, [Mistake(line=None, message=message)]) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "the file is not UTF-8 text here; save it as UTF-8"
        raise ConfigurationError(path, [Mistake(line=line, message=message)]) from error


class _Reading:
    """One pass over one file; ``values`` and ``lines`` by ``Option.place``.

    A ``tolerant`` one keeps what is right in a list that has mistakes. ``origin`` says of each option of a
    file that was written for bandersnatch what it comes to.
    """

    def __init__(self, path: Path, *, tolerant: bool = False) -> None:
        self._base = path.parent
        self._name = path.name
        self._tolerant = tolerant
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int | None] = {}
        # What the file has, if not where or as it must be.
        self._meant: set[str] = set()
        self.lines_of_items: dict[tuple[str, Any], int] = {}
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []
        self.origin: list[bandersnatch.Comparison] = []

    def read(self, text: str, environ: Mapping[str, str]) -> None:
        sections, mistakes = parse_sections(text, _home)
        self.mistakes += mistakes
        self._meant |= {option.place for option in OPTIONS for each in mistakes if each.key == option.key}
        defaults = sections.pop(DEFAULT, Section(name=DEFAULT, number=1))
        self._check_unused(defaults, sections)
        foreign = bandersnatch.is_bandersnatchs(self._name, sections, BY_PLACE)
        mistakes, self.warnings = bandersnatch.modernize(sections)
        self.mistakes += mistakes
        plugins = self._read_plugins(sections.get(bandersnatch.PLUGINS), defaults, sections)
        for section in sections.values():
            if section.name not in (*_SECTIONS, *bandersnatch.SECTIONS):
                self._read_unknown_section(section, foreign=foreign)
                continue
            variables = _variables(defaults, section)
            for entry in section.entries.values():
                lines = self._resolve(section, entry, variables)
                if lines is None:
                    if option := BY_PLACE.get((section.name, entry.key)):
                        self.lines.setdefault(option.place, entry.number)
                    continue
                if foreign:
                    self.origin += bandersnatch.compare(section.name, entry.key, lines)
                if (section.name, entry.key) != (bandersnatch.PLUGINS, bandersnatch.ENABLED):
                    self._read_entry(section, entry.key, lines, plugins)
        self._read_variables(environ)
        if plugins is not None:
            self._apply_plugins(plugins)
        self._fill_in(sections)
        self._resolve_diff_file()
        self.mistakes += find_conflicts(self.values, self.lines)
        self.warnings += find_idle(self.values, self.lines)
        self.warnings += find_contradictions(self.values, self.lines_of_items)

    @property
    def compared(self) -> tuple[bandersnatch.Comparison, ...]:
        return bandersnatch.with_warnings(self.origin, self.warnings)

    def _mistake(self, line: int | None, key: str, message: str) -> None:
        self.mistakes.append(Mistake(line=line, key=key, message=message))

    def _bad_value(self, line: int | None, key: str, error: BadValue) -> None:
        """What a message quotes, or proposes to write, is spelled as the file has it."""
        for message in error.messages:
            self._mistake(line, key, message if line is None else message.replace("%", "%%"))

    def _read_plugins(
        self, section: Section | None, defaults: Section, sections: Mapping[str, Section]
    ) -> Plugins | None:
        entry = None if section is None else section.entries.get(bandersnatch.ENABLED)
        if section is None or entry is None:
            return None
        try:
            return Plugins(resolve(entry.lines, _variables(defaults, section)), sections)
        except BadReference:
            # Said where the section is read.
            return None

    def _apply_plugins(self, plugins: Plugins) -> None:
        mistakes, warnings = plugins.apply(OPTIONS, self.values, self.lines)
        self.mistakes += plugins.mistakes + mistakes
        self.warnings += plugins.warnings + warnings

    def _check_unused(self, defaults: Section, sections: Mapping[str, Section]) -> None:
        """bandersnatch would look into [DEFAULT] for every option; here it holds what ``%(key)s`` names."""
        everywhere = [defaults, *sections.values()]
        used = {
            key
            for section in everywhere
            for entry in section.entries.values()
            for line in entry.lines
            for key in references(line.text)
        }
        for entry in defaults.entries.values():
            if entry.key not in used:
                message = "nothing refers to it; [DEFAULT] holds texts for %(key)s, options have sections"
                self._mistake(entry.number, f"[{DEFAULT}] {entry.key}", message)

    def _read_unknown_section(self, section: Section, *, foreign: bool) -> None:
        """A plugin's section has no effect; a mistyped one is a mistake."""
        known = (*_SECTIONS, *bandersnatch.SECTIONS)
        if foreign and not is_like(section.name, known):
            message = "has no effect: only bandersnatch's own plugins are supported"
            self.warnings.append(Mistake(line=section.number, key=f"[{section.name}]", message=message))
        else:
            message = f"unknown section{nearest(section.name, _SECTIONS)}"
            self._mistake(section.number, f"[{section.name}]", message)

    def _resolve(self, section: Section, entry: Entry, variables: Mapping[str, str]) -> list[Line] | None:
        try:
            return resolve(entry.lines, variables)
        except BadReference as error:
            self._mistake(error.args[1], f"[{section.name}] {entry.key}", error.args[0])
            return None

    def _read_entry(self, section: Section, key: str, lines: list[Line], plugins: Plugins | None) -> None:
        option = BY_PLACE.get((section.name, key))
        if option is not None:
            self._read_option(option, key, lines)
        elif section.name in KEYED:
            self._read_keyed(KEYED[section.name], key, lines)
        elif (found := bandersnatch.declared(section.name, key)) is not None:
            said, is_mistake = bandersnatch.check_value(found, key, lines)
            if plugins is not None and plugins.ignores(section.name):
                place = place_of(section.name, key)
                said, is_mistake = plugins.ignored(section.name, place, lines[0].number), False
            if said is not None:
                (self.mistakes if is_mistake else self.warnings).append(said)
        else:
            self._mistake(lines[0].number, f"[{section.name}] {key}", _unknown_key(section.name, key))
            # What was meant is not missing, too.
            meant = get_close_matches(key, [k for s, k in BY_PLACE if s == section.name], n=1)
            self._meant |= {BY_PLACE[section.name, each].place for each in meant}

    def _read_keyed(self, option: Option, key: str, lines: list[Line]) -> None:
        self.lines.setdefault(option.place, lines[0].number)
        filled = [line for line in lines if line.text]
        if not filled:
            message = "has no value; write what it must match, or remove the line"
            self._mistake(lines[0].number, place_of(option.section.name, key), message)
        for line in filled:
            try:
                item = option.parse(f"{key} = {line.text}")
            except BadValue as error:
                self._bad_value(line.number, place_of(option.section.name, key), error)
            else:
                items = (*self.values.get(option.place, ()), item)
                self._set(option, tuple(dict.fromkeys(items)))

    def _read_option(self, option: Option, key: str, lines: list[Line]) -> None:
        number = lines[0].number
        place = place_of(option.section.name, key)
        if option.place in self.lines:
            first = self.lines[option.place]
            self._mistake(number, place, f"{option.key} is set twice, first in line {first}; keep one")
            return
        self.lines[option.place] = number
        lines = self._without_swallowed(option, key, lines)
        items = list(_items(option, lines))
        if not items:
            self._read_empty(option, number, place)
            return
        parsed = []
        for item in items:
            try:
                value = self._absolute(option.parse(item.text))
            except BadValue as error:
                self._bad_value(item.number, place, error)
            else:
                parsed.append(value)
                self.lines_of_items.setdefault((option.place, value), item.number)
        if len(parsed) == len(items) or (self._tolerant and option.many):
            self._set(option, tuple(dict.fromkeys(parsed)) if option.many else parsed[0])

    def _without_swallowed(self, option: Option, key: str, lines: list[Line]) -> list[Line]:
        """``lines`` without those that are options themselves, and belong to this one by an indent alone."""
        kept = lines[:1]
        for line in lines[1:]:
            other = _ASSIGNMENT.match(line.text)
            if other is None or (option.section.name, other[1]) not in BY_PLACE:
                kept.append(line)
                continue
            self._meant.add(BY_PLACE[option.section.name, other[1]].place)
            message = f"is indented, so it belongs to the value of {key} above; remove the spaces before it"
            self._mistake(line.number, place_of(option.section.name, other[1]), message)
        return kept

    def _read_empty(self, option: Option, number: int, place: str) -> None:
        if option.empty:
            self._set(option, () if option.many else option.when_empty)
        elif option.many and option.default is None:
            message = "the list is empty, which would select everything; add an item, or remove the line"
            self._mistake(number, place, message)
        else:
            what = f"remove the line for {option.default}" if option.default is not None else "it needs one"
            self._mistake(number, place, f"has no value; {what}")

    def _set(self, option: Option, value: Any) -> None:
        self.values[option.place] = (
            tuple(map(self._absolute, value)) if isinstance(value, tuple) else self._absolute(value)
        )

    def _absolute(self, value: Any) -> Any:
        return absolute(self._base / value) if isinstance(value, Path) else value

    def _read_variables(self, environ: Mapping[str, str]) -> None:
        for option in OPTIONS:
            text = environ.get(option.variable, "").strip() if option.variable else ""
            if not text or option.parse_variable is None:
                continue
            try:
                self._set(option, option.parse_variable(text))
            except BadValue as error:
                self._bad_value(None, f"{option.variable} in the environment", error)

    def _resolve_diff_file(self) -> None:
        option = BY_PLACE[MIRROR.name, "diff-file"]
        text = self.values.get(option.place)
        if not isinstance(text, str):
            return

        def value(section: str, key: str) -> str | None:
            named = BY_PLACE.get((section, key))
            found = None if named is None or named.many else self.values.get(named.place)
            return None if named is None or found is None else named.format(found)

        try:
            self._set(option, resolve_diff_file(text, value))
        except BadValue as error:
            self._bad_value(self.lines.get(option.place), option.place, error)

    def _fill_in(self, sections: Mapping[str, Section]) -> None:
        """Defaults for what the file does not have; a mistake where there is none."""
        for option in OPTIONS:
            if option.place in self.lines or option.place in self.values:
                continue
            if option.required and option.place not in self._meant:
                section = sections.get(option.section.name)
                message = f"is missing; add a line `{option.key} = …` under [{option.section.name}]"
                self._mistake(section.number if section else None, option.place, message)
            elif not option.required:
                self._set(option, option.default_value)


def _variables(defaults: Section, section: Section) -> dict[str, str]:
    return {
        entry.key: "\n".join(line.text for line in entry.lines)
        for entry in (*defaults.entries.values(), *section.entries.values())
    }


def _home(key: str) -> str:
    """The section that a key belongs to."""
    return next((s for s, k in BY_PLACE if k == key), MIRROR.name)


def _unknown_key(section: str, key: str) -> str:
    elsewhere = [s for s, k in BY_PLACE if k == key]
    if elsewhere:
        return f"unknown key in this section; it belongs under [{elsewhere[0]}]"
    if section == bandersnatch.PLUGINS:
        return f"unknown key{nearest(key, [bandersnatch.ENABLED])}"
    return f"unknown key{nearest(key, [k for s, k in BY_PLACE if s == section])}"


def _items(option: Option, lines: list[Line]) -> Iterator[Line]:
    """The texts to parse: of a list each item, without comments at its end, else the value as a whole."""
    if not option.many:
        text = "\n".join(line.text for line in lines if line.text)
        if text:
            yield Line(number=next(line.number for line in lines if line.text), text=text)
        return
    for line in lines:
        text = line.text if option.verbatim else line.text.partition("#")[0].strip()
        parts = text.replace(",", " ").split() if option.words else [text]
        yield from (Line(number=line.number, text=part) for part in parts if part)
