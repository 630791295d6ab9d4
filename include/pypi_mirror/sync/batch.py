"""All projects of one batch, many at once, each failure kept to itself."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pypi_mirror.disk import is_disk_fault
from pypi_mirror.errors import DiskFault, LeaseLost, MirrorError, RunStopped
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.results import Failed, Result
from pypi_mirror.model import PlannedProject
from pypi_mirror.sync.group_commit import GroupCommit
from pypi_mirror.sync.project_sync import Before, ProjectSync

# Rows are looked up for this many projects at a time.
_LOOKUP: Final = 200
# Seconds between two looks at what does not wait for a project to be done.
_BEAT: Final = 1.0


class Batch:
    """Runs projects through ``sync`` and hands results to ``commit``.

    ``should_stop`` is asked again and again and answers with a reason to stop the batch, or None. With
    ``stop_on_error`` the first failure stops it. ``keep_alive`` is called about once a second, too.
    """

    def __init__(
        self,
        *,
        sync: ProjectSync,
        commit: GroupCommit,
        projects: Projects,
        parallel: int,
        stop_on_error: bool,
        should_stop: Callable[[], str | None],
        keep_alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._sync = sync
        self._commit = commit
        self._projects = projects
        self._parallel = parallel
        self._stop_on_error = stop_on_error
        self._should_stop = should_stop
        self._keep_alive = keep_alive
        self._stopped: str | None = None

    async def run(self, planned: Sequence[PlannedProject]) -> None:
        """Sync every project of ``planned``; raises RunStopped when told to stop.

        What was finished until then is recorded all the same, except when the run has lost its lease. Errors
        of the mirror's own disk or ledger end the batch as they are.
        """
        try:
            await self._run_workers(planned)
        except LeaseLost:
            raise
        except BaseException:
            await self._commit.finish()
            raise
        await self._commit.finish()
        if self._stopped is not None:
            raise RunStopped(self._stopped)

    async def _run_workers(self, planned: Sequence[PlannedProject]) -> None:
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
            for p in chunk:
                project = known.get(p.project)
                yield p, Before(project=project, files={} if project is None else files[project.id])

    async def _work(self, queue: Iterator[tuple[PlannedProject, Before]]) -> None:
        for planned, before in queue:
            if self._is_stopped():
                return
            await self._commit.add(await self._result(planned, before))

    async def _result(self, planned: PlannedProject, before: Before) -> Result:
        try:
            return await self._sync.sync(planned, before)
        except* (MirrorError, OSError) as group:
            errors = _leaves(group)
        for error in errors:
            # Going on would put every project on the backlog.
            if isinstance(error, DiskFault) or (isinstance(error, OSError) and is_disk_fault(error)):
                raise error
        if self._stop_on_error:
            self._stopped = self._stopped or f"stop-on-error: {planned.project} failed: {errors[0]}"
        return Failed(planned=planned, error=type(errors[0]).__name__, reason=str(errors[0]))


def _leaves(group: BaseExceptionGroup[Exception]) -> list[Exception]:
    """The errors in ``group``, in the order in which they happened; there is at least one."""
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
