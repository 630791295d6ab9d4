"""Long lists of the ledger a page at a time, each page found by an index.

``after`` is the key of the last row that was seen, None for the first page.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import Engine, Row, Select, func, literal, or_, select, tuple_

from pypi_mirror.ledger.projects import KNOWN_FILE, KnownFile
from pypi_mirror.ledger.reading import count_of, fetch, fetch_as, total
from pypi_mirror.ledger.tables import backlog, events, files, plan, projects, runs
from pypi_mirror.model import PlanState, RunKind

# Of columns that a statement names.
AnyRow = Row[*tuple[Any, ...]]


class ListedProject(Struct, frozen=True, kw_only=True):
    """A row of ``projects``; ``synced_at`` is in seconds since 1970."""

    name: NormalizedName
    display_name: str
    status: str
    serial: int | None
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    synced_at: int


class ListedTombstone(Struct, frozen=True, kw_only=True):
    """A file that no page lists, and whose it was."""

    project_id: int
    project: NormalizedName
    file: KnownFile
    removed_at: int


class BatchCounts(Struct, frozen=True, kw_only=True):
    """How far a batch is; ``first`` and ``last`` are names of its projects, in their order. ``files`` and
    ``bytes`` were downloaded.
    """

    number: int
    first: str
    last: str
    projects: int
    done: int
    failed: int
    files: int
    bytes: int


class Listings:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def backlog(self, after: str | None, limit: int, *, parked: bool | None) -> Sequence[AnyRow]:
        """Rows of ``backlog`` by project, all or only those that are (not) parked."""
        statement = select(backlog).order_by(backlog.c.project).limit(limit)
        if after is not None:
            statement = statement.where(backlog.c.project > after)
        if parked is not None:
            statement = statement.where(backlog.c.parked.is_(parked))
        return self._rows(statement)

    def entry(self, project: NormalizedName) -> AnyRow | None:
        """The row of ``backlog`` of one project."""
        return next(iter(self._rows(select(backlog).where(backlog.c.project == project))), None)

    def tombstones(self, after: tuple[int, int, str] | None, limit: int) -> list[ListedTombstone]:
        """By (removed at, project id, filename)."""
        key = (files.c.removed_at, files.c.project_id, files.c.filename)
        statement = (
            select(files.c.project_id, projects.c.name, *KNOWN_FILE)
            .join(projects, projects.c.id == files.c.project_id)
            .where(files.c.removed_at.is_not(None))
            .order_by(*key)
            .limit(limit)
        )
        if after is not None:
            # The first condition is one that an index serves, the second leaves out what it has too many of.
            statement = statement.where(
                files.c.removed_at >= after[0], tuple_(*key) > tuple_(*(literal(value) for value in after))
            )
        return [
            ListedTombstone(
                project_id=row[0],
                project=NormalizedName(row[1]),
                file=KnownFile(*row[2:]),
                removed_at=row.removed_at,
            )
            for row in self._rows(statement)
        ]

    def tombstone_sums(self) -> tuple[int, int]:
        """How many there are, and their bytes."""
        statement = select(func.count(), total(files.c.size)).where(files.c.removed_at.is_not(None))
        number, size = self._rows(statement)[0]
        return number, size

    def batch_counts(self, run_id: int) -> list[BatchCounts]:
        """The batches of a run, by number: of 800,000 projects in 0.2 s, from an index alone on SQLite."""
        statement = (
            select(
                plan.c.batch.label("number"),
                func.min(plan.c.project).label("first"),
                func.max(plan.c.project).label("last"),
                func.count().label("projects"),
                count_of(plan.c.state == PlanState.DONE.value).label("done"),
                count_of(plan.c.state == PlanState.FAILED.value).label("failed"),
                total(plan.c.files_downloaded).label("files"),
                total(plan.c.bytes_downloaded).label("bytes"),
            )
            # What a bounded run leaves to a later one is in no batch.
            .where(plan.c.run_id == run_id, plan.c.batch >= 0)
            .group_by(plan.c.batch)
            .order_by(plan.c.batch)
        )
        return fetch_as(self._engine, statement, BatchCounts)

    def planned(self, run_id: int, names: Sequence[NormalizedName]) -> dict[NormalizedName, AnyRow]:
        """Of ``names`` those that are planned, and what became of them: rows with ``state``."""
        statement = select(plan.c.project, plan.c.state).where(
            plan.c.run_id == run_id, plan.c.project.in_(names)
        )
        return {NormalizedName(row.project): row for row in self._rows(statement)}

    def audits(self, limit: int) -> list[int]:
        """The numbers of the newest runs that were audits, newest first."""
        statement = select(runs.c.id).where(runs.c.kind == RunKind.AUDIT.value)
        return [row.id for row in self._rows(statement.order_by(runs.c.id.desc()).limit(limit))]

    def losing(self, run_id: int, after: str | None, limit: int) -> Sequence[AnyRow]:
        """Rows of ``plan`` by which the mirror loses a page or files, by project."""
        statement = (
            select(plan)
            .where(plan.c.run_id == run_id, or_(plan.c.loses_project, plan.c.loses_files > 0))
            .order_by(plan.c.project)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(plan.c.project > after)
        return self._rows(statement)

    def projects_beginning(self, prefix: str, after: str | None, limit: int) -> list[ListedProject]:
        """Projects whose normalized name begins with ``prefix``, by name."""
        statement = select(*_PROJECT).order_by(projects.c.name).limit(limit)
        if prefix:
            # Names are of ASCII, and this sorts behind all that begin with the prefix.
            statement = statement.where(projects.c.name >= prefix, projects.c.name < f"{prefix}\x7f")
        if after is not None:
            statement = statement.where(projects.c.name > after)
        return fetch_as(self._engine, statement, ListedProject)

    def projects_containing(self, part: str, after: str | None, limit: int) -> list[ListedProject]:
        """Projects that have ``part`` in their name, but not at its beginning, by name.

        Goes through the names, at worst all of them: 0.1 s for 800,000.
        """
        found = select(projects.c.name).where(
            projects.c.name.contains(part, autoescape=True),
            ~projects.c.name.startswith(part, autoescape=True),
        )
        if after is not None:
            found = found.where(projects.c.name > after)
        chosen = found.order_by(projects.c.name).limit(limit)
        statement = select(*_PROJECT).where(projects.c.name.in_(chosen)).order_by(projects.c.name)
        return fetch_as(self._engine, statement, ListedProject)

    def project(self, name: NormalizedName) -> tuple[int, ListedProject] | None:
        """A project's id and row."""
        rows = self._rows(select(projects.c.id, *_PROJECT).where(projects.c.name == name))
        if not rows:
            return None
        columns = dict(rows[0]._mapping)  # noqa: SLF001
        return columns.pop("id"), ListedProject(**columns)

    def files(self, project_id: int, after: str | None, limit: int) -> list[tuple[KnownFile, int]]:
        """(file, when it was verified) of a project by filename, tombstones too."""
        statement = (
            select(files.c.verified_at, *KNOWN_FILE)
            .where(files.c.project_id == project_id)
            .order_by(files.c.filename)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(files.c.filename > after)
        return [(KnownFile(*row[1:]), row.verified_at) for row in self._rows(statement)]

    def events(self, project: NormalizedName, limit: int) -> Sequence[AnyRow]:
        """The newest rows of ``events`` of a project, newest first."""
        statement = (
            select(events).where(events.c.project == project).order_by(events.c.serial.desc()).limit(limit)
        )
        return self._rows(statement)

    def _rows(self, statement: Select[*tuple[Any, ...]]) -> Sequence[AnyRow]:
        return fetch(self._engine, statement)


_PROJECT: Final = tuple(projects.c[name] for name in ListedProject.__struct_fields__)
