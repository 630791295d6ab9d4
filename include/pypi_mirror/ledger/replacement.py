"""A new ledger in place of one that is lost or broken: made beside it, put in its place, the old one kept.

Until the new one is complete nothing is touched, so a rebuild that dies half-way has changed nothing. Its
rows are made from what the tree holds.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import sqlalchemy
from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import URL, Connection, Engine, bindparam, func, make_url, select, update

from pypi_mirror.chunks import chunks
from pypi_mirror.clock import Clock
from pypi_mirror.errors import LedgerDamaged, LedgerError, LedgerUnavailable
from pypi_mirror.ledger.connection import create_engine, shown_address
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.results import STATUSES
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.tables import files, metadata, projects, runs
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import IndexEntry

# What belongs to an SQLite database besides its own file. A write-ahead log is believed to be that of
# whatever database it lies beside.
_COMPANIONS: Final = ("-wal", "-shm", "-journal")
_SCHEMA: Final = "pypi_mirror_rebuilding"


class Condition(Struct, frozen=True, kw_only=True):
    """How a ledger is: ``present`` unless there is none or nothing in it, ``fault`` says what is wrong."""

    present: bool
    projects: int = 0
    fault: str | None = None


def examine(url: str, clock: Clock) -> Condition:
    """How the ledger at ``url`` is; every page of an SQLite file is looked at.

    Raises LedgerUnavailable when the database cannot be reached, LedgerError when what is wrong with it is
    not the ledger's contents.
    """
    path = _path(make_url(url))
    if path is not None and (not path.exists() or not path.stat().st_size):
        return Condition(present=False)
    if path is None and not _has_tables(url):
        return Condition(present=False)
    try:
        with (
            Ledger.open(url, clock) as ledger,
            ledger.engine.connect().execution_options(reading=True) as connection,
        ):
            if path is not None:
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                if found != "ok":
                    return Condition(present=True, fault=str(found).replace("\n", " "))
            held = connection.execute(select(func.count()).select_from(projects)).scalar_one()
            ran = connection.execute(select(func.count()).select_from(runs)).scalar_one()
    except LedgerDamaged as error:
        return Condition(present=True, fault=str(error))
    return Condition(present=held > 0 or ran > 0, projects=held)


def _has_tables(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return sqlalchemy.inspect(connection).has_table(projects.name)
    finally:
        engine.dispose()


class Replacement(Struct):
    """``url`` is where the new ledger is to be made, ``aside`` where the old one went in the end."""

    url: str
    aside: str | None = None


@contextmanager
def replacing(url: str, *, stamp: str) -> Iterator[Replacement]:
    """Give a place for a new ledger; it takes the place of the one at ``url`` unless the block raises.

    By then nobody may have it open. The old one is renamed, with ``stamp`` in its name, never deleted.
    """
    parsed = make_url(url)
    path = _path(parsed)
    if path is not None:
        yield from _replacing_file(parsed, path, stamp)
    else:
        yield from _replacing_schema(url, stamp)


def _path(url: URL) -> Path | None:
    """Where an SQLite ledger is, None for PostgreSQL."""
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise LedgerError("only a ledger at a plain path can be replaced; see [ledger] url")
    path = Path(url.database)
    if path.is_dir():
        raise LedgerError(f"{path}: a directory is where the ledger's file should be; move it away")
    return path


def _replacing_file(url: URL, path: Path, stamp: str) -> Iterator[Replacement]:
    new = path.with_name(f"{path.name}.rebuilding")
    for name in ("", *_COMPANIONS):
        # What a rebuild left that died.
        Path(f"{new}{name}").unlink(missing_ok=True)
    before = _identity(path)
    replacement = Replacement(url=url.set(database=str(new)).render_as_string(hide_password=False))
    yield replacement
    if any(Path(f"{new}{name}").exists() for name in _COMPANIONS):
        raise LedgerError(f"{new}: somebody has it open; the ledger was not replaced")
    if _identity(path) != before:
        raise LedgerError(
            f"{path}: another process has made a ledger meanwhile; it was left alone, and so is {new.name}"
        )
    aside = path.with_name(f"{path.name}.{stamp}")
    # The log goes first: without it the old ledger is what it was a while ago, but beside the new ledger it
    # would be replayed into it.
    for name in (*_COMPANIONS, ""):
        with suppress(FileNotFoundError):
            Path(f"{path}{name}").rename(f"{aside}{name}")
            replacement.aside = str(aside)
    new.rename(path)


def _identity(path: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _replacing_schema(url: str, stamp: str) -> Iterator[Replacement]:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {_SCHEMA}")
        parsed = make_url(url)
        options = f"{parsed.query.get('options', '')} -csearch_path={_SCHEMA}".strip()
        inside = parsed.update_query_dict({"options": options})
        replacement = Replacement(url=inside.render_as_string(hide_password=False))
        yield replacement
        with engine.begin() as connection:
            replacement.aside = _exchange(connection, engine, f"pypi_mirror_{stamp.lower()}")
    finally:
        engine.dispose()


def _exchange(connection: Connection, engine: Engine, aside: str) -> str | None:
    """Move the ledger's tables to the schema ``aside`` and the new ones here; None when there were none."""
    here = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    if here is None:
        raise LedgerUnavailable(f"the ledger at {shown_address(engine)} has no schema to be in")
    names = {*metadata.tables, "alembic_version"}
    old = names & set(sqlalchemy.inspect(connection).get_table_names(schema=here))
    if old:
        connection.exec_driver_sql(f'CREATE SCHEMA "{aside}"')
    for schema, target, tables in ((here, aside, old), (_SCHEMA, here, names)):
        for table in sorted(tables):
            connection.exec_driver_sql(f'ALTER TABLE "{schema}"."{table}" SET SCHEMA "{target}"')
    connection.exec_driver_sql(f"DROP SCHEMA {_SCHEMA}")
    return f"schema {aside}" if old else None


