"""nginx's ``map``, its only way to compute: a variable that depends on another, as a value."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A line of a map. ``pattern`` is a regular expression or, if ``exact``, plain text.

    ``value`` may name variables, those that the pattern's named groups set among them. Groups are named
    and not numbered because evaluating a map overwrites the ``$1`` of whoever asks for its variable.
    """

    pattern: str
    value: str
    exact: bool = False
    ignore_case: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """``map "source" $target { … }``: plain texts first, then the first regular expression that matches.

    ``comment`` is for whoever reads the rendered file.
    """

    source: str
    target: str
    default: str
    rules: tuple[Rule, ...]
    include: Path | None = None
    comment: str = ""
