"""The backlog, a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from pypi_mirror.clock import utc
from pypi_mirror.ledger.listings import AnyRow
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import Page, one_more, page_of, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A project that is not current. ``error`` is the error's class, ``reason`` its sentence.

    ``lagging`` says that it did not fail: upstream announced ``serial``, and its page is older.
    """

    project: NormalizedName
    display_name: str
    error: str
    reason: str
    serial: int | None
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_try_at: datetime
    parked: bool
    lagging: bool


def backlog_page(
    mirror: Mirror, after: str | None = None, limit: int = 50, parked: bool | None = None
) -> Page[Behind]:
    """Entries by name after the project ``after``; ``parked`` leaves only those that are, or are not."""
    found = mirror.ledger.listings.backlog(after, one_more(limit), parked=parked)
    return page_of(found, limit, show=shown_entry, key=lambda row: str(row.project))


def shown_entry(row: AnyRow) -> Behind:
    """A row of the backlog as people see it."""
    times = {name: utc(getattr(row, name)) for name in ("first_failed_at", "last_failed_at", "next_try_at")}
    return shown(Behind, row, **times)
