"""All projects of one batch, many at once, each failure kept to itself."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from pypi_mirror.disk import is_disk_fault
from pypi_mirror.disk_faults import said_of
from pypi_mirror.errors import (
    DiskFault,
    LeaseLost,
    MirrorError,
    RunStopped,
    UpstreamDown,
    UpstreamUnavailable,
    WindowClosed,
)
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.results import Failed, Result, Synced, failure_of
from pypi_mirror.model import PlannedProject
from pypi_mirror.sync.group_commit import GroupCommit
from pypi_mirror.sync.progress_line import ProgressLine
from pypi_mirror.sync.project_sync import Before, ProjectSync

# Rows are looked up for this many projects at a time.
_LOOKUP: Final = 200
# Seconds between two looks at what does not wait for a project to be done.
_BEAT: Final = 1.0
# Upstream is taken for down when projects without an answer are so many more than twice those synced.
_LOST: Final = 20


class Batch:
    """Runs projects through ``sync`` and hands results to ``commit``.

    Projects that lose something unforeseen are kept back until all others are done; then ``weigh`` says
    which of them go on and which have failed.

    ``should_stop`` is asked again and again and answers with a reason to stop the batch, or None.
    ``on_failed`` is told of each project that fails, ``keep_alive`` is called about once a second.
    ``received`` says how many bytes have come from upstream so far.
    """

    def __init__(
        self,
        *,
        sync: ProjectSync,
        commit: GroupCommit,
        projects: Projects,
        parallel: int,
        should_stop: Callable[[], str | None],
        weigh: Callable[[Sequence[Synced]], Sequence[Result]] = list,
        on_failed: Callable[[Failed], None] = lambda _: None,
        keep_alive: Callable[[], None] = lambda: None,
        received: Callable[[], int] = lambda: 0,
    ) -> None:
        self._sync = sync
        self._commit = commit
        self._projects = projects
        self._parallel = parallel
        self._weigh = weigh
        self._on_failed = on_failed
        self._should_stop = should_stop
        self._keep_alive = keep_alive
        self._received = received
        self._progress = ProgressLine(0, received)
        self._stopped: str | None = None
        self._lost = 0
        # Projects that upstream gave no answer for, while nobody knows yet whether it is down.
        self._doubtful: list[Failed] = []
        self._losing: list[Synced] = []

    async def run(self, planned: Sequence[PlannedProject]) -> None:
        """Sync every project of ``planned``; raises RunStopped when told to stop, UpstreamDown.

        What was finished until then is recorded all the same, except when the run has lost its lease. Errors
        of the mirror's own disk or ledger end the batch as they are.
        """
        try:
            await self._run_workers(planned)
            await self._settle_doubtful()
            if self._losing and self._stopped is None:
                # Cut short, the batch does not know how many there are: they stay planned.
                for result in self._weigh(self._losing):
                    await self._finish(result)
        except LeaseLost:
            raise
        except BaseException:
            await self._commit.finish()
            raise
        await self._commit.finish()
        if self._stopped is not None:
            raise RunStopped(self._stopped)

    async def _run_workers(self, planned: Sequence[PlannedProject]) -> None:
        self._progress = ProgressLine(len(planned), self._received)
        queue = self._with_lookups(planned)
        number = min(self._parallel, len(planned))
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work(queue)) for _ in range(number)]
                if workers:
                    beat = group.create_task(self._beat(workers))
                    await asyncio.wait(workers)
                    beat.cancel()
        except ExceptionGroup as group_error:
            # The TaskGroup has cancelled all other tasks; the first error says what happened.
            raise _leaves(group_error)[0] from None

    async def _beat(self, workers: Sequence["asyncio.Task[None]"]) -> None:
        """What has to happen while every worker waits for a large file or a slow page."""
        while True:
            await asyncio.sleep(_BEAT)
            self._keep_alive()
            await self._commit.tick()
            self._progress.say()
            if self._is_stopped():
                # What they have of large files stays in the pool; the next try goes on there.
                for worker in workers:
                    worker.cancel()
                return

    def _is_stopped(self) -> bool:
        self._stopped = self._stopped or self._should_stop()
        return self._stopped is not None

    def _with_lookups(self, planned: Sequence[PlannedProject]) -> Iterator[tuple[PlannedProject, Before]]:
        for start in range(0, len(planned), _LOOKUP):
            chunk = planned[start : start + _LOOKUP]
            known = self._projects.known([p.project for p in chunk])
            files = self._projects.files_of([k.id for k in known.values()])
            past = self._projects.past_files([p.project for p in chunk])
            for p in chunk:
                project = known.get(p.project)
                yield (
                    p,
                    Before(
                        project=project,
                        files={} if project is None else files[project.id],
                        past=past.get(p.project, {}),
                    ),
                )

    async def _work(self, queue: Iterator[tuple[PlannedProject, Before]]) -> None:
        for planned, before in queue:
            if self._is_stopped():
                return
            result = await self._result(planned, before)
            if result is None:
                continue
            self._progress.done()
            if isinstance(result, Synced) and result.loss is not None:
                self._losing.append(result)
            elif isinstance(result, Failed) and self._lost and result.error == UpstreamUnavailable.__name__:
                self._on_failed(result)
                self._doubtful.append(result)
            else:
                await self._finish(result)
            if not self._lost:
                await self._settle_doubtful()
            if self._lost > _LOST:
                # No project is to blame: those without an answer stay planned, too.
                failure = failure_of(result)
                reason = "no answer" if failure is None else failure.reason
                raise UpstreamDown(f"almost every project fails, the last one with {reason}")

    async def _settle_doubtful(self) -> None:
        """Upstream answers others: the projects that it did not answer for have failed."""
        while self._doubtful:
            await self._commit.add(self._doubtful.pop(0))

    async def _finish(self, result: Result) -> None:
        if (failure := failure_of(result)) is not None:
            self._on_failed(failure)
        await self._commit.add(result)

    async def _result(self, planned: PlannedProject, before: Before) -> Result | None:
        """None for a project that has to wait, as it is, for a later run."""
        began = time.monotonic()
        try:
            synced = await self._sync.sync(planned, before)
        except* (MirrorError, OSError) as group:
            errors = _leaves(group)
        else:
            unavailable = any(part.is_unavailable for part in synced.failed)
            self._lost = self._lost + 1 if unavailable else max(0, self._lost - 2)
            return replace(synced, seconds=time.monotonic() - began)
        for error in errors:
            # Going on would put every project on the backlog.
            if isinstance(error, DiskFault | UpstreamDown) or (
                isinstance(error, OSError) and is_disk_fault(error)
            ):
                raise error
        if any(isinstance(error, WindowClosed) for error in errors):
            return None
        if any(isinstance(error, UpstreamUnavailable) for error in errors):
            self._lost += 1
        first = errors[0]
        reason = said_of(first) if isinstance(first, OSError) else str(first)
        return Failed(planned=planned, error=type(first).__name__, reason=reason)


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The errors in ``group``, in the order in which they happened; there is at least one."""
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
