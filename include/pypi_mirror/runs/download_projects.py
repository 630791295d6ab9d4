"""Step 4: sync the projects of one batch. Any number of batches run at once, here or on other hosts."""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from pypi_mirror.changes.upstream_state import note_as_of
from pypi_mirror.errors import RulesChanged, RunStopped
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import Pause
from pypi_mirror.fetching.batch import Batch
from pypi_mirror.fetching.failure_limit import FailureLimit
from pypi_mirror.fetching.group_commit import GroupCommit
from pypi_mirror.ledger.lease import LeaseKeeper
from pypi_mirror.ledger.results import Failed, Result, Synced
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror, share
from pypi_mirror.model import Failure, PlannedProject, RunKind, Tally
from pypi_mirror.observing.history import take_sample
from pypi_mirror.planning.decide_plan import look_up, only_adding
from pypi_mirror.planning.list_projects import due_projects
from pypi_mirror.planning.pause import RULES_CHANGED, PauseWatch, is_edited
from pypi_mirror.planning.removals import require_approval
from pypi_mirror.publishing.list_new_files import begin_list
from pypi_mirror.wording import count, size

log = logging.getLogger(__name__)

# Projects that may be under way at once, over the number of requests: while some wait for a page to catch
# up, others go on.
_PROJECTS_PER_WORKER = 2


class BatchResult(Struct, frozen=True, kw_only=True):
    """What a batch has done, over all its tries, and the projects it could not bring up to date.

    ``waiting`` projects are left to a later run: the download window is closed.
    """

    tally: Tally
    failures: tuple[Failure, ...]
    waiting: int = 0


def download_projects(
    mirror: Mirror,
    run_id: int,
    batch: int,
    *,
    sharers: int = 1,
    should_stop: Callable[[], str | None] = lambda: None,
    on_progress: Callable[[Tally], None] = lambda _: None,
    again: bool = True,
) -> BatchResult:
    """Sync what is still to do in ``batch``; what an earlier try finished is not touched again, and what
    failed in it is tried ``again`` or not.

    ``sharers`` batches of the run at most are at work at once, this one among them: each has an equal part of
    what the settings allow the run. ``should_stop`` is asked before each project and every second,
    ``on_progress`` is told what each recorded group has done.

    Nothing is done where the rules were edited since the run planned: a sync is noted as paused, for the next
    one plans with the new rules; other runs end with RulesChanged. Outside download-window only what needs no
    file is done; the rest stays planned, and the run is noted as paused.

    Raises ApprovalRequired when the plan needs a person's approval and the ledger has none, RunStopped under
    stop-on-error, past max-failures, or when ``should_stop`` says so; UpstreamDown when upstream answers
    nothing any more, LeaseLost when another run has taken the mirror over, DiskFull before the disk is full,
    LedgerError and OSError when the mirror itself is at fault.
    Projects that fail are in the result and in the backlog.
    """
    run = mirror.ledger.runs.get(run_id)
    keep_lease = LeaseKeeper(mirror.ledger.lease, run.request.label)
    keep_lease()
    mirror.claim_tree()
    begin_list(mirror)
    if run.request.kind is not RunKind.AUDIT:
        require_approval(mirror, run_id)
    if is_edited(mirror, run):
        return _left_to_the_next(mirror, run, batch)
    _note_selection(mirror)
    watch = PauseWatch(mirror, run)
    limit = _begin_again(mirror, run_id, batch, may_download=watch() is None, again=again)
    recorder = _Recorder(on_progress, limit)

    def sync(planned: list[PlannedProject], should_stop: Callable[[], str | None]) -> None:
        downloads = watch.pause is None
        asyncio.run(_run(mirror, run, planned, sharers, should_stop, recorder, keep_lease, downloads))

    if watch.pause is None:
        try:
            sync(mirror.ledger.plan.pending(run_id, batch), lambda: should_stop() or watch())
            sync(_due_meanwhile(mirror, run, batch), should_stop)
        except RunStopped:
            if watch.pause is None:
                raise
    if watch.pause is not None:
        pending = mirror.ledger.plan.pending(run_id, batch)
        sync([planned for planned in pending if not planned.new_files], should_stop)
    waiting = 0 if watch.pause is None else len(mirror.ledger.plan.pending(run_id, batch))
    if watch.pause is not None and waiting:
        log.info("%d projects of this batch are left to a later run: %s", waiting, watch())
        mirror.ledger.facts.put(Facts.pause.to(watch.pause))
    if (reason := limit()) is not None:
        raise RunStopped(reason)
    return BatchResult(
        tally=mirror.ledger.plan.outcome(run_id, batch),
        failures=tuple(recorder.failures),
        waiting=waiting,
    )


