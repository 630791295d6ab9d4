"""Opening the ledger: connection, schema version, and the objects that read and write it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, delete, update

from pypi_mirror import __version__
from pypi_mirror.clock import Clock
from pypi_mirror.errors import LedgerError, OldLedger
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.audits import Audits
from pypi_mirror.ledger.backlog import Backlog
from pypi_mirror.ledger.catalogue import Catalogue
from pypi_mirror.ledger.connection import create_engine, file_of, shown_address
from pypi_mirror.ledger.dependencies import Dependencies
from pypi_mirror.ledger.dependency_graph import DependencyGraph
from pypi_mirror.ledger.events import Events
from pypi_mirror.ledger.facts import FactTable, put_facts
from pypi_mirror.ledger.held_files import HeldFiles
from pypi_mirror.ledger.lease import Lease
from pypi_mirror.ledger.left_out import LeftOuts
from pypi_mirror.ledger.listings import Listings
from pypi_mirror.ledger.locations import Locations
from pypi_mirror.ledger.migrations import HEAD, create, upgrade, version_of
from pypi_mirror.ledger.plan import Plan
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.runs import Runs
from pypi_mirror.ledger.samples import Samples
from pypi_mirror.ledger.scratch import keep_apart, scratch_engine
from pypi_mirror.ledger.tables import backlog, catalogue, catalogue_bodies, events, projects, to_do
from pypi_mirror.ledger.to_do import ToDo

# What the facts say of upstream's serials, or of a plan that was made by them.
_OF_UPSTREAM = (
    Facts.catalogued,
    Facts.cursor,
    Facts.read_serial,
    Facts.index_etag,
    Facts.upstream,
    Facts.upstream_identity,
    Facts.another_upstream,
    Facts.serials_at,
)


class Ledger:
    """The mirror's database. ``Ledger.open`` makes or upgrades it; use as ``with Ledger.open(url) as``."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.facts = Facts(FactTable(engine))
        self.projects = Projects(engine)
        self.catalogue = Catalogue(engine)
        self.events = Events(engine)
        self.runs = Runs(engine, clock)
        self.plan = Plan(engine)
        self.to_do = ToDo(engine)
        self.backlog = Backlog(engine, clock)
        self.left_out = LeftOuts(engine)
        self.held_files = HeldFiles(engine)
        self.dependencies = Dependencies(engine)
        self.dependency_graph = DependencyGraph(engine)
        self.lease = Lease(engine, clock)
        self.audits = Audits(engine, clock)
        self.locations = Locations(engine, clock)
        self.samples = Samples(engine)
        self.listings = Listings(engine)

    @classmethod
    @contextmanager
    def open(cls, url: str, clock: Clock, *, upgrade: bool = True) -> Iterator["Ledger"]:
        """The ledger at a SQLAlchemy URL; made when there is none, upgraded when it is of an older schema.

        Without ``upgrade`` an older one raises OldLedger: a reader leaves it as it is. Raises MirrorBusy for
        an older one that a run is at work with, and LedgerError when it cannot be reached, is damaged, or is
        of a newer program; so does every method of the ledger's parts when the database fails it later.
        """
        engine = create_engine(url)
        try:
            _bring_up_to_date(engine, clock, older_too=upgrade)
            yield cls(engine, clock)
        finally:
            engine.dispose()

    @staticmethod
    def knows_mirror(url: str) -> bool:
        """Whether a ledger is at a SQLAlchemy URL, and a mirror was made with it; makes none."""
        file = file_of(url)
        if file is not None and not file.is_file():
            return False
        engine = create_engine(url)
        try:
            if version_of(engine) is None:
                return False
            return Facts(FactTable(engine)).identity is not None or Projects(engine).totals().projects > 0
        finally:
            engine.dispose()

    @classmethod
    @contextmanager
    def to_plan_with(cls, url: str, clock: Clock, folder: Path) -> Iterator["Ledger"]:
        """The ledger at a SQLAlchemy URL, or an empty one where there is none, for a plan without a trace.

        What is written goes to ``folder`` and is lost at the end. Raises OldLedger and LedgerError.
        """
        with scratch_engine(url, folder) as engine:
            yield cls(engine, clock)


def _bring_up_to_date(engine: Engine, clock: Clock, *, older_too: bool) -> None:
    found = version_of(engine)
    if found == HEAD:
        return
    if found is None:
        create(engine)
        return
    refuse_newer(engine, found)
    if not older_too:
        raise OldLedger(found=found, known=HEAD, address=shown_address(engine))
    upgrade(engine, now=clock())


def refuse_newer(engine: Engine, found: str) -> None:
    """Raises LedgerError for a schema of the future: what it means, nothing here can know."""
    if found > HEAD:
        raise LedgerError(
            f"the ledger at {shown_address(engine)} has schema {found}, but this pypi-mirror {__version__} "
            f"knows {HEAD}: a newer pypi-mirror has used it. Nothing was changed. Install that version "
            "again, or put back the backup of the ledger that was made before the upgrade"
        )


def reset_upstream(engine: Engine) -> None:
    """Forget where upstream was: its serials mean nothing any more. The next sync compares every project with
    upstream's root index. Pages and files stay as they are.
    """
    with engine.begin() as connection:
        keep_apart(connection, copied=(projects,), emptied=(catalogue_bodies, catalogue, to_do))
        connection.execute(update(projects).values(serial=None, seen_serial=None, made_entry=None))
        connection.execute(update(backlog).values(serial=None, announced=None, exact=False))
        for table in (events, catalogue_bodies, catalogue, to_do):
            connection.execute(delete(table))
        put_facts(connection, [(fact.name, None) for fact in _OF_UPSTREAM])
