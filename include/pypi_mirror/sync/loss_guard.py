"""Losses that nothing announced: what to let go, and what to withhold because it is too much at once.

The plan's guard weighs what events, upstream's index and policy say. An upstream that answers 404 for every
page, or pages without their files, shows only in pages: here, before a file is fetched.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.errors import LossHeld
from pypi_mirror.ledger.losses import Losses, Lost
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Event, Loss, PlannedProject
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.sync.removal_limits import exceeded
from pypi_mirror.upstream.changelog import is_removal, takes_files
from pypi_mirror.wording import count, size

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Losing:
    """A planned project that loses something of which the plan says nothing.

    ``serial`` is that of our page. ``is_gone`` says that upstream has no page of it at all, ``is_kept`` that
    ours stays all the same, since an event says that there is one: then it tells of upstream's health alone.
    """

    planned: PlannedProject
    loss: Loss
    serial: int | None
    is_gone: bool
    is_kept: bool = False


class LossGuard:
    """Weighs projects whose pages lose something unannounced, under the limits of the plan's guard.

    Shares are of what the mirror holds of the projects the run asks for: three hundred changed projects are a
    small part of a large mirror, and upstream may be broken for all of them. ``events_of`` gives the events
    that speak of projects, ``weekly`` which limit of a week so many projects exceed. Without ``limits``
    nothing is withheld, as for what a person asked for by name.
    """

    def __init__(
        self,
        losses: Losses,
        events_of: Callable[[Sequence[NormalizedName]], Iterable[Event]],
        limits: RemovalGuard | None,
        *,
        weekly: Callable[[int], list[str]] = lambda _projects: [],
    ) -> None:
        self._losses = losses
        self._events_of = events_of
        self._limits = limits
        self._weekly = weekly

    def withheld(self, losing: Sequence[Losing]) -> list[Failed]:
        """Those of ``losing`` that may not follow upstream: all of which no event speaks, or none.

        Raises LeaseLost when another run has taken the mirror over.
        """
        announced = self._announced(losing)
        silent = [each for each in losing if each.planned.project not in announced]
        if not silent:
            return []
        lost = self._losses.add({each.planned.project: each.loss for each in silent})
        over = self._over(lost)
        if over:
            return [_withheld(each, lost, over) for each in silent]
        self._losses.forget([each.planned.project for each in silent if each.is_kept])
        for each in silent:
            if each.is_kept:
                continue
            log.warning(
                "%s: %s, and no event or index said so; its page follows upstream",
                each.planned.project,
                _found(each),
            )
        return []

    def _announced(self, losing: Sequence[Losing]) -> set[NormalizedName]:
        """The projects of ``losing`` of which an event says so that came after the page we have."""
        by_name = {each.planned.project: each for each in losing}
        announced = set()
        for event in self._events_of(sorted(by_name)):
            each = by_name[event.project]
            # That a file was removed does not explain that the whole page is gone.
            said = is_removal(event.action) if each.is_gone else takes_files(event.action)
            if said and event.serial > (-1 if each.serial is None else each.serial):
                announced.add(event.project)
        return announced

    def _over(self, lost: Lost) -> list[str]:
        if self._limits is None:
            return []
        over = self._weekly(lost.projects)
        if lost.touched <= self._limits.always_allowed:
            return over
        return over + exceeded(lost, self._losses.asked_for(), self._limits, whose="the run's")


def _withheld(each: Losing, lost: Lost, over: Sequence[str]) -> Failed:
    error = LossHeld(
        f"{_found(each)}, and no event or index said so; so it is with "
        f"{count(lost.touched, 'project')} by now: {'; '.join(over)}. Its page stays as it was. If upstream "
        f"is right, `pypi-mirror sync {each.planned.project}` follows it"
    )
    return Failed(planned=each.planned, error=type(error).__name__, reason=str(error))


def _found(each: Losing) -> str:
    what = f"{count(each.loss.files, 'file')} ({size(each.loss.bytes)})"
    if each.is_gone:
        return f"upstream has no page of it any more, the mirror has {what}"
    if each.loss.project:
        return f"upstream's page lists no file any more, the mirror's lists {what}"
    return f"upstream's page lacks {what} that the mirror's lists"