def _due_meanwhile(mirror: Mirror, run: Run, batch: int) -> list[PlannedProject]:
    """What has become due while the run, which can take days, was at work, added to ``batch``.

    What would take something off a page waits for the next plan, which the guard weighs.
    """
    if run.request.kind is not RunKind.SYNC or not mirror.policy.holds:
        return []
    with mirror.control() as control:
        note_as_of(mirror, control)
    adding = only_adding(mirror, due_projects(mirror))
    mirror.ledger.plan.add(run.id, adding)
    mirror.ledger.plan.claim(run.id, [each.project for each in adding], batch)
    return mirror.ledger.plan.pending(run.id, batch)


def _left_to_the_next(mirror: Mirror, run: Run, batch: int) -> BatchResult:
    """What a batch comes to whose run was planned by other rules than those in force."""
    waiting = len(mirror.ledger.plan.pending(run.id, batch))
    if waiting:
        if run.request.kind is not RunKind.SYNC:
            raise RulesChanged(f"{RULES_CHANGED}: start it again")
        mirror.ledger.facts.put(Facts.pause.to(Pause(run_id=run.id)))
        log.warning(
            "%s: the %s left of this batch wait for the next run, which plans with the new rules",
            RULES_CHANGED,
            count(waiting, "project"),
        )
    return BatchResult(tally=mirror.ledger.plan.outcome(run.id, batch), failures=(), waiting=waiting)


def _begin_again(mirror: Mirror, run_id: int, batch: int, *, may_download: bool, again: bool) -> FailureLimit:
    """Have what failed in an earlier try of the batch tried ``again``, and begin to count failures.

    Raises RunStopped for a batch that was stopped for its failures and cannot try them again now.
    """
    if may_download and again:
        mirror.ledger.plan.reopen_failed(run_id, batch)
    # After that: what fails once more counts, and what has not yet does not.
    limit = mirror.failure_limit(run_id)
    if again and (reason := limit.reached(mirror.ledger.plan.failed(run_id, batch))) is not None:
        raise RunStopped(reason)
    return limit


async def _run(
    mirror: Mirror,
    run: Run,
    planned: list[PlannedProject],
    sharers: int,
    should_stop: Callable[[], str | None],
    recorder: "_Recorder",
    keep_lease: LeaseKeeper,
    downloads: bool,
) -> None:
    if not planned:
        return

    def keep_alive() -> None:
        if keep_lease():
            # Once a minute or so, as samples are taken.
            take_sample(mirror)
        mirror.room.meanwhile()

    async with mirror.transport(sharers=sharers) as transport:
        commit = GroupCommit(mirror.settings.web, mirror.pages, mirror.results(run.id), recorder)
        await Batch(
            work=mirror.project_sync(transport, run, downloads=downloads).sync,
            look_up=lambda chunk: look_up(mirror, chunk),
            commit=commit,
            parallel=share(mirror.settings.workers, sharers) * _PROJECTS_PER_WORKER,
            should_stop=lambda: recorder.limit() or should_stop(),
            on_failed=recorder.limit.failed,
            keep_alive=keep_alive,
            received=lambda: transport.received,
        ).run(planned)


def _note_selection(mirror: Mirror) -> None:
    """From the first page made under other filters on, the mirror is complete under none.

    Without this note a run that dies now, or is one for named projects, after which the filters are set back,
    would leave its pages: neither the changelog nor what is left to do names their projects.
    """
    if mirror.ledger.facts.selection not in (None, mirror.selection):
        mirror.ledger.facts.put(Facts.selection.to(None))


class _Recorder:
    """Told of each group that the ledger has: logs it and passes it on."""

    def __init__(self, on_progress: Callable[[Tally], None], limit: FailureLimit) -> None:
        self._on_progress = on_progress
        self.limit = limit
        self.failures: list[Failure] = []

    def __call__(self, results: list[Result]) -> None:
        tally = Tally()
        failed: list[Failed] = []
        for result in results:
            if isinstance(result, Synced):
                log.info("%s: %s", result.planned.project, _line(result))
                for part in result.refused:
                    log.warning("%s: refused: %s", result.planned.project, part)
                tally += result.tally if not result.failed else replace(result.tally, projects_done=0)
            if (failure := result.failure) is not None:
                log.warning("%s failed: %s", failure.planned.project, failure.reason)
                tally += Tally(projects_failed=1)
                failed.append(failure)
                self.failures.append(
                    Failure(
                        project=failure.planned.project,
                        error=failure.error,
                        reason=failure.reason,
                        files=failure.files,
                    )
                )
        self.limit.recorded(failed)
        self._on_progress(tally)


def _line(synced: Synced) -> str:
    tally, reason = synced.tally, synced.planned.reason
    if tally.projects_removed:
        return f"removed ({reason})"
    downloaded = f"{tally.files_downloaded:,} downloaded ({size(tally.bytes_downloaded)})"
    files = f"{count(tally.files_kept, 'file')}, {downloaded}, {tally.files_dropped:,} left out"
    return f"{files}, {synced.seconds:.1f} s ({reason})"
