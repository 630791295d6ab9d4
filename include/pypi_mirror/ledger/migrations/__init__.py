"""The ledger's schema versions, by Alembic: ``versions/`` holds one file a step, named for its number."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.connection import shown_address

HEAD: Final = "0005"


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
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2069812247)")
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(f"the ledger at {shown_address(engine)} cannot be upgraded: {error}") from error
