"""What an administrator says of releases that do not say themselves what they require.

Tables as uv has them: ``[[tool.uv.dependency-metadata]]`` of pyproject.toml, ``[[dependency-metadata]]`` of
uv.toml or of a file of its own (https://docs.astral.sh/uv/reference/settings/#dependency-metadata).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.demands.core_metadata import CoreMetadata, make_core_metadata
from pypi_mirror.demands.demand import Found, ReadFile, parse_requirement
from pypi_mirror.demands.document import expect, get, parse_toml, tables, texts
from pypi_mirror.demands.read import Files

TABLE: Final = "dependency-metadata"
# Requires-Python decides nothing here: upstream's page has it. uv reads both names of the extras.
_KEYS: Final = ("name", "version", "requires-dist", "requires-python", "provides-extra", "provides-extras")


class Override(Struct, frozen=True, kw_only=True):
    """What releases of ``project`` require: those of ``version``, or all. ``place`` is the file."""

    project: NormalizedName
    version: str | None
    stated: CoreMetadata
    place: str

    def __str__(self) -> str:
        return self.project if self.version is None else f"{self.project} {self.version}"


def read_overrides(path: Path) -> tuple[tuple[Override, ...], ReadFile]:
    """Return the overrides of a file, in its order. Raises BadDemands."""
    files = Files()
    found = Found(file=str(path))
    document = parse_toml(files.text(path), found)
    of_uv = get(get(document, "tool", dict, {}, found), "uv", dict, {}, found)
    overrides = [_read(each, found) for parent in (document, of_uv) for each in tables(parent, TABLE, found)]
    if not overrides:
        found.fail(f"has no [[tool.uv.{TABLE}]] and no [[{TABLE}]]; add one, or remove the line")
    found.done()
    return tuple(overrides), files.read[0]


def _read(table: Mapping[str, Any], found: Found) -> Override:
    name = _name(table, found)
    for key in sorted(table.keys() - set(_KEYS)):
        found.mistake(f"[[{TABLE}]] of {name} has the key {key}, which is none of {', '.join(_KEYS[:5])}")
    requires = list(texts(table, "requires-dist", found))
    for text in requires:
        requirement = parse_requirement(text)
        if isinstance(requirement, str):
            found.mistake(
                f"requires-dist of {name} has {text!r}, which is not a requirement (PEP 508): {requirement}"
            )
    return Override(
        project=canonicalize_name(name),
        version=_version(table, name, found),
        stated=make_core_metadata(requires, [*texts(table, _KEYS[4], found), *texts(table, _KEYS[5], found)]),
        place=found.file,
    )


def _name(table: Mapping[str, Any], found: Found) -> str:
    name = expect(table.get("name"), str, f"the name of a [[{TABLE}]]", found)
    try:
        canonicalize_name(name, validate=True)
    except InvalidName:
        found.mistake(f"a [[{TABLE}]] has the name {name!r}, which is not a project's name")
    return name


def _version(table: Mapping[str, Any], name: str, found: Found) -> str | None:
    from packaging.version import InvalidVersion, Version

    if "version" not in table:
        return None
    version = expect(table["version"], str, f"the version of {name}", found)
    try:
        return str(Version(version))
    except InvalidVersion:
        found.mistake(f"version of {name} is {version!r}, which is not a version (PEP 440)")
        return None
