"""Opening the ledger: connection, schema version, and the objects that read and write it."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy
from sqlalchemy import Engine

from pypi_mirror.clock import Clock
from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.audits import Audits
from pypi_mirror.ledger.backlog import Backlog
from pypi_mirror.ledger.connection import create_engine, shown_address
from pypi_mirror.ledger.events import Events
from pypi_mirror.ledger.facts import Facts
from pypi_mirror.ledger.lease import Lease
from pypi_mirror.ledger.migrations import HEAD, create, upgrade
from pypi_mirror.ledger.places import Places
from pypi_mirror.ledger.plan import Plan
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.runs import Runs


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
        self.audits = Audits(engine, clock)
        self.places = Places(engine, clock)

    @classmethod
    @contextmanager
    def open(cls, url: str, clock: Clock) -> Iterator["Ledger"]:
        """The ledger at a SQLAlchemy URL, created or upgraded as needed.

        Raises LedgerError when it cannot be reached, is damaged, or is of a newer program; so does every
        method of the ledger's parts when the database fails it later.
        """
        engine = create_engine(url)
        try:
            _bring_up_to_date(engine)
            yield cls(engine, clock)
        finally:
            engine.dispose()


def _bring_up_to_date(engine: Engine) -> None:
    found = _version(engine)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise LedgerError(
            f"the ledger at {shown_address(engine)} is of schema {found}, this program knows {HEAD}: "
            "it was used by a newer pypi-mirror; upgrade this one"
        )
    if found is None:
        create(engine)
    else:
        upgrade(engine)


def _version(engine: Engine) -> str | None:
    with engine.connect().execution_options(reading=True) as connection:
        if not sqlalchemy.inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
