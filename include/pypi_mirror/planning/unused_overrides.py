"""Overrides of ``[dependencies] metadata`` of releases that are not here: mistyped, or out of date."""

from collections.abc import Sequence
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.chunks import chunks
from pypi_mirror.demands.overrides import Override
from pypi_mirror.mirror import Mirror
from pypi_mirror.policy.filters.dependencies_follow import METADATA, Dependencies
from pypi_mirror.policy.releases import Release, release_in, release_of
from pypi_mirror.wording import some_of

_CHUNK: Final = 200


def unused_overrides(mirror: Mirror) -> tuple[Override, ...]:
    """The overrides that say something of no release that the mirror has, in their order."""
    if not mirror.policy.follows:
        return ()
    overrides = mirror.policy.of(Dependencies).overrides or ()
    here: dict[NormalizedName, set[Release]] = {}
    for names in chunks(sorted({each.project for each in overrides}), _CHUNK):
        here.update(_releases(mirror, names))
    return tuple(each for each in overrides if not _is_used(each, here.get(each.project, set())))


def described(overrides: Sequence[Override]) -> str:
    """The message: which overrides, where each stands, and what to do."""
    named = some_of([f"{each} ({each.place})" for each in overrides])
    return f"{METADATA} has no effect for {named}: no such release is here; correct it, or remove it"


def _is_used(override: Override, here: set[Release]) -> bool:
    return bool(here) if override.version is None else release_of(override.version) in here


def _releases(mirror: Mirror, names: Sequence[NormalizedName]) -> dict[NormalizedName, set[Release]]:
    """The releases of each project of which the mirror has a file, listed or held."""
    known = mirror.ledger.projects.known(names)
    files = mirror.ledger.projects.files_of([each.id for each in known.values() if each.present])
    listed = {
        name: [file.filename for file in files.get(project.id, {}).values() if file.removed_at is None]
        for name, project in known.items()
    }
    held = mirror.ledger.held_files.of(names)
    return {
        name: {
            release
            for filename in (*listed.get(name, ()), *held.get(name, ()))
            if (release := release_in(name, filename)) is not None
        }
        for name in names
    }
