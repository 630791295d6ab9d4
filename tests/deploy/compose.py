"""docker-compose.yaml as the engines of containers read it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"
EXAMPLE = ROOT / ".env.example"

_VARIABLE = re.compile(r"\$\$|\$\{([A-Z_]+)(?:(:-|:\?)([^{}]*))?\}")


class MissingVariable(Exception):
    """A variable that has to be set is not; the message is what the person is told."""


def secrets() -> tuple[str, ...]:
    """The names that .env.example leaves empty."""
    return tuple(re.findall(r"^([A-Z_]+)=$", EXAMPLE.read_text(), re.MULTILINE))


def example() -> dict[str, str]:
    """.env.example, filled in: each secret is its name in lower case."""
    found = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))
    return {name: value or name.lower() for name, value in found.items()}


def services(environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services of every profile, variables filled in from ``environ``."""
    document = yaml.safe_load(COMPOSE.read_text())
    found: dict[str, dict[str, Any]] = _fill_in(document["services"], environ)
    return found


def _fill_in(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill_in(each, environ) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill_in(each, environ) for each in value]
    return _interpolated(value, environ) if isinstance(value, str) else value


def _interpolated(text: str, environ: Mapping[str, str]) -> str:
    def one(found: re.Match[str]) -> str:
        name, how, words = found.groups()
        if name is None:
            return "$"
        if environ.get(name):
            return environ[name]
        if how == ":-":
            return str(words)
        raise MissingVariable(f"{name} {words}")

    return _VARIABLE.sub(one, text)
