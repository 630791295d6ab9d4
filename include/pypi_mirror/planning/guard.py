"""The guard: whether readers lose more by a run than ``[removal]`` lets go. Pure: values in, words out.

Two weightings. What was announced, by events, upstream's index or policy, is weighed in shares of the mirror;
beyond the limits the plan waits for a person. What pages have lost and nothing announced is weighed in shares
of the run's projects: three hundred changed projects are a small part of a large mirror, and upstream may be
broken for all of them; beyond the limits those projects are withheld. Both share the budget of a week.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import LossHeld
from pypi_mirror.ledger.projects import Totals
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Event, Loss, PlannedProject
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.upstream.changelog import is_removal, takes_files
from pypi_mirror.wording import count, size

# Seconds over which removals have a budget.
WEEK: Final = 7 * 24 * 3600
# It is never smaller: a mirror of forty projects may lose some.
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


class Losing(Struct, frozen=True, kw_only=True):
    """A planned project whose page lost something that neither policy nor the plan explains.

    ``serial`` is that of our page. ``is_gone`` says that upstream has no page of it at all, ``is_kept`` that
    ours stays all the same, since an event says that there is one: then it tells of upstream's health alone.
    """

    planned: PlannedProject
    loss: Loss
    serial: int | None
    is_gone: bool
    is_kept: bool = False


def weigh_announced(
    removed: Removed,
    limits: RemovalGuard,
    *,
    held: Totals,
    lately: int | None = None,
    is_another: bool = False,
    is_adopted: bool = False,
) -> list[str]:
    """Which limits a plan exceeds that takes ``removed`` off a mirror that has ``held``, in words.

    ``lately`` projects were removed within a week before, None where a person named the projects: that has no
    budget. ``is_another`` says that upstream is another one than before, ``is_adopted`` that the tree has
    pages which another tool, or a ledger that is lost, made.
    """
    if not removed.touched:
        return []
    if is_adopted:
        # Of such a tree shares say nothing: what it holds is not known yet.
        return ["the pages were made by another tool, or by a ledger that is lost"]
    over = _exceeded(removed, held, limits, whose="the mirror's")
    if lately is not None:
        over += _over_a_week(removed.projects, lately, held, limits)
    if is_another and removed.projects:
        # The limits let a small mirror lose all it has to a mistyped [mirror] master.
        over.append("upstream is another one than before: removing any project needs approval")
    return over


def weigh_silent(
    lost: Removed,
    limits: RemovalGuard,
    *,
    asked_for: Callable[[], Totals],
    held: Callable[[], Totals],
    lately: int,
) -> list[str]:
    """Which limits are exceeded by what a run's pages ``lost`` unannounced, in words.

    ``asked_for`` gives what the mirror has of the projects that the run asks for, ``held`` all that it has.
    """
    over = _over_a_week(lost.projects, lately, held(), limits) if lately else []
    if lost.touched > limits.always_allowed:
        over += _exceeded(lost, asked_for(), limits, whose="the run's")
    return over


def unannounced(losing: Sequence[Losing], events: Iterable[Event]) -> list[Losing]:
    """Those of ``losing`` of which no event after the page we have says so; ``events`` are theirs."""
    by_name = {each.planned.project: each for each in losing}
    announced: set[NormalizedName] = set()
    for event in events:
        each = by_name[event.project]
        # That a file was removed does not explain that the whole page is gone.
        said = is_removal(event.action) if each.is_gone else takes_files(event.action)
        if said and event.serial > (-1 if each.serial is None else each.serial):
            announced.add(event.project)
    return [each for each in losing if each.planned.project not in announced]


def withheld(silent: Sequence[Losing], lost: Removed, over: Sequence[str]) -> list[Failed]:
    """``silent`` as what the backlog has to know; ``lost`` is ``over`` the limits."""
    return [_withheld(each, lost, over) for each in silent]


def described(each: Losing) -> str:
    """``upstream's page lost 2 files (20 bytes)``."""
    what = f"{count(each.loss.files, 'file')} ({size(each.loss.bytes)})"
    if each.is_gone:
        return f"upstream's page is gone; the mirror's lists {what}"
    if each.loss.project:
        return f"upstream's page is empty; the mirror's lists {what}"
    return f"upstream's page lost {what}"


def _withheld(each: Losing, lost: Removed, over: Sequence[str]) -> Failed:
    affected = f"{count(lost.touched, 'project')} {'is' if lost.touched == 1 else 'are'} affected"
    error = LossHeld(
        f"{described(each)}, and no event or index announced it. {affected}, more than [removal] allows "
        f"({'; '.join(over)}). The old page is kept. If upstream is right, "
        f"`pypi-mirror sync {each.planned.project}` follows it"
    )
    return Failed(planned=each.planned, error=type(error).__name__, reason=str(error))


def _exceeded(removed: Removed, totals: Totals, limits: RemovalGuard, *, whose: str) -> list[str]:
    """Shares are of ``totals``, which are ``whose``."""
    if removed.touched <= limits.always_allowed:
        return []
    over = []
    if removed.projects > limits.max_projects:
        most = f"[removal] max-projects is {limits.max_projects:,}"
        over.append(f"{count(removed.projects, 'project')}, {most}")
    for noun, part, whole in (
        ("projects", removed.projects, totals.projects),
        ("files", removed.files, totals.files),
        ("bytes", removed.bytes, totals.bytes),
    ):
        if part * 100 > limits.max_percent * whole:
            share = min(100.0, part * 100 / max(whole, 1))
            over.append(f"{share:.3g}% of {whose} {noun}, [removal] max-percent is {limits.max_percent:g}")
    return over


def _over_a_week(projects: int, lately: int, held: Totals, limits: RemovalGuard) -> list[str]:
    """However few a run takes, many runs take many. ``held`` is of what is left of the mirror."""
    budget = max(LEAST_A_WEEK, int(limits.weekly_percent * (held.projects + lately) / 100))
    if not projects or not lately or projects + lately <= budget:
        return []
    within = f"{count(projects + lately, 'project')} within 7 days, {lately:,} of them removed before"
    allowed = f"[removal] weekly-percent is {limits.weekly_percent:g}, which is {count(budget, 'project')}"
    return [f"{within}; {allowed}"]
