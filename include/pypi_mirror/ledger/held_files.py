"""Files in cooldown: what upstream's pages have and ours do not list yet."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName, canonicalize_name
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    delete,
    func,
    literal,
    select,
    tuple_,
    update,
)

from pypi_mirror.chunks import chunks
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.reading import fetch, stream
from pypi_mirror.ledger.tables import backlog, held_files, to_do
from pypi_mirror.ledger.writing import upsert


class HeldRow(Struct, frozen=True, kw_only=True):
    """A file that waits, or may have to: its time began at ``since``, it is ``due_at``, None until it was
    decided. ``file`` is in the pool's ``.held``, None where it was not downloaded. ``lifted_by`` is who has
    lifted its cooldown and ``lifted_why`` the reason. Times are seconds since 1970.
    """

    project: NormalizedName
    filename: str
    since: int
    due_at: int | None = None
    file: KnownFile | None = None
    lifted_at: int | None = None
    lifted_by: str | None = None
    lifted_why: str | None = None

    def is_due(self, as_of: int) -> bool:
        """Whether nothing keeps it from being listed any more."""
        return self.lifted_at is not None or (self.due_at is not None and self.due_at <= as_of)


class HeldTotals(Struct, frozen=True, kw_only=True):
    """How many files of how many projects wait, and when the next is due (seconds since 1970)."""

    files: int
    projects: int
    next_due: int | None


class HeldFiles:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, names: Sequence[NormalizedName]) -> dict[NormalizedName, dict[str, HeldRow]]:
        """The files of ``names``, by name; of a few hundred projects."""
        found: dict[NormalizedName, dict[str, HeldRow]] = {}
        with self._engine.connect().execution_options(reading=True) as connection:
            for row in map(_row, connection.execute(_OF, {"names": names})):
                found.setdefault(row.project, {})[row.filename] = row
        return found

    def all(self) -> Iterator[HeldRow]:
        """The files that wait, those due first; streamed."""
        statement = select(held_files).where(_DECIDED)
        yield from map(_row, stream(self._engine, statement.order_by(*_ORDER)))

    def page(self, part: str, after: tuple[int, str, str] | None, limit: int) -> list[HeldRow]:
        """Files that wait by (due at, project, filename), after the one of that key; with ``part`` only those
        that have it in their project's name or in their own.
        """
        statement = select(held_files).where(_DECIDED).order_by(*_ORDER).limit(limit)
        if part:
            statement = statement.where(
                held_files.c.project.contains(canonicalize_name(part), autoescape=True)
                | held_files.c.filename.icontains(part, autoescape=True)
            )
        if after is not None:
            # The first condition is one that an index serves.
            key = tuple_(*(literal(value) for value in after))
            statement = statement.where(held_files.c.due_at >= after[0], tuple_(*_ORDER) > key)
        return list(map(_row, fetch(self._engine, statement)))

    def totals(self) -> "HeldTotals":
        statement = select(
            func.count(), func.count(held_files.c.project.distinct()), func.min(held_files.c.due_at)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            files, projects, next_due = connection.execute(statement.where(_DECIDED)).one()
        return HeldTotals(files=files, projects=projects, next_due=next_due)

    def due(self, as_of: int, limit: int) -> list[NormalizedName]:
        """Up to ``limit`` projects with files to list: due ``as_of`` that time, or lifted.

        Those of the backlog and those left to do wait for the run that does them.
        """
        others = [held_files.c.project.not_in(select(table.c.project)) for table in (backlog, to_do)]
        statement = (
            select(held_files.c.project)
            .where(_is_due(as_of), *others)
            .group_by(held_files.c.project)
            .order_by(held_files.c.project)
            .limit(limit)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return [NormalizedName(name) for name in connection.scalars(statement)]

    def lift(self, project: NormalizedName, filenames: Sequence[str], *, at: int, by: str, why: str) -> None:
        """Note that a person lifts the cooldown of these files of ``project``."""
        statement = (
            update(held_files)
            .where(held_files.c.project == project, held_files.c.filename == bindparam("filename_"))
            .values(lifted_at=at, lifted_by=by, lifted_why=why)
        )
        if filenames:
            with self._engine.begin() as connection:
                connection.execute(statement, [{"filename_": name} for name in filenames])


def note_seen(connection: Connection, seen: Mapping[NormalizedName, Mapping[str, int]]) -> None:
    """Within another subject's transaction: note since when files count; what is known stands."""
    rows = [
        {"project": project, "filename": filename, "since": since}
        for project, files in seen.items()
        for filename, since in files.items()
    ]
    upsert(connection, held_files, rows, keep_existing=True)


def replace_held(connection: Connection, held: Mapping[NormalizedName, Sequence[HeldRow]]) -> None:
    """Within another subject's transaction: these files of each project wait, and no others.

    A cooldown that a person has lifted meanwhile stays lifted.
    """
    lifted: dict[tuple[str, str], dict[str, Any]] = {}
    for chunk in chunks(held):
        gone = delete(held_files).where(held_files.c.project.in_(chunk)).returning(*_LIFTED)
        for project, filename, at, by, why in connection.execute(gone):
            if at is not None:
                lifted[project, filename] = {"lifted_at": at, "lifted_by": by, "lifted_why": why}
    rows = (row for rows in held.values() for row in rows)
    upsert(
        connection, held_files, [_values(row) | lifted.get((row.project, row.filename), {}) for row in rows]
    )


_OF: Final = select(held_files).where(among(held_files.c.project, "names"))
_DECIDED: Final = held_files.c.due_at.is_not(None)
_LIFTED: Final = tuple(
    held_files.c[name] for name in ("project", "filename", "lifted_at", "lifted_by", "lifted_why")
)
_ORDER: Final = (held_files.c.due_at, held_files.c.project, held_files.c.filename)


def _is_due(as_of: int) -> ColumnElement[bool]:
    return (held_files.c.due_at <= as_of) | held_files.c.lifted_at.is_not(None)


def _row(row: Any) -> HeldRow:
    file = None
    if row.location is not None:
        file = KnownFile(
            filename=row.filename,
            location=row.location,
            sha256=row.sha256,
            size=row.size,
            metadata_sha256=row.metadata_sha256,
            provenance=row.provenance_sha256 is not None,
            provenance_sha256=row.provenance_sha256,
            uploaded_at=None,
            removed_at=None,
            stated=row.stated,
        )
    return HeldRow(
        project=NormalizedName(row.project),
        filename=row.filename,
        since=row.since,
        due_at=row.due_at,
        file=file,
        lifted_at=row.lifted_at,
        lifted_by=row.lifted_by,
        lifted_why=row.lifted_why,
    )


def _values(row: HeldRow) -> dict[str, Any]:
    file = row.file
    return {
        "project": row.project,
        "filename": row.filename,
        "since": row.since,
        "due_at": row.due_at,
        "location": None if file is None else file.location,
        "sha256": None if file is None else file.sha256,
        "size": None if file is None else file.size,
        "metadata_sha256": None if file is None else file.metadata_sha256,
        "provenance_sha256": None if file is None else file.provenance_sha256,
        "stated": None if file is None else file.stated,
        "lifted_at": row.lifted_at,
        "lifted_by": row.lifted_by,
        "lifted_why": row.lifted_why,
    }
