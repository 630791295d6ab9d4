"""Projects: a search over all of them, and one of them whole."""

from dataclasses import dataclass
from datetime import datetime

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.backlog import Behind
from pypi_mirror.observing.paging import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectShown:
    """A project as the mirror holds it.

    ``status`` is PEP 792's, or ``removing`` or ``removed`` of one that is gone and has tombstones left;
    ``serial`` is that of its page, ``synced_at`` when upstream was last asked for it.
    """

    project: NormalizedName
    display_name: str
    status: str
    serial: int | None
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    synced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShown:
    """A file in the pool; ``path`` is relative to ``web/``, ``removed_at`` is set for a tombstone."""

    filename: str
    path: str
    size: int
    sha256: str
    uploaded_at: datetime | None
    verified_at: datetime | None
    metadata: bool
    provenance: bool
    removed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventShown:
    """An event of upstream's changelog."""

    serial: int
    version: str | None
    at: datetime
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectWhole:
    """All the ledger has of a project; ``held`` is None when that is no more than events or a failure.

    ``selected`` and ``why`` say whether the filters let it in and by which setting. ``events`` are the
    newest, newest first.
    """

    project: NormalizedName
    held: ProjectShown | None
    selected: bool
    why: str
    files: Page[FileShown]
    backlog: Behind | None
    events: tuple[EventShown, ...]


def project_page(
    mirror: Mirror, query: str = "", after: str | None = None, limit: int = 50
) -> Page[ProjectShown]:
    """Projects whose name begins with ``query``, in any spelling, then those that have it elsewhere.

    Each by name; ``after`` is the ``next`` of the page before.
    """
    raise NotImplementedError


def project(
    mirror: Mirror, name: NormalizedName, *, after: str | None = None, limit: int = 200
) -> ProjectWhole | None:
    """One project, its files after the filename ``after``; None when neither ledger nor filters name it."""
    raise NotImplementedError
