"""TOML and JSON documents: parsed, and asked for values of a type."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pypi_mirror.demands.demand import Found

T = TypeVar("T")


def parse_toml(text: str, found: Found) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found.fail(f"is not TOML: {error}; correct the file, or make it again")
    except RecursionError:
        found.fail("is not TOML that can be read: it is nested too deep")


def parse_json(text: str, found: Found) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        found.fail(f"is not JSON: {error.msg}; correct the file, or make it again", error.lineno)
    except (ValueError, RecursionError):
        found.fail("is not JSON that can be read: it is nested too deep, or a number in it is too long")
    return expect(document, dict, "the file", found)


def expect(value: object, kind: type[T], what: str, found: Found) -> T:
    """Return ``value`` if it is of this type; ``what`` names it in the message otherwise."""
    if not isinstance(value, kind):
        words: dict[type, str] = {dict: "a table", list: "a list", str: "a string"}
        found.fail(f"{what} is not {words.get(kind, kind.__name__)}; correct the file, or make it again")
    return value


def get(table: Mapping[str, Any], key: str, kind: type[T], default: T, found: Found) -> T:
    """Return the value of ``key``, ``default`` where there is none."""
    value = table.get(key)
    return default if value is None else expect(value, kind, key, found)


def tables(table: Mapping[str, Any], key: str, found: Found) -> Iterator[dict[str, Any]]:
    """Yield the tables of the list ``key``, none without it."""
    for item in get(table, key, list, [], found):
        yield expect(item, dict, f"an item of {key}", found)


def texts(table: Mapping[str, Any], key: str, found: Found) -> Iterator[str]:
    """Yield the strings of the list ``key``, none without it."""
    for item in get(table, key, list, [], found):
        yield expect(item, str, f"an item of {key}", found)


def either(markers: list[str]) -> str:
    """Return the marker that holds where one of ``markers`` does; no marker always holds."""
    if not markers or "" in markers:
        return ""
    distinct = list(dict.fromkeys(markers))
    return distinct[0] if len(distinct) == 1 else " or ".join(f"({marker})" for marker in distinct)
