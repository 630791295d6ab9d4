"""What the plan that waits for approval would take off the pages, a page at a time."""

from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.paging import Page


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
    raise NotImplementedError
