"""The backlog: projects that failed, each with its reason, attempts and next try.

So that no event is forgotten it also keeps projects whose page *lags*: it contradicts upstream's last word.
Upstream's root index announced a serial that the page has not reached, or does not list a project that has a
page; or upstream announced a project and gives no page of it. Most often a role event left the page in its
caches, which is no failure; but the answer may be an old copy or a wrong one, so upstream is asked again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import ColumnElement, Connection, Engine, Row, bindparam, delete, func, select, update

from pypi_mirror.clock import Clock
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.reading import fetch, project_names, scalar
from pypi_mirror.ledger.tables import backlog
from pypi_mirror.ledger.writing import for_each, upsert

# The first new try after a quarter of an hour, each next after twice as long, once a day at least; a
# project that failed PARKED_AFTER times is parked and tried once a week.
_FIRST_DELAY: Final = 15 * 60
_LONGEST_DELAY: Final = 24 * 3600
_PARKED_DELAY: Final = 7 * 24 * 3600
PARKED_AFTER: Final = 10
# What a page has not shown when it was looked at again this often (almost four hours) is taken for a role
# event's serial. An event that changes the page is waited for until a page has reached it.
LOOKS_AGAIN: Final = 4
# The error of a project that did not fail and that the next run has to decide about.
PUT_OFF: Final = "Waiting"
_THE_PROJECT: Final = backlog.c.project == bindparam("project_")
_NOTHING: Final = {"serial": None, "exact": False, "announced": None, "gone": False}


class BacklogEntry(Struct, frozen=True, kw_only=True):
    """A project that is not current, and why. Times are seconds since 1970.

    ``exact`` says that ``serial`` is an event's; then ``announced`` is a higher one that upstream's root
    index has shown since, if it has. ``gone`` says that upstream's last word was that there is no such
    project any more.

    ``lagging`` says that it did not fail: ``serial`` was announced and its page contradicts it; ``attempts``
    counts the looks at that page.
    """

    project: NormalizedName
    display_name: str
    error: str
    reason: str
    serial: int | None
    exact: bool
    announced: int | None
    gone: bool
    attempts: int
    first_run_id: int
    first_failed_at: int
    last_failed_at: int
    next_try_at: int
    parked: bool
    lagging: bool


class SyncedPage(Struct, frozen=True, kw_only=True):
    """A project was synced, from a page of the serial ``reached`` (None where pages have no serials).

    ``announced`` is a serial that the page should have reached, as far as its sync can tell: an event's where
    ``exact`` says so, and ``gone`` where it said that the project is gone. ``missing`` says that there was no
    page although upstream had announced one.
    """

    project: NormalizedName
    display_name: str
    reached: float | None
    announced: int | None
    exact: bool = False
    gone: bool = False
    missing: bool = False


class Backlog:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def due(self) -> list[BacklogEntry]:
        """The entries whose next try has come, lagging ones too, oldest first.

        One that a clock made which was ahead by years does not wait for years.
        """
        now = int(self._clock())
        return self._read((backlog.c.next_try_at <= now) | (backlog.c.next_try_at > now + _PARKED_DELAY))

    def failed(self) -> list[BacklogEntry]:
        """Every project that failed, oldest first."""
        return self._read(backlog.c.lagging.is_(False))

    def parked(self) -> list[BacklogEntry]:
        """Every project that failed too often, oldest first."""
        return self._read(backlog.c.parked.is_(True))

    def all(self) -> list[BacklogEntry]:
        """Every entry, lagging ones too, oldest first."""
        return self._read(backlog.c.project.is_not(None))

    def of_run(self, run_id: int, projects: Sequence[NormalizedName]) -> list[BacklogEntry]:
        """The failed of ``projects``; ``first_run_id`` tells those that are new in ``run_id``."""
        wanted = set(projects)
        return [e for e in self.failed() if e.project in wanted]

    def those_of(self, projects: Sequence[NormalizedName]) -> set[NormalizedName]:
        """Those of ``projects`` that wait."""
        statement = select(backlog.c.project).where(backlog.c.project.in_(projects))
        return set(project_names(self._engine, statement))

    def count(self) -> int:
        """How many projects failed, parked ones included."""
        return self._count(backlog.c.lagging.is_(False))

    def count_parked(self) -> int:
        return self._count(backlog.c.parked.is_(True))

    def add_unread(self, project: NormalizedName, display_name: str, run_id: int, reason: str) -> None:
        """Have ``project`` looked at now, whatever its serial, without having failed."""
        now = int(self._clock())
        row = backlog_row(
            project, display_name, error="AbsurdSerial", reason=reason, first=(run_id, now), now=now
        )
        with self._engine.begin() as connection:
            upsert(connection, backlog, [row], keep_existing=True)

    def retry(self, projects: Sequence[NormalizedName]) -> None:
        """Make the projects due now, parked ones too; how often they failed stays known."""
        again = update(backlog).values(next_try_at=int(self._clock()), parked=False)
        for_each(self._engine, again.where(_THE_PROJECT), "project_", projects)

    def forget(self, projects: Sequence[NormalizedName]) -> None:
        """Take the projects off the backlog, current or not."""
        for_each(self._engine, delete(backlog).where(_THE_PROJECT), "project_", projects)

    def _read(self, condition: ColumnElement[bool]) -> list[BacklogEntry]:
        statement = select(backlog).where(condition).order_by(backlog.c.first_failed_at, backlog.c.project)
        return [
            BacklogEntry(**{**row._mapping, "project": NormalizedName(row.project)})  # noqa: SLF001
            for row in fetch(self._engine, statement)
        ]

    def _count(self, condition: ColumnElement[bool]) -> int:
        return scalar(self._engine, select(func.count()).select_from(backlog).where(condition)) or 0


def backlog_row(
    project: NormalizedName,
    display_name: str,
    *,
    error: str,
    reason: str,
    awaited: Mapping[str, Any] = _NOTHING,
    attempts: int = 0,
    first: tuple[int, int],
    now: int,
    delay: int = 0,
    parked: bool = False,
    lagging: bool = False,
) -> dict[str, Any]:
    """A row of ``backlog``, without any failed try by default; ``first`` is its first run and time."""
    return {
        "project": project,
        "display_name": display_name,
        "error": error,
        "reason": reason,
        **awaited,
        "attempts": attempts,
        "first_run_id": first[0],
        "first_failed_at": first[1],
        "last_failed_at": now,
        "next_try_at": now + delay,
        "parked": parked,
        "lagging": lagging,
    }


def add_failure(
    connection: Connection,
    *,
    run_id: int,
    now: int,
    project: NormalizedName,
    display_name: str,
    serial: int | None,
    exact: bool,
    gone: bool,
    error: str,
    reason: str,
) -> None:
    """Within a batch's transaction: put ``project`` on the backlog, or count one more attempt.

    The serial of an event is waited for until it, or a later event's, is reached; a higher one that was
    merely announced is kept beside it. A project that was merely lagging fails for the first time.
    """
    entry = connection.execute(select(backlog).where(backlog.c.project == project)).one_or_none()
    known = None if entry is None or entry.lagging else entry
    attempts = 1 if known is None else known.attempts + 1
    parked = attempts >= PARKED_AFTER
    row = backlog_row(
        project,
        display_name,
        error=error,
        reason=reason,
        awaited=_awaited(entry, serial, exact=exact, gone=gone),
        attempts=attempts,
        first=(run_id, now) if known is None else (known.first_run_id, known.first_failed_at),
        now=now,
        delay=_PARKED_DELAY if parked else _delay(attempts),
        parked=parked,
    )
    upsert(connection, backlog, [row])


def put_off(
    connection: Connection,
    *,
    run_id: int,
    now: int,
    project: NormalizedName,
    display_name: str,
    serial: int | None,
    exact: bool,
    gone: bool,
    reason: str,
) -> None:
    """Within a batch's transaction: ``project`` did not fail, and the next run has to look at it."""
    entry = connection.execute(select(backlog).where(backlog.c.project == project)).one_or_none()
    row = backlog_row(
        project,
        display_name,
        error=PUT_OFF,
        reason=reason,
        awaited=_awaited(entry, serial, exact=exact, gone=gone),
        first=(run_id, now),
        now=now,
        lagging=True,
    )
    upsert(connection, backlog, [row])


