"""Pages of projects that the ledger does not hold: bandersnatch left them, or the ledger was lost.

Upstream has no such project any more or the filters leave it out, and its page would be served for ever. So
a run that compares the ledger with all of upstream plans their removal, where the guard weighs it: a lost
ledger and the wrong upstream would make every page a stray. Their files stay in the pool.
"""

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.errors import DiskFault
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Removals
from pypi_mirror.ledger.projects import Totals
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject, PlanState
from pypi_mirror.planning.guard import weigh_announced

log = logging.getLogger(__name__)

_CHUNK: Final = 5_000


class StrayPages:
    """Looks through the pages on the disk once; ``found`` counts them as it goes on."""

    def __init__(self, mirror: Mirror, run: Run) -> None:
        self._mirror = mirror
        self._run = run
        self.found = 0

    def plan(self) -> Iterator[PlannedProject]:
        """The removal of each page of which neither ledger nor plan know, and that no failed project has."""
        mirror, waiting = self._mirror, self._waiting()
        names = mirror.pages.names()
        while chunk := _read(names):
            mirror.ledger.lease.renew(self._run.request.label)
            known = mirror.ledger.projects.known(chunk)
            held = {name for name in chunk if name in known and known[name].present}
            held |= waiting.intersection(chunk) | mirror.ledger.plan.has(self._run.id, chunk)
            strays = {name for name in set(chunk) - held if _has_stray(mirror, name)}
            self.found += len(held | strays)
            for name in sorted(strays):
                yield PlannedProject(
                    project=name,
                    display_name=name,
                    action=Action.REMOVE,
                    reason="a page of a project that the mirror does not hold",
                    loses_project=True,
                )

    def _waiting(self) -> set[NormalizedName]:
        """The selected projects that upstream has and that are not in the ledger because they failed."""
        failed = {entry.project for entry in self._mirror.ledger.backlog.all()}
        # The backlog keeps a project that is no longer selected until its next try is due.
        return {name for name in failed if self._mirror.policy.rejection_reason(name) is None}


def _read(names: Iterator[NormalizedName]) -> list[NormalizedName]:
    """The next names; DiskFault where a directory of pages cannot be read."""
    try:
        return list(islice(names, _CHUNK))
    except OSError as error:
        raise DiskFault(
            f"the pages cannot be read: {error.strerror or error}; let the mirror's user read that "
            "directory (chown, chmod)",
            path=str(error.filename),
        ) from error


def _has_stray(mirror: Mirror, name: NormalizedName) -> bool:
    """Whether there is a page to remove; one that cannot be read is left to a person."""
    try:
        return mirror.pages.has_stray(name)
    except OSError as error:
        log.warning("%s: %s; it is not looked at", error.filename, error.strerror or error)
        return False


def remove_stray_pages(mirror: Mirror, run: Run) -> int:
    """Remove the pages of projects that the run's plan took out, or that upstream turned out not to have.

    To be called once the root index is written; returns how many projects' pages went. What could not be
    synced yet keeps the page it had. What upstream announced and then did not have was not in the plan as a
    loss: more of that than the guard lets pass stays.
    """
    removed, unforeseen = 0, list[NormalizedName]()
    planned = mirror.ledger.plan.projects(run.id, PlanState.DONE)
    while chunk := list(islice(planned, _CHUNK)):
        mirror.ledger.lease.renew(run.request.label)
        known = mirror.ledger.projects.known([each.project for each in chunk])
        planned_losses = list[NormalizedName]()
        for each in chunk:
            if each.project in known and known[each.project].present:
                continue
            if each.loses_project:
                planned_losses.append(each.project)
            elif _has_stray(mirror, each.project):
                unforeseen.append(each.project)
        removed += _remove(mirror, run, planned_losses)
    return removed + _remove_unforeseen(mirror, run, unforeseen)


def remove_old_names(mirror: Mirror, run: Run) -> int:
    """Remove the directories of pages of other spellings than the normalized one, which bandersnatch made
    before 4.0: nothing keeps them current. To be called by the first run that has looked at all projects.
    """
    mirror.pages.sweep_foreign()
    found = list(mirror.pages.old_names())
    looked_at: set[NormalizedName] = set()
    for begin in range(0, len(found), _CHUNK):
        looked_at |= mirror.ledger.plan.has(run.id, [name for name, _ in found[begin : begin + _CHUNK]])
    removed = [directory for name, directory in found if name in looked_at]
    for directory in removed:
        mirror.pages.remove_old_name(directory)
    if removed:
        log.info(
            "removed %d pages of bandersnatch before 4.0, of other spellings than the normalized names, such "
            "as %s",
            len(removed),
            removed[0],
        )
    return len(removed)


def _remove_unforeseen(mirror: Mirror, run: Run, names: Sequence[NormalizedName]) -> int:
    if not names:
        return 0
    held = mirror.ledger.projects.totals().projects
    found = Removals(run_id=0, projects=len(names), touched=len(names))
    over = weigh_announced(found, mirror.settings.guard, held=Totals(projects=held + len(names)))
    if over:
        log.warning(
            "kept %d pages of projects that upstream's index lists but answers with 404, such as %s; "
            "removing them needs approval (%s). They are removed once the index no longer lists them",
            len(names),
            names[0],
            "; ".join(over),
        )
        return 0
    return _remove(mirror, run, names)


def _remove(mirror: Mirror, run: Run, names: Sequence[NormalizedName]) -> int:
    """Remove the pages of those of ``names`` that have any; return how many."""
    if any(_has_stray(mirror, name) for name in names):
        # Before the first one goes: a run that is killed meanwhile has changed pages.
        mirror.ledger.facts.put(Facts.changed_pages.to(run.id))
    removed = 0
    for name in names:
        if mirror.pages.remove_stray(name):
            log.info("%s: its page was removed, because the mirror does not hold this project", name)
            removed += 1
    return removed
