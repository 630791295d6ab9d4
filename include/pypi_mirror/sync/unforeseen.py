"""Losses that no plan foresaw: what to let go, and what to hold back because it is too much at once.

The plan's guard weighs what events, upstream's index and the filters say. An upstream that answers 404 for
every page, or pages without their files, shows only when pages are fetched: here.
"""

import logging
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.errors import LossHeld
from pypi_mirror.filters import Selector
from pypi_mirror.ledger.losses import Losses, Lost
from pypi_mirror.ledger.projects import KnownFile, KnownProject
from pypi_mirror.ledger.results import Failed, Result, Synced
from pypi_mirror.model import Action, Event, Loss, PlannedProject, RemoteFile, Tally
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.sync.removal_limits import exceeded
from pypi_mirror.upstream.changelog import is_removal, takes_files
from pypi_mirror.wording import count, size

log = logging.getLogger(__name__)

_QUARANTINED: Final = "quarantined"


def unforeseen_loss(
    planned: PlannedProject,
    known: KnownProject | None,
    files: Iterable[KnownFile],
    selector: Selector,
    *,
    upstream: Container[str] | None,
    status: str = "",
) -> Loss | None:
    """What our page would lose that neither the plan nor the filters take off it.

    ``files`` are the project's in the ledger, ``upstream`` is what upstream's page names, None where it has
    no page; ``status`` is PEP 792's: a quarantined project says of itself that its files are gone.
    """
    if known is None or not known.present or planned.loses_project or planned.action is Action.REMOVE:
        return None
    if status == _QUARANTINED and not upstream:
        return None
    # Nobody reads what is quarantined.
    if planned.gone and known.status == _QUARANTINED:
        return None
    names: Container[str] = upstream or ()
    lost = [
        file
        for file in files
        if file.removed_at is None
        and file.filename not in names
        # What new filters leave out is weighed with the plan.
        and selector.why_not_file(known.project, RemoteFile(filename=file.filename, url="")) is None
    ]
    if not lost and upstream is not None:
        return None
    return Loss(project=not upstream, files=len(lost), bytes=sum(file.size for file in lost))


class LossGuard:
    """Weighs projects whose pages lose something unforeseen, under the limits of the plan's guard.

    Shares are of what the mirror holds of the projects the run asks for: three hundred changed projects are a
    small part of a large mirror, and upstream may be broken for all of them. ``events_of`` gives the events
    that speak of projects, ``weekly`` which limit of a week so many projects exceed. Without ``limits``
    nothing is held back, as for what a person asked for by name.
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

    def __call__(self, losing: Sequence[Synced]) -> list[Result]:
        """``losing`` as they are, or, when that is too much, Failed where no event speaks of the loss.

        A project that an event names and of which upstream gives no page keeps the one it has.

        Raises LeaseLost when another run has taken the mirror over.
        """
        announced = self._announced(losing)
        silent = {
            synced.planned.project: synced.loss
            for synced in losing
            if synced.loss is not None and synced.planned.project not in announced
        }
        lost = self._losses.add(silent) if silent else None
        over = [] if lost is None else self._over(lost)
        results: list[Result] = []
        for synced in losing:
            loss = silent.get(synced.planned.project)
            if lost is not None and loss is not None and over:
                results.append(_held(synced, loss, lost, over))
            elif synced.missing and synced.planned.exact:
                results.append(_kept(synced))
            else:
                if loss is not None:
                    found = _found(synced, loss)
                    log.warning(
                        "%s: %s, and no event or index said so; its page follows upstream",
                        synced.planned.project,
                        found,
                    )
                results.append(synced)
        return results

    def _announced(self, losing: Sequence[Synced]) -> set[NormalizedName]:
        """The projects of ``losing`` of which an event says so that came after the page we have."""
        by_name = {synced.planned.project: synced for synced in losing}
        # That again was planned and weighed before, and could not be had then.
        announced = {name for name, synced in by_name.items() if synced.removed and synced.planned.gone}
        for event in self._events_of(sorted(by_name)):
            synced = by_name[event.project]
            had = -1 if synced.known is None or synced.known.serial is None else synced.known.serial
            # That a file was removed does not explain that the whole page is gone.
            said = is_removal(event.action) if synced.removed else takes_files(event.action)
            if said and event.serial > had:
                announced.add(event.project)
        return announced

    def _over(self, lost: Lost) -> list[str]:
        if self._limits is None:
            return []
        over = self._weekly(lost.projects)
        if lost.touched <= self._limits.always_allowed:
            return over
        return over + exceeded(lost, self._losses.asked_for(), self._limits, whose="the run's")


def _held(synced: Synced, loss: Loss, lost: Lost, over: Sequence[str]) -> Failed:
    error = LossHeld(
        f"{_found(synced, loss)}, and no event or index said so; so it is with "
        f"{count(lost.touched, 'project')} by now: {'; '.join(over)}. Its page stays as it was. If upstream "
        f"is right, `pypi-mirror sync {synced.planned.project}` follows it"
    )
    return Failed(planned=synced.planned, error=type(error).__name__, reason=str(error))


def _kept(synced: Synced) -> Synced:
    """``synced`` with the page that the mirror has; the backlog has upstream asked again."""
    log.warning(
        "%s: upstream has no page of it, but its event %s says that there is one; the mirror's page stays, "
        "and upstream is asked again",
        synced.planned.project,
        synced.planned.serial,
    )
    files = 0 if synced.known is None else synced.known.files
    return replace(
        synced, removed=False, page=None, loss=None, tally=Tally(projects_done=1, files_kept=files)
    )


def _found(synced: Synced, loss: Loss) -> str:
    what = f"{count(loss.files, 'file')} ({size(loss.bytes)})"
    if synced.removed:
        return f"upstream has no page of it any more, the mirror has {what}"
    if loss.project:
        return f"upstream's page lists no file any more, the mirror's lists {what}"
    return f"upstream's page lacks {what} that the mirror's lists"