def settle(connection: Connection, attempts: Iterable[SyncedPage], *, run_id: int, now: int) -> None:
    """Within a batch's transaction: these projects were synced.

    They leave the backlog, but for one whose page is older than the event it waits for, as happens when it
    was asked for by name: the cursor has passed that event, nothing else remembers it. A page that
    contradicts what upstream announced puts its project on the backlog as lagging.
    """
    by_name = {page.project: page for page in attempts}
    entries = {row.project: row for row in connection.execute(_ENTRIES, {"names": list(by_name)})}
    current, lagging = [], []
    for page in by_name.values():
        entry = entries.get(page.project)
        if entry is not None and entry.exact and not page.missing and (page.reached or 0) < entry.serial:
            awaited = _awaited(entry, page.announced, exact=page.exact, gone=page.gone)
            connection.execute(update(backlog).where(backlog.c.project == page.project).values(awaited))
            continue
        before = None if entry is None else _highest(entry.serial, entry.announced)
        wanted = _highest(page.announced, before)
        if wanted is None or page.reached is None or page.reached >= wanted:
            current.append(page.project)
        elif entry is None or not entry.lagging or wanted > (before or 0):
            lagging.append(_lagging(page, entry, wanted, attempts=1, first=(run_id, now), now=now))
        elif now < entry.next_try_at:
            # Somebody asked for it early: four looks in a minute prove nothing.
            continue
        elif entry.attempts < LOOKS_AGAIN or entry.exact:
            first = (entry.first_run_id, entry.first_failed_at)
            lagging.append(_lagging(page, entry, wanted, attempts=entry.attempts + 1, first=first, now=now))
        else:
            current.append(page.project)
    gone = [project for project in current if project in entries]
    if gone:
        connection.execute(delete(backlog).where(backlog.c.project.in_(gone)))
    upsert(connection, backlog, lagging)


