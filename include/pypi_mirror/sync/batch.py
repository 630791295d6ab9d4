"""All projects of one batch, many at once, each failure kept to itself."""

import asyncio
import errno
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pypi_mirror.errors import MirrorError, RunStopped
from pypi_mirror.ledger.projects import Projects
from pypi_mirror.ledger.results import Failed, Result
from pypi_mirror.model import PlannedProject
from pypi_mirror.sync.group_commit import GroupCommit
from pypi_mirror.sync.project_sync import Before, ProjectSync

# Rows are looked up for this many projects at a time.
_LOOKUP: Final = 200
# The mirror's disk, not the project, is at fault: going on would put every project on the backlog.
_DISK_FAULTS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE})


class Batch:
    """Runs projects through ``sync`` and hands results to ``commit``.

    ``should_stop`` is asked between projects and answers with a reason to stop the batch, or None. With
    ``stop_on_error`` the first failure stops it.
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
    ) -> None:
        self._sync = sync
        self._commit = commit
        self._projects = projects
        self._parallel = parallel
        self._stop_on_error = stop_on_error
        self._should_stop = should_stop
        self._stopped: str | None = None

    async def run(self, planned: Sequence[PlannedProject]) -> None:
        """Sync every project of ``planned``; raises RunStopped when told to stop.

        What was finished until then is recorded all the same. Errors of the mirror's own disk or ledger
        end the batch as they are.
        """
        queue = self._with_lookups(planned)
        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(self._parallel, len(planned))):
                    workers.create_task(self._work(queue))
        except* (MirrorError, OSError) as group:
            # The TaskGroup has cancelled the other workers; the first error says what happened.
            raise _first(group) from None
        finally:
            await self._commit.finish()
        if self._stopped is not None:
            raise RunStopped(self._stopped)

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
            self._stopped = self._stopped or self._should_stop()
            if self._stopped is not None:
                return
            await self._commit.add(await self._result(planned, before))

    async def _result(self, planned: PlannedProject, before: Before) -> Result:
        try:
            return await self._sync.sync(planned, before)
        except* (MirrorError, OSError) as group:
            error = _first(group)
        if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
            raise error
        if self._stop_on_error:
            self._stopped = f"stop-on-error: {planned.project} failed: {error}"
        return Failed(planned=planned, error=type(error).__name__, reason=str(error))


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)  # noqa: S101 - only MirrorError and OSError are caught
    return error
