"""Bringing projects up to date whatever the plan of a run says: for an audit, some at a time."""

from collections.abc import Sequence

from pypi_mirror.ledger.cutting import UNCUT
from pypi_mirror.ledger.results import Failed
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, PlannedProject
from pypi_mirror.planning.decide_plan import decide_plan
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.read_pages import read_pages


def look_again(
    mirror: Mirror, run_id: int, planned: Sequence[PlannedProject], *, replace: bool = False
) -> list[Failure]:
    """Read, decide and sync ``planned``; returns what failed or was withheld, which is on the backlog.

    What the run has looked at before is looked at once more with ``replace`` alone.
    """
    mirror.ledger.plan.add(run_id, planned, replace=replace)
    read = read_pages(mirror, run_id, again=False)
    withheld = decide_plan(mirror, mirror.ledger.runs.get(run_id))
    synced = download_projects(mirror, run_id, UNCUT, again=False)
    return [*map(_failure, (*read.failed, *withheld)), *synced.failures]


def _failure(failed: Failed) -> Failure:
    return Failure(
        project=failed.planned.project, error=failed.error, reason=failed.reason, files=failed.files
    )
