"""``[version_range_release_file_metadata]``: files that one of these Pythons can use."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue, Section, option
from pypi_mirror.policy.file_metadata import MATCH_NULL, NOT_NULL, MetadataRule, format_rule, split_rule
from pypi_mirror.policy.filter import Filter

_PATH: Final = "release_file.requires_python"


def parse_version_rule(text: str) -> MetadataRule:
    """Return ``not-null:release_file.requires_python = 3.12``, with a version of PEP 440."""
    from packaging.version import Version

    rule = split_rule(text, (NOT_NULL, MATCH_NULL), (_PATH,))
    try:
        Version(rule.text)
    except ValueError as error:
        raise BadValue(f"{rule.text!r} is not a version like 3.12") from error
    return rule


@dataclass(frozen=True, kw_only=True)
class PythonsOfFiles(Filter):
    """Keeps files whose Requires-Python admits one of the versions, for each key.

    A file without Requires-Python is kept, unless the key is tagged ``not-null``; so is one whose
    Requires-Python cannot be read.
    """

    section: ClassVar = Section(
        name="version_range_release_file_metadata",
        doc="Files that one of these Pythons can use, by their Requires-Python.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )

    versions: tuple[MetadataRule, ...] = option(
        parse_version_rule,
        "Pythons, one a line, of which a file's Requires-Python must admit one.",
        "Each is `release_file.requires_python = 3.12`, which can stand on a line of its own, as in "
        "bandersnatch, instead of below `versions`. With `not-null:` before it, files that have no "
        "Requires-Python are left out.",
        format=format_rule,
        many=True,
        keyed=True,
        empty=True,
        example=(f"{_PATH} = 3.12", f"{_PATH} = 3.13"),
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        return self._reason(file.requires_python or "")

    def sentences(self) -> Iterator[str]:
        pythons = dict.fromkeys(rule.text for rule in self.versions)
        yield f"Only files for one of these Pythons: {', '.join(pythons)}."

    @cached_property
    def _reason(self) -> Callable[[str], str | None]:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        keys: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for rule in self.versions:
            keys[rule.tags].append(rule.text)

        def reason(requires_python: str) -> str | None:
            try:
                admitted = SpecifierSet(requires_python, prereleases=True)
            except InvalidSpecifier:
                return None
            for tags, versions in keys.items():
                if not requires_python:
                    if tags[-1:] == (NOT_NULL,):
                        return f"{self.setting()} asks for a Requires-Python, this file has none"
                elif not any(admitted.contains(version) for version in versions):
                    return (
                        f"{self.setting()} has {', '.join(versions)}, "
                        f"this file is for Python {requires_python}"
                    )
            return None

        return lru_cache(maxsize=16_384)(reason)
