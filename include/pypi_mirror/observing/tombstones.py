"""Files that no page lists any more and that wait for the end of their grace period, a page at a time."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.clock import utc
from pypi_mirror.ledger.listings import ListedTombstone
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import BadKey, Page, one_more, page_of

_DAY: Final = 24 * 3600
# When it was removed, its project's number, its name.
_KEY: Final = re.compile(r"(\d{1,12})/(\d{1,18})/([^/]{1,255})", re.ASCII)


class Tombstone(Struct, frozen=True, kw_only=True):
    """``path`` is relative to ``web/``; ``deleted_at`` is when the grace period ends, None where files are
    kept (``delete-packages = false``, or a lock file names this one).
    """

    path: str
    project: NormalizedName
    filename: str
    size: int
    removed_at: datetime
    deleted_at: datetime | None


def tombstone_page(mirror: Mirror, after: str | None = None, limit: int = 50) -> Page[Tombstone]:
    """Tombstones in the order in which they are deleted; ``after`` is the ``next`` of the page before."""
    found = mirror.ledger.listings.tombstones(_read_key(after), one_more(limit))
    grace = mirror.settings.grace_days * _DAY if mirror.settings.delete_packages else None

    def is_locked(each: ListedTombstone) -> bool:
        return mirror.policy.keeps_removed(each.file.filename, each.file.sha256.hex())

    def show(each: ListedTombstone) -> Tombstone:
        return Tombstone(
            path=each.file.path,
            project=each.project,
            filename=each.file.filename,
            size=each.file.size,
            removed_at=utc(each.removed_at),
            deleted_at=None if grace is None or is_locked(each) else utc(each.removed_at + grace),
        )

    return page_of(found, limit, show=show, key=_key)


def _key(each: ListedTombstone) -> str:
    return f"{each.removed_at}/{each.project_id}/{each.file.filename}"


def _read_key(key: str | None) -> tuple[int, int, str] | None:
    """Raises BadKey for what is none of ours."""
    if key is None:
        return None
    found = _KEY.fullmatch(key)
    if found is None:
        raise BadKey(key)
    return int(found[1]), int(found[2]), found[3]
