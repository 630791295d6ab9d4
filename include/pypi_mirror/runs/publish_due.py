"""A light run: list the files whose cooldown is over, and ask upstream only for the time."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.changes.upstream_state import note_as_of
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.held_files import HeldRow
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.planning.decide_plan import only_adding
from pypi_mirror.planning.list_projects import due_projects
from pypi_mirror.planning.plan import cut
from pypi_mirror.planning.removals import waiting_for_approval
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, fail_run, report
from pypi_mirror.wording import count, some_of

log = logging.getLogger(__name__)

RULES_DIFFER: Final = "the rules have changed since the last complete sync; the next sync lists what is due"


# What makes another process worth starting: these are listed while one begins.
_PROJECTS_A_PROCESS: Final = 200

# Does these batches of a run.
Download = Callable[[int, Sequence[int]], None]


def publish_due(
    mirror: Mirror, label: str, *, at_once: int = 1, download: Download | None = None
) -> Report | None:
    """List the files that are due in a run of this ``label``; None where none is.

    ``download`` does its batches, ``at_once`` of them where there is work for as many; without it they are
    done here.

    Nothing leaves a page: a project of which the new file takes another one off waits for the next sync, and
    so does everything while the rules have changed or a plan is awaiting approval.

    Takes the mirror's lease; raises MirrorBusy while another run has it.
    """
    if mirror.ledger.facts.handed_over is not None:
        log.info("the tree was handed over to bandersnatch")
        return None
    with mirror.control() as control:
        note_as_of(mirror, control)
    if mirror.ledger.facts.selection != mirror.selection:
        log.info("%s", RULES_DIFFER)
        return None
    if waiting_for_approval(mirror) is not None:
        log.info("a plan is awaiting approval; its sync lists what is due")
        return None
    adding = only_adding(mirror, due_projects(mirror))
    if not adding:
        return None
    mirror.ledger.lease.take(label)
    try:
        run = mirror.ledger.runs.begin(RunRequest(label=label, kind=RunKind.COOLDOWN))
        cursor = mirror.ledger.facts.cursor
        mirror.ledger.runs.fetched(run.id, source="ledger", cursor_from=cursor, cursor_to=cursor)
        mirror.ledger.runs.planned(run.id, policy=mirror.selection)
        mirror.ledger.plan.write(run.id, adding)
        mirror.ledger.plan.cut(
            run.id,
            partial(cut, batch_size=len(adding), at_least=at_once, smallest=_PROJECTS_A_PROCESS),
        )
        batches = [batch.number for batch in mirror.ledger.plan.batches(run.id)]
        (download or partial(_download_here, mirror))(run.id, batches)
        # What a sync left unpublished, for it had to stop, is for a sync to publish.
        if mirror.ledger.facts.unpublished in (None, str(run.id)):
            rebuild_index(mirror, run.id)
        return report(mirror, run.id)
    except BaseException as error:
        fail_run(mirror, label, str(error) or type(error).__name__)
        raise


def _download_here(mirror: Mirror, run_id: int, batches: Sequence[int]) -> None:
    for batch in batches:
        download_projects(mirror, run_id, batch)


def lift_named(mirror: Mirror, files: Sequence[tuple[NormalizedName, str]], *, by: str, why: str) -> None:
    """Lift the cooldown of these (project, filename), all or none: raises MirrorError where one is in none.

    What somebody has lifted already stays as it is.
    """
    held = mirror.ledger.held_files.of(list(dict.fromkeys(project for project, _ in files)))
    rows = [held.get(project, {}).get(filename) for project, filename in files]
    others = [
        filename for row, (_, filename) in zip(rows, files, strict=True) if row is None or row.due_at is None
    ]
    if others:
        raise MirrorError(f"not in cooldown, or no longer: {some_of(others)}; nothing was lifted")
    lift(mirror, [row for row in rows if row is not None and row.lifted_at is None], by=by, why=why)


def lift(mirror: Mirror, rows: list[HeldRow], *, by: str, why: str) -> None:
    """Let held files be listed before they are due: a person has looked at them, and says ``why``."""
    now = int(mirror.clock())
    for project in dict.fromkeys(row.project for row in rows):
        names = [row.filename for row in rows if row.project == project]
        mirror.ledger.held_files.lift(project, names, at=now, by=by, why=why)
        log.warning("%s: cooldown of %s lifted by %s: %s", project, count(len(names), "file"), by, why)
