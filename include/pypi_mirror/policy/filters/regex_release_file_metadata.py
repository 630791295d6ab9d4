"""``[regex_release_file_metadata]``: files whose metadata match regular expressions."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue, Section, option
from pypi_mirror.options.parsers import parse_boolean
from pypi_mirror.policy.file_metadata import (
    MATCH_NULL,
    NOT_NULL,
    PATHS,
    MetadataRule,
    format_rule,
    split_rule,
    value_at,
)
from pypi_mirror.policy.filter import Filter

_MODES: Final[dict[str, Callable[[Iterator[bool]], bool]]] = {
    "any": any,
    "all": all,
    "none": lambda found: not any(found),
}


def parse_pattern_rule(text: str) -> MetadataRule:
    """Return ``any:release_file.packagetype = sdist``, with a regular expression."""
    rule = split_rule(text, (*_MODES, NOT_NULL, MATCH_NULL), PATHS)
    try:
        re.compile(rule.text)
    except re.error as error:
        raise BadValue(f"{rule.text!r} is not a regular expression: {error}") from error
    return rule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    path: str
    patterns: tuple[re.Pattern[str], ...]
    mode: Callable[[Iterator[bool]], bool]
    nulls: bool


@dataclass(frozen=True, kw_only=True)
class FilesByMetadata(Filter):
    """Keeps files of which every key has a value that its patterns match, from the value's beginning.

    A file without a value is kept, unless the key is tagged ``not-null``.
    """

    section: ClassVar = Section(
        name="regex_release_file_metadata",
        doc="Files whose metadata match regular expressions.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )

    patterns: tuple[MetadataRule, ...] = option(
        parse_pattern_rule,
        "Regular expressions by key, one a line; files are mirrored if each key has a value that matches.",
        "Each is `KEY = PATTERN`, which can stand on a line of its own, as in bandersnatch, instead of below "
        "`patterns`. Of several patterns for a key any, all or none must match, as a tag before the key says "
        "(`none:release_file.filename`); any without a tag. With the tag `not-null:`, files without a value "
        f"are left out. Keys are {', '.join(PATHS)}.",
        format=format_rule,
        many=True,
        keyed=True,
        verbatim=True,
        empty=True,
        example=("any:release_file.packagetype = sdist", "any:release_file.packagetype = bdist_wheel"),
    )
    search: bool = option(
        parse_boolean,
        "Whether the patterns are found anywhere in a value, not only at its beginning.",
        default="false",
    )

    @property
    def takes_part(self) -> bool:
        return bool(self.patterns)

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        for key, compiled in self._keys.items():
            value = value_at(compiled.path, project, file)
            if value is None:
                if not compiled.nulls:
                    return f"{self.setting()} asks for {key}, this file has none"
            elif not compiled.mode(self._found(pattern, value) for pattern in compiled.patterns):
                said = ", ".join(pattern.pattern for pattern in compiled.patterns)
                return f"{self.setting()} has {key} = {said}, this file has {value}"
        return None

    def sentences(self) -> Iterator[str]:
        yield f"Only files with {'; '.join(map(format_rule, self.patterns))}."

    def _found(self, pattern: re.Pattern[str], value: str) -> bool:
        return (pattern.search(value) if self.search else pattern.match(value)) is not None

    @cached_property
    def _keys(self) -> dict[str, _Key]:
        by_key: defaultdict[str, list[MetadataRule]] = defaultdict(list)
        for rule in self.patterns:
            by_key[rule.key].append(rule)
        return {
            key: _Key(
                path=rules[0].path,
                patterns=tuple(re.compile(rule.text) for rule in rules),
                mode=_MODES[next((tag for tag in reversed(rules[0].tags) if tag in _MODES), "any")],
                nulls=next((tag for tag in reversed(rules[0].tags) if tag not in _MODES), "") != NOT_NULL,
            )
            for key, rules in by_key.items()
        }
