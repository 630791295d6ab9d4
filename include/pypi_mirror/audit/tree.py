"""The parts of an audit that go by the tree: the pool's directories, stray pages, root index, name map."""

import filecmp
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from msgspec import Struct

from pypi_mirror.audit.files import require_theirs
from pypi_mirror.audit.findings import Finding, Kind
from pypi_mirror.audit.pool_walk import PARTS, Known, PoolWalk
from pypi_mirror.disk.files import remove_directory_if_empty, remove_file
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.projects import REMOVING
from pypi_mirror.mirror import Mirror
from pypi_mirror.pages.formats import TWIN_SUFFIX
from pypi_mirror.pages.root_index import wrong_root_index
from pypi_mirror.publishing.grace import grace_ended_before
from pypi_mirror.webserver.name_map import write_name_map
from pypi_mirror.webserver.render import name_map_path

log = logging.getLogger(__name__)

_CHUNK: Final = 5_000
# Orphans that one pass through the ledger's files is for.
_SWEPT_AT_ONCE: Final = 10_000
# Rows that are held in memory while directories are walked.
_ROWS: Final = 600_000
_DAY: Final = 24 * 3600


class PoolParts(Struct, frozen=True, kw_only=True):
    """The parts of the pool whose turn it is: ``count`` from ``first`` on, over the end to the beginning."""

    first: int
    count: int

    @classmethod
    def of(cls, mirror: Mirror, *, everything: bool) -> "PoolParts":
        """All parts are read within the audit's window: more in a run that follows a long pause."""
        if everything:
            return cls(first=0, count=PARTS)
        window = mirror.settings.audit.within_days * _DAY
        first, at = mirror.ledger.facts.audit_pool or (0, mirror.clock() - _DAY)
        passed = mirror.clock() - at
        return cls(first=first, count=max(1, min(PARTS, round(PARTS * passed / window))))

    @property
    def parts(self) -> list[int]:
        return [(self.first + number) % PARTS for number in range(self.count)]

    def note(self, mirror: Mirror) -> None:
        following = (self.first + self.count) % PARTS
        mirror.ledger.facts.put(Facts.audit_pool.to((following, int(mirror.clock()))))


