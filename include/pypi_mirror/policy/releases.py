"""Rules for releases, as the lists of packages have them: which of them a version matches."""

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from packaging.utils import NormalizedName

from pypi_mirror.release_files import version_in
from pypi_mirror.wording import count

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

_NAMED_AT_MOST: Final = 12


def name_some(names: Iterable[str]) -> str:
    """Return the first of ``names``, sorted, and how many others there are."""
    ordered = sorted(names)
    if len(ordered) <= _NAMED_AT_MOST:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:_NAMED_AT_MOST])} and {count(len(ordered) - _NAMED_AT_MOST, 'other')}"


@lru_cache(maxsize=65_536)
def parsed(version: str) -> "Version | None":
    """Return the version that a file's name spells, in wheels with ``_`` for a dash; None outside PEP 440."""
    from packaging.version import Version

    try:
        return Version(version.replace("_", "-"))
    except ValueError:
        # InvalidVersion is one; so is what Python says of a number of thousands of digits.
        return None


@lru_cache(maxsize=262_144)
def contains(specifier: str, version: str) -> bool:
    """Whether a specifier set (PEP 440) admits a version; prereleases are admitted like any release, and what
    is outside PEP 440 by ``===`` alone.
    """
    return specifier_set(specifier).contains(parsed(version) or version, prereleases=True)


@lru_cache(maxsize=16_384)
def specifier_set(specifier: str) -> "SpecifierSet":
    """Return the set that ``specifier`` spells (PEP 440)."""
    # Imported where it is needed: DAG files read the settings and decide nothing.
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier)


@lru_cache(maxsize=65_536)
def is_pin(specifier: str) -> bool:
    """Whether it admits one version alone, whatever else it says: ``==1.0,!=1.1``."""
    clauses = map(str.strip, specifier.split(","))
    return any(clause.startswith("==") and not clause.endswith(".*") for clause in clauses)


@lru_cache(maxsize=65_536)
def names_prerelease(specifier: str) -> bool:
    """Whether it names a pre-release, so that installers take those that it admits; ``!=`` does not count."""
    clauses = map(str.strip, specifier.split(","))
    named = (parsed(clause.lstrip("=<>~ ")) for clause in clauses if not clause.startswith("!"))
    return any(version is not None and version.is_prerelease for version in named)


def spellings(version: str) -> tuple[str, ...]:
    """Return how a version is written: as in a file's name, with dashes, and in its normal form (PEP 440)."""
    normal = parsed(version)
    written = (version, version.replace("_", "-"), *(() if normal is None else (str(normal),)))
    return tuple(dict.fromkeys(written))


Release = tuple[bool, "Version | str"]
"""A version that sorts as upstream has it: those outside PEP 440 come before all others."""


def release_in(project: NormalizedName, filename: str) -> Release | None:
    """Return the release that a file of ``project`` is of; None where its name does not say it."""
    version = version_in(project, filename)
    return None if version is None else release_of(version)


def release_of(version: str) -> Release:
    """Return the release of this version, however it is spelled."""
    normal = parsed(version)
    return (False, version.replace("_", "-")) if normal is None else (True, normal)


@lru_cache(maxsize=65_536)
def public_release(release: Release) -> Release:
    """Return the release without its local version: ``2.0+cpu`` and ``2.0+cu121`` are builds of one."""
    version = release[1]
    if isinstance(version, str) or version.local is None:
        return release
    return True, type(version)(version.public)
