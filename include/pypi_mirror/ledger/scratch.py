"""A ledger to plan with: it reads the mirror's and keeps what is noted meanwhile to itself.

So a plan is made by the steps of a run, and no run, lease, fact or waiting approval of the mirror changes.
The tables that those steps write are copies, which names find first: in SQLite a database file to which the
ledger is attached, in PostgreSQL a schema before the ledger's own. The schema of a plan that was killed is
dropped by the next one.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, MetaData, Table, event, insert, select, text

from pypi_mirror import __version__
from pypi_mirror.errors import LedgerError, OldLedger
from pypi_mirror.ledger.connection import create_engine, file_of, shown_address
from pypi_mirror.ledger.migrations import HEAD, version_of
from pypi_mirror.ledger.tables import backlog, events, facts, lease, metadata, plan, runs

_COPIED: Final = (facts, runs, plan, backlog)
_OWN: Final = (*_COPIED, events, lease)
_ATTACHED: Final = "ledger"
_PREFIX: Final = "pypi_mirror_plan_"
# Of this user's alone: nobody else's may be dropped.
_SCHEMAS: Final = text(
    "SELECT nspname FROM pg_namespace "
    "WHERE starts_with(nspname, :prefix) AND pg_get_userbyid(nspowner) = current_user"
)
# Held by the session of the plan that a schema is of, before there is one and until it is dropped.
_LOCK: Final = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_UNLOCK: Final = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
# The execution option that says where the real ledger is.
_REAL: Final = "real_ledger"
_WRITING: Final = frozenset({sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE})


@contextmanager
def scratch_engine(url: str, folder: Path) -> Iterator[Engine]:
    """An engine for the ledger at ``url``, or for an empty one where there is none; it writes to ``folder``.

    Raises OldLedger for a ledger of an older program, and LedgerError when it cannot be read.
    """
    file = file_of(url)
    opened = _on_server(url) if file is None else _beside(url, file, folder / "plan.sqlite")
    with opened as (engine, schema):
        with engine.begin() as connection:
            metadata.create_all(
                connection, tables=metadata.sorted_tables if schema is None else _OWN, checkfirst=False
            )
            if schema is not None:
                _copy(connection, schema, _COPIED)
                _count_on(connection)
        try:
            yield engine.execution_options(**{_REAL: schema})
        finally:
            engine.dispose()


@contextmanager
def _beside(url: str, file: Path, scratch: Path) -> Iterator[tuple[Engine, str | None]]:
    there = file.is_file() and _is_ledger(url)

    def attach(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"ATTACH ? AS {_ATTACHED}", (str(file),))
        connection.set_authorizer(_protect)

    # A transaction that began as a writer's would lock the attached ledger, too.
    engine = create_engine(f"sqlite:///{scratch}", alone=True)
    if there:
        event.listen(engine, "connect", attach)
    yield engine, _ATTACHED if there else None


@contextmanager
def _on_server(url: str) -> Iterator[tuple[Engine, str | None]]:
    there = _is_ledger(url)
    own = f"{_PREFIX}{secrets.token_hex(6)}"
    real = create_engine(url)
    try:
        # Open as long as the plan is, for its lock: a session ends with its process, however that ends.
        with real.execution_options(isolation_level="AUTOCOMMIT").connect() as session:
            schema: str = session.exec_driver_sql("SELECT current_schema()").scalar_one()
            _drop_abandoned(session)
            session.execute(_LOCK, {"name": own})
            _make_schema(session, own)
            engine = create_engine(url)

            def put_first(connection: Any, _record: object) -> None:
                with connection.cursor() as cursor:
                    cursor.execute(f'SET search_path TO "{own}", "{schema}"')
                connection.commit()

            event.listen(engine, "connect", put_first)
            try:
                yield engine, schema if there else None
            finally:
                engine.dispose()
                session.exec_driver_sql(f'DROP SCHEMA "{own}" CASCADE')
    finally:
        real.dispose()


def _drop_abandoned(session: Connection) -> None:
    """Drop the schemas of plans whose sessions have ended without doing it."""
    for name in session.execute(_SCHEMAS, {"prefix": _PREFIX}).scalars().all():
        if session.execute(_TRY_LOCK, {"name": name}).scalar_one():
            try:
                session.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
            finally:
                session.execute(_UNLOCK, {"name": name})


def _make_schema(session: Connection, name: str) -> None:
    try:
        session.exec_driver_sql(f'CREATE SCHEMA "{name}"')
    except LedgerError as error:
        user, database = session.engine.url.username, session.engine.url.database
        raise LedgerError(
            f"{error}; a plan is made in a schema of its own: let the ledger's user make one "
            f"(GRANT CREATE ON DATABASE {database} TO {user})"
        ) from error


def _is_ledger(url: str) -> bool:
    engine = create_engine(url)
    try:
        found, shown = version_of(engine), shown_address(engine)
    finally:
        engine.dispose()
    if found is not None and found > HEAD:
        raise LedgerError(
            f"the ledger at {shown} has schema {found}, but this pypi-mirror {__version__} knows {HEAD}"
        )
    if found not in (None, HEAD):
        raise OldLedger(found=found, known=HEAD, address=shown)
    return found is not None


def _protect(action: int, _name: str | None, _column: str | None, place: str | None, _by: str | None) -> int:
    """What a plan would write without a copy of its own fails, instead of changing the ledger."""
    return sqlite3.SQLITE_DENY if place == _ATTACHED and action in _WRITING else sqlite3.SQLITE_OK


def keep_apart(connection: Connection, *, copied: Sequence[Table], emptied: Sequence[Table]) -> None:
    """Have a plan write to tables of its own, too: to copies, and to some of which nothing is left.

    They are too large to be copied for each plan. Does nothing where ``connection`` is no plan's.
    """
    schema = connection.get_execution_options().get(_REAL)
    if schema is not None:
        metadata.create_all(connection, tables=[*copied, *emptied], checkfirst=False)
        _copy(connection, schema, copied)


def _copy(connection: Connection, schema: str, tables: Sequence[Table]) -> None:
    for table in tables:
        real = table.to_metadata(MetaData(), schema=schema)
        connection.execute(insert(table).from_select(list(table.c.keys()), select(real)))


def _count_on(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # What was copied with its id was not counted.
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('runs', 'id'), coalesce(max(id), 0) + 1, false) FROM runs"
        )