def walk_pool(mirror: Mirror, parts: Sequence[int], keep_alive: Callable[[], object]) -> Iterator[Finding]:
    """What lies in these parts of the pool that no row accounts for, and was not known to.

    One pass through the ledger's files for each 600,000 of them that lie in these parts: for all of PyPI and
    the turn of a day that is one. ``keep_alive`` is called every few thousand rows or entries.
    """
    totals = mirror.ledger.projects.totals()
    held = max(1, min(PARTS, _ROWS * PARTS // max(1, totals.files)))
    for stretch in _stretches(parts, held):
        known = Known()
        low, end = bytes([stretch[0]]), stretch[-1] + 1
        rows = mirror.ledger.locations.within(low, bytes([end]) if end < PARTS else None)
        for number, (file, project) in enumerate(rows):
            known.add(file, project)
            if number % _CHUNK == 0:
                keep_alive()
        if 0 in stretch:
            for row in mirror.ledger.held_files.all():
                if row.file is not None:
                    known.add_held(row.file)
        for path in mirror.ledger.locations.orphans():
            known.add_orphan(path)
        yield from known.clashes
        walk = PoolWalk(str(mirror.settings.web), known, keep_alive)
        for part in stretch:
            yield from walk.part(part)


def _stretches(parts: Sequence[int], most: int) -> Iterator[list[int]]:
    """``parts`` in runs of consecutive numbers, of ``most`` at most."""
    stretch: list[int] = []
    for part in parts:
        if stretch and (part != stretch[-1] + 1 or len(stretch) == most):
            yield stretch
            stretch = []
        stretch.append(part)
    if stretch:
        yield stretch


def remove_leftovers(mirror: Mirror, findings: Sequence[Finding]) -> int:
    """Remove the temporary files among ``findings``; return how many went."""
    paths = [f.path.removeprefix("web/") for f in findings if f.kind is Kind.LEFTOVER]
    return sum(_remove(mirror.settings.web, path) for path in paths)


def sweep_orphans(mirror: Mirror, keep_alive: Callable[[], object]) -> int:
    """Delete what no row has accounted for through the grace period; return how many files that were.

    What a row accounts for by now is forgotten instead.
    """
    before = grace_ended_before(
        mirror, lambda time: any(islice(mirror.ledger.locations.orphans(found_before=time), 1))
    )
    swept = 0
    while before and (
        paths := list(islice(mirror.ledger.locations.orphans(found_before=before), _SWEPT_AT_ONCE))
    ):
        keep_alive()
        claimed = mirror.ledger.locations.claimed(paths)
        for path in paths:
            if path not in claimed and _remove(mirror.settings.web, path):
                swept += 1
                _remove_emptied(mirror.settings.web, path)
        mirror.ledger.locations.forget_orphans(paths)
    return swept


def _remove(web: Path, path: str) -> bool:
    """What cannot be removed is found again, and told again, by the next audit."""
    try:
        return remove_file(web / path)
    except OSError as error:
        log.error("%s: cannot be removed: %s", web / path, error.strerror or error)
        return False


def _remove_emptied(web: Path, path: str) -> None:
    """Remove the directories that ``path`` leaves empty, below ``packages`` or ``simple``."""
    for parent in (web / path).parents:
        if parent.parent == web or not remove_directory_if_empty(parent):
            return


def stray_pages(mirror: Mirror, keep_alive: Callable[[], object]) -> Iterator[Finding]:
    """Pages of projects that are not in the ledger, or were removed; and what cannot be read, without a
    project.
    """
    names = mirror.pages.names()
    while True:
        keep_alive()
        try:
            chunk = list(islice(names, _CHUNK))
        except OSError as error:
            yield _unreadable(mirror, error)
            return
        if not chunk:
            return
        known = mirror.ledger.projects.known(chunk)
        for name in sorted(set(chunk)):
            project = known.get(name)
            # The page of a project that is being removed goes with the next root index.
            if project is not None and (project.present or project.status == REMOVING):
                continue
            try:
                is_stray = mirror.pages.has_stray(name)
            except OSError as error:
                yield _unreadable(mirror, error)
                continue
            if is_stray:
                path = f"web/{mirror.pages.path_of(name).relative_to(mirror.settings.web)}"
                detail = "the ledger has no such project"
                yield Finding(kind=Kind.STRAY_PAGE, path=path, project=name, detail=detail)


def _unreadable(mirror: Mirror, error: OSError) -> Finding:
    require_theirs(error)
    path = Path(error.filename or mirror.settings.web / "simple")
    shown = os.path.relpath(path, mirror.settings.directory)
    return Finding(kind=Kind.UNREADABLE, path=shown, detail=error.strerror or str(error))


def _is_published(mirror: Mirror) -> bool:
    """Whether root index and name map are those of the ledger, as far as it knows."""
    return mirror.ledger.facts.unpublished is None and mirror.ledger.facts.stated_serial is not None


def check_root_index(mirror: Mirror) -> list[Finding]:
    """Compare the root index and its twins with what the ledger would write.

    Not while a sync has left it unpublished on purpose: then the next sync writes it.
    """
    if not _is_published(mirror):
        return []
    wrong = wrong_root_index(
        mirror.settings.web,
        mirror.ledger.projects.listed(),
        serial=mirror.ledger.facts.index_serial,
        simple_format=mirror.settings.simple_format,
    )
    return [
        Finding(
            kind=Kind.TWIN if path.suffix == TWIN_SUFFIX else Kind.ROOT_INDEX, path=f"web/simple/{path.name}"
        )
        for path in wrong
    ]


def check_name_map(mirror: Mirror) -> list[Finding]:
    path = name_map_path(mirror.settings)
    if not _is_published(mirror):
        return []
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-audit-") as scratch:
        wanted = Path(scratch) / path.name
        _write_map(mirror, wanted)
        if _same(wanted, path):
            return []
    shown = os.path.relpath(path, mirror.settings.directory)
    return [Finding(kind=Kind.NAME_MAP, path=shown, detail="nginx reads it when it is reloaded")]


def repair_root_index(mirror: Mirror, findings: Sequence[Finding]) -> None:
    """Have the run's end write it again, and remove twins first: one that ends as it should is kept."""
    for finding in findings:
        if finding.kind is Kind.TWIN:
            remove_file(mirror.settings.directory / finding.path)
    mirror.ledger.facts.put(Facts.unpublished.to("audit"))


def repair_name_map(mirror: Mirror) -> None:
    _write_map(mirror, name_map_path(mirror.settings))


def _write_map(mirror: Mirror, path: Path) -> None:
    write_name_map(path, mirror.ledger.projects.listed(), serial=mirror.ledger.facts.index_serial)


def _same(wanted: Path, found: Path) -> bool:
    return found.is_file() and not found.is_symlink() and filecmp.cmp(wanted, found, shallow=False)
