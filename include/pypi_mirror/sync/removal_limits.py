"""Which of the limits of ``[removal]`` are exceeded, by a plan or by what pages lost unannounced."""

from typing import Final, Protocol

from pypi_mirror.ledger.projects import Totals
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.wording import count

# A budget of a week is never smaller: a mirror of forty projects may lose some.
LEAST_A_WEEK: Final = 10


class Removed(Protocol):
    """What readers lose; ``touched`` counts the projects that lose their page or files."""

    @property
    def touched(self) -> int: ...
    @property
    def projects(self) -> int: ...
    @property
    def files(self) -> int: ...
    @property
    def bytes(self) -> int: ...


def exceeded(
    removed: Removed, totals: Totals, guard: RemovalGuard, *, whose: str = "the mirror's"
) -> list[str]:
    """Which limits are exceeded, in words. Shares are of ``totals``, which are ``whose``."""
    if removed.touched <= guard.always_allowed:
        return []
    over = []
    if removed.projects > guard.max_projects:
        over.append(f"{count(removed.projects, 'project')}, [removal] max-projects is {guard.max_projects:,}")
    for noun, part, whole in (
        ("projects", removed.projects, totals.projects),
        ("files", removed.files, totals.files),
        ("bytes", removed.bytes, totals.bytes),
    ):
        if part * 100 > guard.max_percent * whole:
            share = min(100.0, part * 100 / max(whole, 1))
            over.append(f"{share:.3g} % of {whose} {noun}, [removal] max-percent is {guard.max_percent:g}")
    return over


def over_a_week(projects: int, lately: int, totals: Totals, guard: RemovalGuard) -> list[str]:
    """The same for ``projects`` that go now, after ``lately`` others within a week; nobody asked for either.

    However few a run takes, many runs take many. ``totals`` are of what is left of the mirror.
    """
    budget = max(LEAST_A_WEEK, int(guard.weekly_percent * (totals.projects + lately) / 100))
    if not projects or not lately or projects + lately <= budget:
        return []
    within = f"{count(projects + lately, 'project')} within 7 days, {lately:,} of them removed before"
    allowed = f"[removal] weekly-percent is {guard.weekly_percent:g}, which is {count(budget, 'project')}"
    return [f"{within}; {allowed}"]
