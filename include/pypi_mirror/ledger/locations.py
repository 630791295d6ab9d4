"""Locations in the pool: which of them rows account for, and since when nothing accounts for the others.

There is no index by place, a gigabyte that each download would write to. Where rows have to be found by their
place, the whole table is gone through, 15 million files in a few seconds, a slice of projects a query: none
takes longer than that slice, whatever the table's size.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import ColumnElement, Engine, Select, bindparam, delete, func, select

from pypi_mirror.chunks import chunks
from pypi_mirror.clock import Clock
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.projects import KNOWN_FILE, KnownFile
from pypi_mirror.ledger.reading import scalar, stream
from pypi_mirror.ledger.tables import files, orphans, projects
from pypi_mirror.ledger.writing import for_each, upsert
from pypi_mirror.model import path_of

# Projects whose files one query goes through: PyPI has twenty files a project on average.
_SLICE: Final = 5_000
# A statement takes some ten thousand values.
_NAMES_AT_ONCE: Final = 10_000


class Claimant(Struct, frozen=True, kw_only=True):
    """A project whose page lists a file at a place, and the SHA-256 that it lists."""

    project_id: int
    project: NormalizedName
    sha256: bytes


class Locations:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def within(self, low: bytes, high: bytes | None) -> Iterator[tuple[KnownFile, NormalizedName]]:
        """The rows, with their projects, whose location is in [low, high), by project; streamed.

        A pass through the table: ask for as many directories at once as fit into memory.
        """
        found = files.c.location >= low
        if high is not None:
            found &= files.c.location < high
        statement = select(projects.c.name, *KNOWN_FILE).join(projects, files.c.project_id == projects.c.id)
        for name, *row in self._pass(statement.where(found)):
            yield KnownFile(*row), NormalizedName(name)

    def claimants(self, paths: Sequence[str]) -> dict[str, list[Claimant]]:
        """The projects whose pages list the files at ``paths``, in the order of their ids; a pass."""
        wanted = set(paths)
        found: dict[str, list[Claimant]] = {}
        statement = select(files.c.project_id, projects.c.name, files.c.sha256).join(
            projects, files.c.project_id == projects.c.id
        )
        statement = statement.where(files.c.removed_at.is_(None))
        for path, (project_id, name, sha256) in self._named(statement, paths):
            if path in wanted:
                claimant = Claimant(project_id=project_id, project=NormalizedName(name), sha256=sha256)
                found.setdefault(path, []).append(claimant)
        return {path: sorted(each, key=lambda one: one.project_id) for path, each in found.items()}

    def claimed(self, paths: Sequence[str]) -> set[str]:
        """Those of ``paths`` that a row accounts for by now, as a file of the pool or what is beside it; a
        pass.
        """
        claimed: set[str] = set()
        statement = select(files.c.metadata_sha256, files.c.provenance)
        for path, (metadata, provenance) in self._named(statement, paths):
            claimed.add(path)
            if metadata is not None:
                claimed.add(f"{path}.metadata")
            if provenance:
                claimed.add(f"{path}.provenance")
        return claimed.intersection(paths)

    def note_orphans(self, run_id: int, paths: Sequence[str]) -> None:
        """Remember since when nothing accounts for ``paths``."""
        now = int(self._clock())
        with self._engine.begin() as connection:
            hold(connection, run_id)
            rows = [{"path": path, "found_at": now} for path in paths]
            upsert(connection, orphans, rows, keep_existing=True)

    def orphans(self, *, found_before: int | None = None) -> Iterator[str]:
        """The paths, relative to ``web/``, for which nothing has accounted since before then; streamed."""
        statement = select(orphans.c.path).order_by(orphans.c.path)
        if found_before is not None:
            statement = statement.where(orphans.c.found_at < found_before)
        for (path,) in stream(self._engine, statement):
            yield path

    def forget_orphans(self, paths: Sequence[str]) -> None:
        statement = delete(orphans).where(orphans.c.path == bindparam("path_"))
        for_each(self._engine, statement, "path_", paths)

    def _named(self, statement: Select[Any], paths: Sequence[str]) -> Iterator[tuple[str, Sequence[Any]]]:
        """(path, row of ``statement``) of the rows that have the file name of one of ``paths`` or of what it
        is beside.
        """
        owners = (path.removesuffix(".metadata").removesuffix(".provenance") for path in paths)
        names = sorted({owner.rpartition("/")[2] for owner in owners})
        statement = statement.add_columns(files.c.location, files.c.filename)
        for chunk in chunks(names, _NAMES_AT_ONCE):
            for *row, location, filename in self._pass(statement.where(files.c.filename.in_(chunk))):
                yield path_of(location, filename), row

    def _pass(self, statement: Select[Any]) -> Iterator[Any]:
        """The rows of ``statement``, which is about ``files``; a query a slice."""
        for chosen in self._slices():
            yield from stream(self._engine, statement.where(chosen))

    def _slices(self) -> Iterator[ColumnElement[bool]]:
        last = scalar(self._engine, select(func.max(files.c.project_id)))
        for first in range(0, (last or 0) + 1, _SLICE):
            yield files.c.project_id.between(first, first + _SLICE - 1)
