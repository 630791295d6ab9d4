"""What a run has read of upstream's pages, recorded a group at a time in one transaction."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field
from sqlalchemy import Engine

from pypi_mirror.catalogue import Entry
from pypi_mirror.clock import Clock
from pypi_mirror.ledger.catalogue import Confirmed, confirm_entries, write_entries
from pypi_mirror.ledger.held_files import note_seen
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.results import Failed, add_failures
from pypi_mirror.ledger.tables import plan
from pypi_mirror.ledger.writing import update_each
from pypi_mirror.model import PlannedProject, PlanState


class PageRead(Struct, frozen=True, kw_only=True):
    """A project's page was read: ``entry`` is new, or ``confirmed`` says that the entry still holds; neither
    where it was read before. ``seen`` says since when new files count, by name.
    """

    planned: PlannedProject
    entry: Entry | None
    confirmed: Confirmed | None
    seen: Mapping[str, int] = field(default_factory=dict)

    @property
    def failure(self) -> None:
        return None

    @property
    def is_unavailable(self) -> bool:
        return False


class PageReads:
    """Records what run ``run_id`` has read; a ``dry_run`` leaves the backlog as it is."""

    def __init__(self, engine: Engine, clock: Clock, run_id: int, *, dry_run: bool = False) -> None:
        self._engine = engine
        self._clock = clock
        self._run_id = run_id
        self._dry_run = dry_run

    def record(self, reads: Sequence[PageRead | Failed]) -> None:
        """All of ``reads``, or, when this raises, none of them; what failed is on the backlog.

        Raises LeaseLost when another run has taken the mirror over.
        """
        now = int(self._clock())
        read = [each for each in reads if isinstance(each, PageRead)]
        failed = [each for each in reads if isinstance(each, Failed)]
        with self._engine.begin() as connection:
            hold(connection, self._run_id)
            write_entries(connection, [each.entry for each in read if each.entry is not None])
            note_seen(connection, {each.planned.project: each.seen for each in read if each.seen})
            confirm_entries(connection, [e.confirmed for e in read if e.confirmed is not None], now=now)
            for done, column, value in ((read, "unread", False), (failed, "state", PlanState.FAILED.value)):
                rows = [
                    {"run_id": self._run_id, "project": each.planned.project, column: value} for each in done
                ]
                update_each(connection, plan, rows, key=("run_id", "project"))
            if not self._dry_run:
                add_failures(connection, failed, run_id=self._run_id, now=now)