_ENTRIES: Final = select(backlog).where(among(backlog.c.project, "names"))


def _lagging(
    page: SyncedPage, entry: Row[Any] | None, wanted: int, *, attempts: int, first: tuple[int, int], now: int
) -> dict[str, Any]:
    """A row; ``first`` is the run and the time of the first look."""
    awaited = _awaited(entry, page.announced, exact=page.exact, gone=page.gone)
    if not page.missing:
        # A page that has not reached the event has stayed on the backlog before.
        awaited |= {"serial": wanted, "exact": False, "announced": None}
    return backlog_row(
        page.project,
        page.display_name,
        error="Lagging",
        reason=_why(page, wanted, gone=awaited["gone"]),
        awaited=awaited,
        attempts=attempts,
        first=first,
        now=now,
        delay=_delay(attempts),
        lagging=True,
    )


def _why(page: SyncedPage, wanted: int, *, gone: bool) -> str:
    if page.missing:
        return f"upstream has no page of it, and announced it at serial {wanted}; it is looked at again"
    if gone:
        return (
            f"the page is of serial {page.reached}, and upstream's index of serial {wanted} does not list "
            "the project; it is looked at again"
        )
    return f"the page is of serial {page.reached}, upstream announced {wanted}; it is looked at again"


def _awaited(entry: Row[Any] | None, serial: int | None, *, exact: bool, gone: bool) -> dict[str, Any]:
    """What a project waits for: what ``entry`` has of it and upstream's newer word together.

    Of events the latest counts, and beside it what was merely announced later. Whether the project is gone
    says the later word; a look that nothing of upstream's led to has no serial and says nothing.
    """
    serials = [(serial, exact)]
    if entry is not None:
        before = _highest(entry.serial, entry.announced)
        if serial is None or serial < (before or 0):
            gone = entry.gone or (gone and serial is None)
        serials += [(entry.serial, entry.exact), (entry.announced, False)]
    event = _highest(*(number for number, is_event in serials if is_event))
    announced = _highest(*(number for number, is_event in serials if not is_event))
    return {
        "serial": announced if event is None else event,
        "exact": event is not None,
        "announced": announced if event is not None and (announced or 0) > event else None,
        "gone": gone,
    }


def _delay(attempts: int) -> int:
    """Seconds from the last of ``attempts`` tries to the next."""
    return min(_FIRST_DELAY << (attempts - 1), _LONGEST_DELAY)


def _highest(*serials: int | None) -> int | None:
    return max((serial for serial in serials if serial is not None), default=None)
