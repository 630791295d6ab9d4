"""Step 6: say what came of the run: in the ledger, on the site, and to whoever called."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pypi_mirror.disk import write_atomically
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.ledger.runs import Outcome, Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, RunState, Tally
from pypi_mirror.steps.grace import clock_ahead
from pypi_mirror.steps.guard_removals import waiting_for_approval
from pypi_mirror.steps.index_snapshot import remove_snapshots
from pypi_mirror.steps.pause import described, pause_of, paused_until
from pypi_mirror.webserver.site_page import write_site_files
from pypi_mirror.webserver.status import MirrorStatus, WaitingPlan, render_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a run.

    ``new_failures`` are projects that failed for the first time, ``known_failures`` those that were in the
    backlog before; a run with new failures has failed. ``projects`` to ``dropped_bytes`` are the mirror's
    totals: what it holds and what the filters left out. ``duration`` is in seconds.
    """

    run_id: int
    label: str
    state: RunState
    source: str | None
    planned: int
    tally: Tally
    new_failures: tuple[Failure, ...]
    known_failures: tuple[Failure, ...]
    cursor_from: int | None
    cursor: int | None
    duration: float
    projects: int
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    backlog: int
    reason: str | None


def report(mirror: Mirror, run_id: int, *, reason: str | None = None) -> Report:
    """End the run: failed when ``reason`` says why or when it has new failures, paused when the download
    window closed before its plan was done, successful otherwise.

    Releases the lease. Asking again about a run that has ended gives the same answer.
    """
    run = mirror.ledger.runs.get(run_id)
    progress = mirror.ledger.plan.progress(run_id)
    failures = _failures(mirror, run)
    new = tuple(f for f in failures if f.new)
    if reason is None and new:
        reason = f"{len(new)} of {progress.planned} projects failed for the first time"
    state = RunState.SUCCESS if reason is None else RunState.FAILED
    pause = pause_of(mirror, run_id)
    if state is RunState.SUCCESS and pause is not None and mirror.ledger.plan.unfinished(run_id):
        state = RunState.PAUSED
        done = progress.tally.projects_done
        reason = described(mirror, pause, done=done, planned=progress.planned)
    mirror.ledger.runs.finish(
        run_id,
        state,
        Outcome(tally=progress.tally, planned=progress.planned, new_failures=len(new), reason=reason),
    )
    mirror.ledger.runs.forget_plans_before(run_id)
    mirror.ledger.lease.release(run.request.label)
    _show(mirror, changed=progress.planned > 0 or run.cursor_from != run.cursor_to)
    totals = mirror.ledger.projects.totals()
    return Report(
        run_id=run_id,
        label=run.request.label,
        state=state,
        source=run.source,
        planned=progress.planned,
        tally=progress.tally,
        new_failures=new,
        known_failures=tuple(f for f in failures if not f.new),
        cursor_from=run.cursor_from,
        cursor=mirror.ledger.facts.cursor,
        duration=mirror.clock() - run.started_at,
        projects=totals.projects,
        files=totals.files,
        bytes=totals.bytes,
        dropped_files=totals.dropped_files,
        dropped_bytes=totals.dropped_bytes,
        backlog=mirror.ledger.backlog.count(),
        reason=reason,
    )


def end_dry_run(mirror: Mirror, run_id: int) -> None:
    """End a run after its plan: it leaves no trace, and the next run finds the same."""
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.runs.forget(run_id)
    remove_snapshots(mirror.settings.directory)
    mirror.ledger.lease.release(run.request.label)


def fail_run(mirror: Mirror, label: str, reason: str) -> Report | None:
    """End a run that died on the way: failed, its lease released. None when no such run is under way.

    The site's page is left as it is where it cannot be written: what the run died of counts more.
    """
    run = mirror.ledger.runs.labelled(label)
    if run is None or run.state is not RunState.RUNNING:
        mirror.ledger.lease.release(label)
        return None
    with suppress(OSError):
        return report(mirror, run.id, reason=reason)
    return None


def mirror_status(mirror: Mirror) -> MirrorStatus:
    """How full and how fresh the mirror is, from the ledger."""
    # An audit asks upstream for some pages, not for what is new.
    latest = next(iter(mirror.ledger.runs.latest(audits=False)), None)
    success = mirror.ledger.runs.last_success()
    totals = mirror.ledger.projects.totals()
    return MirrorStatus(
        cursor=mirror.ledger.facts.cursor,
        upstream_serial=None if latest is None else latest.cursor_to,
        updated_at=_moment(None if success is None else success.finished_at),
        checked_at=_moment(None if latest is None else latest.started_at),
        projects=totals.projects,
        files=totals.files,
        bytes=totals.bytes,
        dropped_files=totals.dropped_files,
        dropped_bytes=totals.dropped_bytes,
        last_run=None if latest is None else latest.state,
        paused_until=paused_until(mirror),
        backlog=mirror.ledger.backlog.count(),
        parked=mirror.ledger.backlog.count_parked(),
        waiting=_waiting(mirror),
        clock_ahead=clock_ahead(mirror),
    )


def _waiting(mirror: Mirror) -> WaitingPlan | None:
    removals = waiting_for_approval(mirror)
    if removals is None:
        return None
    return WaitingPlan(
        plan=removals.plan,
        projects=removals.projects,
        files=removals.files,
        bytes=removals.bytes,
        exceeded=removals.exceeded,
    )


def _failures(mirror: Mirror, run: Run) -> list[Failure]:
    """What failed in this run, also where a later try of a batch was to mend it and had no time to."""
    failed = set(mirror.ledger.plan.failed(run.id))
    return [
        _failure(entry, run.id)
        for entry in mirror.ledger.backlog.failed()
        if entry.project in failed or entry.first_run_id == run.id
    ]


def _failure(entry: BacklogEntry, run_id: int) -> Failure:
    return Failure(
        project=entry.project,
        error=entry.error,
        reason=entry.reason,
        new=entry.first_run_id == run_id,
    )


def _show(mirror: Mirror, *, changed: bool) -> None:
    """Bring the site's page up to date; a run that changed nothing only says that it looked."""
    status = mirror_status(mirror)
    page = mirror.settings.web / "index.html"
    if changed or not page.exists():
        write_site_files(mirror.settings, status)
    else:
        write_atomically(mirror.settings.web / "mirror.json", render_status(status))


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
