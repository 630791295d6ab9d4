"""The ledger's schema versions, by Alembic: ``versions/`` holds one file a step, named for its number."""

from pathlib import Path
from typing import Final

from sqlalchemy import Engine

HEAD: Final = "0001"


def upgrade(engine: Engine) -> None:
    """Bring the ledger to HEAD, from nothing or from any earlier version, in one transaction.

    Two processes that find an old ledger at once both come here; the second finds it done.
    """
    # Alembic is slow to import and needed once in a ledger's life.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(2069812247)")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
