"""``first`` of ``[schedule]``: the projects to sync before all others, as names or in files of names."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.parsers import BadValue, parse_path

FIRST: Final = "[schedule] first"
# PEP 508.
_NAME: Final = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE | re.ASCII)
_FILES: Final = (".txt", ".json")
# In a list of objects, what their project is called; around a list, what the list is.
_NAME_KEYS: Final = ("project", "name")
_LIST_KEYS: Final = ("rows", "projects")


def parse_first(text: str) -> Path | NormalizedName:
    """A project's name, or a file of names: what has a slash in it or ends in .txt or .json."""
    if "/" in text or text.endswith(_FILES):
        if not text.endswith(_FILES):
            raise BadValue(f"{text!r} is not a file of names; its name must end in .txt or .json")
        return parse_path(text)
    return _name(text)


def read_first(
    first: Iterable[Path | NormalizedName],
    configuration: Path | None,
    line_of: Callable[[Path], int | None] = lambda _: None,
) -> tuple[NormalizedName, ...]:
    """Return the projects that come first, in their order, each once; ``configuration`` names them, in the
    lines that ``line_of`` says.

    Raises ConfigurationError, with all mistakes, for files that are not there or hold something else.
    """
    names: dict[NormalizedName, None] = {}
    mistakes = []
    for item in first:
        if not isinstance(item, Path):
            names[item] = None
            continue
        try:
            names |= dict.fromkeys(_names_in(item))
        except BadValue as error:
            mistakes.append(Mistake(line=line_of(item), key=FIRST, message=f"{item}: {error}"))
    if mistakes:
        raise ConfigurationError(configuration or Path("mirror.conf"), mistakes)
    return tuple(names)


def _names_in(path: Path) -> Iterator[NormalizedName]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadValue(f"cannot be read ({error.strerror or error}); relative paths begin at mirror.conf's "
                       "directory") from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise BadValue("is not UTF-8 text; save it as UTF-8") from error
    found = _in_json(text) if path.suffix == ".json" else _in_lines(text)
    for place, name in found:
        try:
            yield _name(name)
        except BadValue as error:
            raise BadValue(f"{place}: {error}") from error


def _in_lines(text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        name = line.partition("#")[0].strip()
        if name:
            yield f"line {number}", name


def _in_json(text: str) -> Iterator[tuple[str, str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadValue(f"is not valid JSON: {error}") from error
    for number, item in enumerate(_list_in(document), start=1):
        name = (
            next((item[key] for key in _NAME_KEYS if key in item), None) if isinstance(item, dict) else item
        )
        if not isinstance(name, str):
            raise BadValue(f'item {number} is neither a name nor an object with a "project"')
        yield f"item {number}", name


def _list_in(document: Any) -> list[Any]:
    if isinstance(document, dict):
        document = next((document[key] for key in _LIST_KEYS if key in document), None)
    if not isinstance(document, list):
        raise BadValue(
            'is neither a list of names nor an object with such a list as its "projects" or "rows"'
        )
    return document


def _name(text: str) -> NormalizedName:
    if not _NAME.fullmatch(text):
        raise BadValue(f"{text!r} is not a project name")
    return canonicalize_name(text)
