"""The backlog: projects that failed, each with its reason, attempts and next try."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from packaging.utils import NormalizedName
from sqlalchemy import Connection, Engine, Row, bindparam, delete, func, select

from pypi_mirror.clock import Clock
from pypi_mirror.ledger.tables import backlog
from pypi_mirror.ledger.writing import upsert

# The first new try after a quarter of an hour, each next after twice as long, once a day at least; a
# project that failed PARKED_AFTER times is parked and tried once a week.
_FIRST_DELAY: Final = 15 * 60
_LONGEST_DELAY: Final = 24 * 3600
_PARKED_DELAY: Final = 7 * 24 * 3600
PARKED_AFTER: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogEntry:
    """A project that is not current, and why. Times are seconds since 1970."""

    project: NormalizedName
    display_name: str
    error: str
    reason: str
    serial: int | None
    exact: bool
    attempts: int
    first_run_id: int
    first_failed_at: int
    last_failed_at: int
    next_try_at: int
    parked: bool


class Backlog:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def due(self) -> list[BacklogEntry]:
        """The entries whose next try has come, oldest first."""
        return self._read(backlog.c.next_try_at <= int(self._clock()))

    def all(self) -> list[BacklogEntry]:
        """Every entry, oldest first."""
        return self._read(backlog.c.project.is_not(None))

    def of_run(self, run_id: int, projects: Sequence[NormalizedName]) -> list[BacklogEntry]:
        """The entries of ``projects``; ``first_run_id`` tells those that are new in ``run_id``."""
        wanted = set(projects)
        return [e for e in self.all() if e.project in wanted]

    def count(self) -> int:
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(select(func.count()).select_from(backlog)).scalar_one()

    def forget(self, projects: Sequence[NormalizedName]) -> None:
        """Take the projects off the backlog, current or not."""
        if not projects:
            return
        with self._engine.begin() as connection:
            connection.execute(
                delete(backlog).where(backlog.c.project == bindparam("project_")),
                [{"project_": project} for project in projects],
            )

    def _read(self, condition: Any) -> list[BacklogEntry]:
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = connection.execute(
                select(backlog).where(condition).order_by(backlog.c.first_failed_at, backlog.c.project)
            )
            return [_entry(row) for row in rows]


def add_failure(
    connection: Connection,
    *,
    run_id: int,
    now: int,
    project: NormalizedName,
    display_name: str,
    serial: int | None,
    exact: bool,
    error: str,
    reason: str,
) -> None:
    """Within a batch's transaction: put ``project`` on the backlog, or count one more attempt.

    The serial of an event is waited for until it, or a later event's, is reached.
    """
    known = connection.execute(select(backlog).where(backlog.c.project == project)).one_or_none()
    attempts = 1 if known is None else known.attempts + 1
    wanted = serial
    if known is not None and known.exact and not (exact and serial is not None and serial > known.serial):
        wanted, exact = known.serial, True
    parked = attempts >= PARKED_AFTER
    delay = _PARKED_DELAY if parked else min(_FIRST_DELAY * 2 ** (attempts - 1), _LONGEST_DELAY)
    row = {
        "project": project,
        "display_name": display_name,
        "error": error,
        "reason": reason,
        "serial": wanted,
        "exact": exact,
        "attempts": attempts,
        "first_run_id": run_id if known is None else known.first_run_id,
        "first_failed_at": now if known is None else known.first_failed_at,
        "last_failed_at": now,
        "next_try_at": now + delay,
        "parked": parked,
    }
    upsert(connection, backlog, [row])


def settle(connection: Connection, reached: Mapping[NormalizedName, float]) -> None:
    """Within a batch's transaction: these projects were synced, from a page of this serial each.

    They leave the backlog, but for one whose page is older than the event it waits for, as happens when it
    was asked for by name: the cursor has passed that event, nothing else remembers it.
    """
    entries = connection.execute(
        select(backlog.c.project, backlog.c.serial, backlog.c.exact).where(backlog.c.project.in_(reached))
    )
    current = [
        project
        for project, wanted, exact in entries
        if not exact or reached[NormalizedName(project)] >= wanted
    ]
    if current:
        connection.execute(delete(backlog).where(backlog.c.project.in_(current)))


def _entry(row: Row[Any]) -> BacklogEntry:
    return BacklogEntry(**{**row._mapping, "project": NormalizedName(row.project)})  # noqa: SLF001
