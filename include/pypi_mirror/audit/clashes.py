"""Two projects whose pages list other bytes at one place: one of them gives way.

Upstream chooses the addresses, and nothing it says keeps two projects from naming one. The engine gives every
project places of its own; an older one did not, and wrote the bytes of whichever project came last.
"""

import logging
from collections.abc import Sequence

from packaging.utils import NormalizedName

from pypi_mirror.audit.projects import ProjectCheck
from pypi_mirror.ledger.locations import Claimant, Locations
from pypi_mirror.pool.layout import owner_of

log = logging.getLogger(__name__)

_BESIDE = (".metadata", ".provenance")


def clashing(locations: Locations, paths: Sequence[str]) -> dict[str, list[Claimant]]:
    """Those of ``paths`` at which pages list different bytes, with the projects of the pages."""
    claimants = locations.claimants(paths) if paths else {}
    return {path: each for path, each in claimants.items() if len({one.sha256 for one in each}) > 1}


def resolve_clashes(locations: Locations, checks: Sequence[ProjectCheck]) -> set[NormalizedName]:
    """Have all but one of the projects that list a damaged path lose their row of it; returns those that do.

    The path stays with the project that the file's name belongs to, else with the one whose bytes lie there,
    else with the one that the ledger has had longest. The others are synced first, and get paths of their
    own: if their bytes lie there, they take them along.
    """
    wrong = {path: digest for check in checks for path, digest in check.wrong_files.values()}
    found = clashing(locations, sorted(wrong))
    owners = {path: _owner(path, each, wrong[path]) for path, each in found.items()}
    losing: set[NormalizedName] = set()
    for check in checks:
        for path, claimants in found.items():
            filename = path.rpartition("/")[2]
            if any(one.sha256 == wrong[path] for one in claimants):
                # Somebody's bytes; the owner's own come over them.
                theirs = {path, *(f"{path}{suffix}" for suffix in _BESIDE)}
                check.damaged = [each for each in check.damaged if each not in theirs]
            others = {one.project_id for one in claimants} - {owners[path].project_id}
            if check.known.id in others:
                owner = owners[path].project
                log.warning("%s: %s is at a path that %s claims", check.known.project, filename, owner)
                losing.add(check.known.project)
                check.wrong_rows.add(filename)
                check.needs_upstream = True
    return losing


def _owner(path: str, claimants: Sequence[Claimant], digest: bytes | None) -> Claimant:
    named = [one for one in claimants if one.project == owner_of(path.rpartition("/")[2])]
    there = [one for one in claimants if one.sha256 == digest]
    return (*named, *there, *claimants)[0]
