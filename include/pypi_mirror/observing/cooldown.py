"""Files in cooldown: how many wait, which, and until when, a page at a time."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.clock import utc, utc_or_none
from pypi_mirror.ledger.held_files import HeldRow
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import MOST, BadKey, Page, one_more, page_of, shown

# When it is due, its project, its name.
_KEY: Final = re.compile(r"(\d{1,12})/([^/]{1,255})/([^/]{1,255})", re.ASCII)


class HeldFile(Struct, frozen=True, kw_only=True):
    """A file that no page lists before ``due_at``. ``size`` is None until it is downloaded.

    Where a person has lifted its cooldown, ``lifted_by`` says who and ``reason`` why: the next run lists it.
    """

    project: NormalizedName
    filename: str
    size: int | None
    due_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None
    reason: str | None


class InCooldown(Struct, frozen=True, kw_only=True):
    """How many files of how many projects wait, and when the next is due; None where none waits."""

    files: int
    projects: int
    next_due_at: datetime | None


def in_cooldown(mirror: Mirror) -> InCooldown:
    totals = mirror.ledger.held_files.totals()
    return shown(InCooldown, totals, next_due_at=utc_or_none(totals.next_due))


def held_page(mirror: Mirror, query: str = "", after: str | None = None, limit: int = 50) -> Page[HeldFile]:
    """The files that wait, those due first; with ``query`` only those with it in their project's name or
    their own. ``after`` is the ``next`` of the page before; raises BadKey for another.
    """
    found = mirror.ledger.held_files.page(query.strip(), _read_key(after), one_more(limit))
    return page_of(found, limit, show=_shown, key=_key)


def held_of(mirror: Mirror, name: NormalizedName) -> tuple[HeldFile, ...]:
    """The files of one project that wait, those due first; no more than a page has."""
    rows = mirror.ledger.held_files.of([name]).get(name, {}).values()
    return tuple(map(_shown, sorted((row for row in rows if row.due_at is not None), key=_order)[:MOST]))


def _shown(row: HeldRow) -> HeldFile:
    return shown(
        HeldFile,
        row,
        size=None if row.file is None else row.file.size,
        due_at=utc(row.due_at or 0),
        lifted_at=utc_or_none(row.lifted_at),
        lifted_by=row.lifted_by,
        reason=row.lifted_why,
    )


def _order(row: HeldRow) -> tuple[int, str, str]:
    return row.due_at or 0, row.project, row.filename


def _key(row: HeldRow) -> str:
    return "/".join(map(str, _order(row)))


def _read_key(key: str | None) -> tuple[int, str, str] | None:
    """Raises BadKey for what is none of ours."""
    if key is None:
        return None
    found = _KEY.fullmatch(key)
    if found is None:
        raise BadKey(key)
    return int(found[1]), found[2], found[3]
