"""Opening the ledger: connection, schema version, and the objects that read and write it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SQLAlchemyError

from pypi_mirror.clock import Clock
from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.backlog import Backlog
from pypi_mirror.ledger.events import Events
from pypi_mirror.ledger.facts import Facts
from pypi_mirror.ledger.lease import Lease
from pypi_mirror.ledger.migrations import HEAD, upgrade
from pypi_mirror.ledger.plan import Plan
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.runs import Runs

# How long a writer waits for another one, in seconds. A group of a batch commits in milliseconds.
_BUSY_TIMEOUT: Final = 120


class Ledger:
    """The mirror's database. ``Ledger.open`` creates or upgrades it; use as ``with Ledger.open(url) as``."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.facts = Facts(engine)
        self.projects = Projects(engine)
        self.events = Events(engine)
        self.runs = Runs(engine, clock)
        self.plan = Plan(engine)
        self.backlog = Backlog(engine, clock)
        self.lease = Lease(engine, clock)

    @classmethod
    @contextmanager
    def open(cls, url: str, clock: Clock) -> Iterator["Ledger"]:
        """The ledger at a SQLAlchemy URL, created or upgraded as needed.

        Raises LedgerError when it cannot be reached, is damaged, or is of a newer program.
        """
        engine = _engine(url)
        try:
            with _translated(engine):
                _bring_up_to_date(engine)
            yield cls(engine, clock)
        finally:
            engine.dispose()


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise LedgerError(f"{url!r} is no SQLAlchemy URL; see [ledger] url") from error
    if parsed.get_backend_name() != "sqlite":
        return sqlalchemy.create_engine(parsed, pool_pre_ping=True)
    engine = sqlalchemy.create_engine(parsed, connect_args={"timeout": _BUSY_TIMEOUT})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy's "begin" event below opens transactions; sqlite3 itself must not.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads and then writes fails at once when another writer came between,
    # whatever the timeout; one that starts as a writer waits its turn.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _bring_up_to_date(engine: Engine) -> None:
    found = _version(engine)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise LedgerError(
            f"the ledger at {_shown(engine)} is of schema {found}, this program knows {HEAD}: "
            "it was used by a newer pypi-mirror; upgrade this one"
        )
    upgrade(engine)


def _version(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not sqlalchemy.inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        if "malformed" in str(error.orig) or "not a database" in str(error.orig):
            raise LedgerError(
                f"the ledger at {_shown(engine)} is damaged ({error.orig}); "
                "move it away and let `pypi-mirror sync` make a new one from the tree and upstream"
            ) from error
        raise LedgerError(f"the ledger at {_shown(engine)} cannot be used: {error.orig}") from error
    except SQLAlchemyError as error:
        raise LedgerError(f"the ledger at {_shown(engine)} cannot be used: {error}") from error


def _shown(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)
