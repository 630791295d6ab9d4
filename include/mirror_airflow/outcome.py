"""What the tasks say of a plan and of a finished run."""

import logging
from itertools import islice

from mirror_airflow.task_errors import RunFailed
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.runs.partition_projects import Partition
from pypi_mirror.runs.report import Report, end_dry_run

log = logging.getLogger(__name__)

MOST_LISTED = 500


def say_plan(plan: Partition) -> None:
    """Write the plan to the task's log, in figures."""
    log.info(
        "the plan: %d projects to sync, %d to remove, in %d batches",
        plan.projects - plan.removals,
        plan.removals,
        len(plan.batches),
    )
    if plan.left:
        log.info("%d more projects are left to later runs ([schedule] %s)", plan.left, plan.left_by)


def begun_batches(mirror: Mirror, plan: Partition, at_once: int, *, dry_run: bool) -> list[dict[str, int]]:
    """What each task gets: a batch's number, its projects, and how many batches are at work at once.

    A dry run ends with its plan, and has no batches.
    """
    if dry_run:
        end_with_plan(mirror, plan)
        return []
    say_plan(plan)
    sharers = min(at_once, len(plan.batches))
    return [{"number": b.number, "projects": b.projects, "sharers": sharers} for b in plan.batches]


def end_with_plan(mirror: Mirror, plan: Partition) -> None:
    """Write a dry run's plan to the task's log, project by project, and end the run: nothing was done."""
    say_plan(plan)
    for project in islice(mirror.ledger.plan.projects(plan.run_id), MOST_LISTED):
        log.info("would %s %s: %s", project.action, project.project, project.reason)
    listed = plan.projects + plan.left
    if listed > MOST_LISTED:
        log.info("and %d projects more", listed - MOST_LISTED)
    end_dry_run(mirror, plan.run_id)


def require_success(report: Report) -> dict[str, int]:
    """The run in figures; raises RunFailed, which no retry follows, when it has failed."""
    log.info(
        "%d projects done, %d removed, %d failed; %d files downloaded (%d bytes); cursor %s",
        report.tally.projects_done,
        report.tally.projects_removed,
        report.tally.projects_failed,
        report.tally.files_downloaded,
        report.tally.bytes_downloaded,
        report.cursor,
    )
    for failure in (*report.new_failures, *report.known_failures):
        log.error("%s failed: %s: %s", failure.project, failure.error, failure.reason)
    for name in report.absent:
        log.warning("upstream has no project %s", name)
    if report.state is RunState.PAUSED:
        log.warning("%s", report.reason)
    if report.state is RunState.FAILED:
        raise RunFailed(report.reason or "the run has failed")
    return {
        "projects": report.tally.projects_done,
        "removed": report.tally.projects_removed,
        "failed": report.tally.projects_failed,
        "files": report.tally.files_downloaded,
        "bytes": report.tally.bytes_downloaded,
    }
