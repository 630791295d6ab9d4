"""Files that no page lists any more and that wait for the end of their grace period, a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """``path`` is relative to ``web/``; ``deleted_at`` is when the grace period ends, None where files are
    kept (``delete-packages = false``).
    """

    path: str
    project: NormalizedName
    filename: str
    size: int
    removed_at: datetime
    deleted_at: datetime | None


def tombstone_page(mirror: Mirror, after: str | None = None, limit: int = 50) -> Page[Tombstone]:
    """Tombstones in the order in which they are deleted; ``after`` is the ``next`` of the page before."""
    raise NotImplementedError