class RestoredProject(Struct, frozen=True, kw_only=True):
    """What a project's page and the pool say of it; ``selection`` is empty where its page may be wrong.

    Times are seconds since 1970; ``verified_at`` is 0 where its files were not read.
    """

    project: NormalizedName
    serial: int | None
    status: str
    selection: str
    synced_at: int
    verified_at: int
    files: tuple[KnownFile, ...]


def restore_projects(engine: Engine, restored: Sequence[RestoredProject]) -> None:
    """Write the rows of these projects and of their files, in one transaction."""
    with engine.begin() as connection:
        upsert(connection, projects, [_project_row(each) for each in restored], key=["name"])
        names = [each.project for each in restored]
        found = select(projects.c.name, projects.c.id).where(projects.c.name.in_(names))
        ids = {row.name: row.id for row in connection.execute(found)}
        upsert(
            connection,
            files,
            [_file_row(ids[each.project], each, file) for each in restored for file in each.files],
        )


def restore_display_names(engine: Engine, entries: Iterable[IndexEntry]) -> None:
    """Spell the projects as a root index does."""
    statement = (
        update(projects)
        .where(projects.c.name == bindparam("name_"))
        .values(display_name=bindparam("display_name_"))
    )
    differing = ({"name_": e.project, "display_name_": e.name} for e in entries if e.name != e.project)
    for chunk in chunks(differing):
        with engine.begin() as connection:
            connection.execute(statement, chunk)


def _project_row(each: RestoredProject) -> dict[str, Any]:
    return {
        "name": each.project,
        "display_name": each.project,
        "serial": each.serial,
        "seen_serial": each.serial,
        "made_entry": None,
        "made_decision": None,
        "status": each.status if each.status in STATUSES else "active",
        "selection": each.selection,
        "files": len(each.files),
        "bytes": sum(file.size for file in each.files),
        "dropped_files": 0,
        "dropped_bytes": 0,
        "synced_at": each.synced_at,
    }


def _file_row(project_id: int, each: RestoredProject, file: KnownFile) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "filename": file.filename,
        "location": file.location,
        "sha256": file.sha256,
        "size": file.size,
        "metadata_sha256": file.metadata_sha256,
        "provenance": file.provenance,
        "provenance_sha256": file.provenance_sha256,
        "uploaded_at": file.uploaded_at,
        "verified_at": each.verified_at,
        "stated": file.stated,
        "removed_at": None,
    }
