"""What the tasks log of a plan, a batch and a finished run: projects, files, bytes, failures and why."""

import logging
from collections.abc import Iterable
from itertools import islice

from mirror_airflow.task_errors import RunFailed
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, RunState, Tally
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.runs.download_projects import BatchResult
from pypi_mirror.runs.partition_projects import Partition
from pypi_mirror.runs.read_pages import PagesRead
from pypi_mirror.runs.report import Report, end_dry_run
from pypi_mirror.wording import count, size

log = logging.getLogger(__name__)

MOST_LISTED = 500


def log_plan(plan: Partition) -> None:
    """Log the plan in figures."""
    log.info(
        "the plan: %s to sync, %d to remove, in %s",
        count(plan.projects - plan.removals, "project"), plan.removals, batches(len(plan.batches)),
    )  # fmt: skip
    if plan.left:
        log.info("%s left to later runs ([schedule] %s)", count(plan.left, "more project"), plan.left_by)


def planned_batches(mirror: Mirror, plan: Partition, at_once: int, *, dry_run: bool) -> list[dict[str, int]]:
    """What each task gets: the number of a batch, its projects, and how many batches run at once.

    A dry run ends with its plan, and has no batches.
    """
    if dry_run:
        end_with_plan(mirror, plan)
        return []
    log_plan(plan)
    sharers = min(at_once, len(plan.batches))
    return [{"number": b.number, "projects": b.projects, "sharers": sharers} for b in plan.batches]


def end_with_plan(mirror: Mirror, plan: Partition) -> None:
    """Log a dry run's plan, project by project, and end the run: nothing was done."""
    log_plan(plan)
    for project in islice(mirror.ledger.plan.projects(plan.run_id), MOST_LISTED):
        log.info("would %s %s: %s", project.action, project.project, project.reason)
    listed = plan.projects + plan.left
    if listed > MOST_LISTED:
        log.info("and %s", count(listed - MOST_LISTED, "more project"))
    end_dry_run(mirror, plan.run_id)


def log_pages(read: PagesRead) -> int:
    """Log how many pages were read, and which could not be and why; return how many were requested."""
    log.info("%s requested, %d failed", count(read.asked, "page"), len(read.failed))
    for failed in islice(read.failed, MOST_LISTED):
        log.error("%s failed: %s: %s", failed.planned.project, failed.error, failed.reason)
    return read.asked


def log_dependencies(mirror: Mirror) -> None:
    """Log what was followed, and what of it nothing here meets."""
    found = dependencies(mirror)
    if found is None:
        return
    log.info("[allowlist] names %s, which require %d others", count(found.named, "project"), found.required)
    for unmet in found.unmet[:MOST_LISTED]:
        log.warning("not met here: %s", unmet)


def log_batch(result: BatchResult) -> dict[str, int]:
    """Log what a batch has done and why projects failed; return figures."""
    log.info("%s", described(result.tally))
    _log_failures(result.failures)
    if result.waiting:
        log.warning("%s left to a later run", count(result.waiting, "project"))
    return {"failed": len(result.failures), "files": result.tally.files_downloaded}


def require_success(report: Report) -> dict[str, int]:
    """Log the run and return its figures; raise RunFailed, which is not retried, when it has failed."""
    log.info("%s; the mirror is at serial %s", described(report.tally), report.cursor)
    _log_failures((*report.new_failures, *report.known_failures))
    for name in report.absent:
        log.warning("upstream has no project %s", name)
    if report.state is RunState.PAUSED:
        log.warning("%s", report.reason)
    if report.state is RunState.FAILED:
        raise RunFailed(report.reason or "the run failed")
    return {
        "projects": report.tally.projects_done,
        "removed": report.tally.projects_removed,
        "failed": report.tally.projects_failed,
        "files": report.tally.files_downloaded,
        "bytes": report.tally.bytes_downloaded,
    }


def described(tally: Tally) -> str:
    """``12 projects synced, 1 removed, 2 failed; 90 files downloaded (2.48 MB)``."""
    return (
        f"{count(tally.projects_done, 'project')} synced, {tally.projects_removed:,} removed, "
        f"{tally.projects_failed:,} failed; {count(tally.files_downloaded, 'file')} downloaded "
        f"({size(tally.bytes_downloaded)})"
    )


def batches(number: int) -> str:
    """``1 batch``, ``12 batches``."""
    return "1 batch" if number == 1 else f"{number:,} batches"


def _log_failures(failures: Iterable[Failure]) -> None:
    for failure in failures:
        log.error("%s failed: %s: %s", failure.project, failure.error, failure.reason)
