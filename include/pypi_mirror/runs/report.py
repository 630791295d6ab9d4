"""Step 7: say what came of the run: in the ledger, on the site, and to the caller."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.facts.values import SilentLoss
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.ledger.left_out import LeftOut
from pypi_mirror.ledger.runs import Outcome, Run, names
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Failure, RunKind, RunState, Tally
from pypi_mirror.observing.history import take_sample
from pypi_mirror.planning.pause import described, pause_of
from pypi_mirror.planning.removals import (
    is_approved,
    note_silent_losses,
    settle_removals,
    waiting_for_approval,
)
from pypi_mirror.planning.to_do import Left, left
from pypi_mirror.planning.unknown_names import note_missing_pages
from pypi_mirror.publishing.list_new_files import end_list, list_new_files
from pypi_mirror.publishing.site import show_site, write_metrics
from pypi_mirror.upstream.index_snapshot import remove_snapshots
from pypi_mirror.wording import some_of

log = logging.getLogger(__name__)

_REFUSED_SHOWN: Final = 50


class Report(Struct, frozen=True, kw_only=True):
    """What came of a run.

    ``new_failures`` are projects that failed for the first time, ``known_failures`` those that were in the
    backlog before; a run with new failures has failed. ``projects`` to ``dropped_bytes`` are the mirror's
    totals: what it holds and what the filters left out. ``duration`` is in seconds. ``left`` estimates what
    syncs have left to later runs, None when that is nothing. ``absent`` are projects that were asked for by
    name and that upstream does not have. ``refused`` are parts of upstream's pages that this run left out,
    the first of ``refused_parts``; ``silent_losses`` are what our pages lost as theirs did, unannounced.
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
    left: Left | None = None
    absent: tuple[NormalizedName, ...] = ()
    refused: tuple[LeftOut, ...] = ()
    refused_parts: int = 0
    silent_losses: tuple[SilentLoss, ...] = ()


def report(mirror: Mirror, run_id: int, *, reason: str | None = None) -> Report:
    """End the run: failed when ``reason`` says why, when it has new failures, or when a project that it was
    asked for by name failed or is not there; paused when it has left a part of its plan to a later one,
    successful otherwise.

    Releases the lease. Asking again about a run that has ended gives the same answer. Raises LeaseLost when
    another run has taken the mirror over: that one has recorded this one as failed.
    """
    run = mirror.ledger.runs.get(run_id)
    if reason is None:
        mirror.ledger.lease.renew(run.request.label)
    progress = mirror.ledger.plan.progress(run_id)
    failures = _failures(mirror, run)
    new = tuple(f for f in failures if f.new)
    absent = _absent(mirror, run, failures)
    listed = mirror.ledger.facts.listed
    if reason is None and run.state is RunState.RUNNING:
        try:
            listed = list_new_files(mirror, run)
        except OSError as error:
            # The next run's list has them.
            reason = f"diff-file cannot be written: {error.filename or ''}: {error.strerror or error}"
    reason = reason or _why_failed(run, progress.planned, failures, absent)
    state = RunState.SUCCESS if reason is None else RunState.FAILED
    pause = pause_of(mirror, run_id)
    beyond = mirror.ledger.plan.left(run_id)
    remaining = left(mirror, done=progress.tally if run.request.kind is RunKind.SYNC else None)
    if state is RunState.SUCCESS and (
        beyond or (pause is not None and mirror.ledger.plan.unfinished(run_id))
    ):
        state = RunState.PAUSED
        done, planned = progress.tally.projects_done, progress.planned + beyond
        reason = described(mirror, run_id, done=done, planned=planned, left=remaining)
    mirror.ledger.runs.finish(
        run_id,
        state,
        Outcome(
            tally=progress.tally,
            planned=progress.planned,
            new_failures=len(new),
            reason=reason,
            approved=is_approved(mirror, run_id),
        ),
    )
    end_list(mirror, listed)
    settle_removals(mirror, run)
    waiting = waiting_for_approval(mirror)
    mirror.ledger.runs.forget_plans_before(run_id, keep=[] if waiting is None else [waiting.run_id])
    mirror.ledger.lease.release(run.request.label)
    note_missing_pages(mirror, run_id)
    lost = note_silent_losses(mirror, run_id)
    take_sample(mirror)
    try:
        show_site(mirror, changed=progress.planned > 0 or run.cursor_from != run.cursor_to)
    except ConfigurationError as error:
        # A requirement file that is gone by now: the next run says so, and this one has ended.
        log.warning("the site's page is left as it is: %s", error)
    write_metrics(mirror)
    totals = mirror.ledger.projects.totals()
    refused = mirror.ledger.left_out.totals(run_id=run_id)
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
        left=remaining,
        absent=absent,
        refused=tuple(mirror.ledger.left_out.refused(run_id=run_id, limit=_REFUSED_SHOWN)),
        refused_parts=refused.files + refused.fields,
        silent_losses=lost,
    )


def end_dry_run(mirror: Mirror, run_id: int) -> None:
    """End a dry run after its plan: all it leaves is what it has read, and the next run finds the same."""
    run = mirror.ledger.runs.get(run_id)
    settle_removals(mirror, run, dry=True)
    mirror.ledger.runs.forget(run_id)
    remove_snapshots(mirror.state)
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


def _failures(mirror: Mirror, run: Run) -> list[Failure]:
    """What failed in this run, also where a later try of a batch was to mend it and had no time to."""
    failed = set(mirror.ledger.plan.failed(run.id))
    return [
        _failure(entry, run.id)
        for entry in mirror.ledger.backlog.failed()
        if entry.project in failed or entry.first_run_id == run.id
    ]


def _why_failed(
    run: Run, planned: int, failures: Sequence[Failure], absent: Sequence[NormalizedName]
) -> str | None:
    """Why a run that reached its end has failed all the same; None when it has not.

    What was on the backlog before fails no run of everything, but one in which a person asked for it.
    """
    if run.request.kind is RunKind.SELECTED:
        failed = f"{some_of([f.project for f in failures])} failed" if failures else ""
        missing = f"upstream has no project {some_of(absent)}" if absent else ""
        return "; ".join(filter(None, (failed, missing))) or None
    new = sum(failure.new for failure in failures)
    return f"{new:,} of {planned:,} projects failed for the first time" if new else None


def _absent(mirror: Mirror, run: Run, failures: Sequence[Failure]) -> tuple[NormalizedName, ...]:
    """A misspelt name would otherwise look like a project that was synced."""
    if run.request.kind is not RunKind.SELECTED:
        return ()
    asked_for = names(run.request)
    known = mirror.ledger.projects.known(asked_for)
    there = {name for name, project in known.items() if project.present}
    there.update(failure.project for failure in failures)
    # What upstream has removed left the mirror as it was asked to.
    there.update(mirror.ledger.plan.removed(run.id))
    return tuple(name for name in asked_for if name not in there)


def _failure(entry: BacklogEntry, run_id: int) -> Failure:
    return Failure(
        project=entry.project,
        error=entry.error,
        reason=entry.reason,
        new=entry.first_run_id == run_id,
    )
