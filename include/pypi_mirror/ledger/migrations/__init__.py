"""The ledger's schema versions, by Alembic: ``versions/`` holds one file a step, named for its number."""

from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect

from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.connection import shown_address
from pypi_mirror.ledger.tables import metadata

HEAD: Final = "0004"

# As Alembic makes it.
VERSION: Final = Table(
    "alembic_version", MetaData(), Column("version_num", String(32), primary_key=True, nullable=False)
)


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


def upgrade(engine: Engine) -> None:
    """Bring the ledger to HEAD, from nothing or from any earlier version, in one transaction.

    Two processes that find an old ledger at once both come here; the second finds it done. Raises
    LedgerError for a version that no step leads from.
    """
    # Alembic is slow to import and needed once in a ledger's life.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        _one_at_a_time(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(f"the ledger at {shown_address(engine)} cannot be upgraded: {error}") from error


def _one_at_a_time(connection: Connection) -> None:
    """On SQLite every transaction that writes is alone."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2069812247)")
