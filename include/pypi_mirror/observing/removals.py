"""What the plan that waits for approval would take off the pages, a page at a time."""

from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.ledger.listings import AnyRow
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import Page, one_more, page_of
from pypi_mirror.planning.removals import waiting_for_approval


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRemoval:
    """What readers lose of a project, and why; ``whole`` says that its page goes."""

    project: NormalizedName
    reason: str
    whole: bool
    files: int
    bytes: int


def removals_waiting(mirror: Mirror, after: str | None = None, limit: int = 50) -> Page[PlannedRemoval]:
    """By name after the project ``after``; empty when no plan waits. ``Overview.waiting`` has the sums."""
    removals = waiting_for_approval(mirror)
    found = []
    if removals is not None:
        found = list(mirror.ledger.listings.losing(removals.run_id, after, one_more(limit)))
    return page_of(found, limit, show=_shown, key=lambda row: str(row.project))


def _shown(row: AnyRow) -> PlannedRemoval:
    return PlannedRemoval(
        project=NormalizedName(row.project),
        reason=row.reason,
        whole=row.loses_project,
        files=row.loses_files,
        bytes=row.loses_bytes,
    )
