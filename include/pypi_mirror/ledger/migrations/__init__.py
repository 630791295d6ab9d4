"""The ledger's schema versions, by Alembic: ``versions/`` holds one file a step, named for its number."""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select

from pypi_mirror.errors import LedgerError, MirrorBusy
from pypi_mirror.ledger.connection import shown_address
from pypi_mirror.ledger.lease import holder_in
from pypi_mirror.ledger.tables import metadata

HEAD: Final = "0015"

# As Alembic makes it.
VERSION: Final = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False)
)


def version_of(engine: Engine) -> str | None:
    """The schema version of the ledger there is, None where there is none."""
    with engine.connect().execution_options(reading=True) as connection:
        return _version(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION.name):
        return None
    return connection.execute(select(VERSION.c.version_num)).scalar()


def create(engine: Engine) -> None:
    """Make a new ledger, with the tables as the program declares them.

    The steps of ``upgrade`` lead to the same, and to import Alembic takes longer than all of this. Of two
    processes that find no ledger at once, the second finds it done.
    """
    with engine.begin() as connection:
        _one_at_a_time(connection)
        if not inspect(connection).has_table(VERSION.name):
            metadata.create_all(connection)
            VERSION.create(connection)
            connection.execute(insert(VERSION).values(version_num=HEAD))


def upgrade(engine: Engine, *, now: float) -> None:
    """Bring the ledger to HEAD, from nothing or from any earlier version, in one transaction.

    Two processes that find an old ledger at once both come here; the second finds it done. Raises
    LedgerError for a version that no step leads from, and MirrorBusy while a run has the mirror: it may be
    the work of processes of the older program, which cannot go on with a newer ledger.
    """
    # Alembic is slow to import and needed once in a ledger's life.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        _one_at_a_time(connection)
        found = _version(connection)
        if found == HEAD:
            return
        if found is not None and (busy := _holder(connection, now)) is not None:
            raise busy
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(f"the ledger at {shown_address(engine)} cannot be upgraded: {error}") from error


def _holder(connection: Connection, now: float) -> MirrorBusy | None:
    if connection.dialect.name == "postgresql":
        # Whoever wants the lease waits until the transaction has ended.
        connection.exec_driver_sql("LOCK TABLE lease IN SHARE ROW EXCLUSIVE MODE")
    return holder_in(connection, now)


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite every transaction that writes is alone."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2069812247)")
