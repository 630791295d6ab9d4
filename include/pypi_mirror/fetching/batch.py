"""Many projects at once, each failure kept to itself: the same for reading pages and for fetching files."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

from pypi_mirror.disk.faults import said_of
from pypi_mirror.disk.files import is_disk_fault
from pypi_mirror.errors import (
    DiskFault,
    LeaseLost,
    MirrorError,
    RunStopped,
    UpstreamDown,
    UpstreamUnavailable,
    WindowClosed,
)
from pypi_mirror.fetching.progress_line import ProgressLine
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import PlannedProject

# Rows are looked up for this many projects at a time.
_LOOKUP: Final = 200
# Seconds between two looks at what does not wait for a project to be done.
_BEAT: Final = 1.0
# Upstream is taken for down when projects without an answer are so many more than twice those done.
_LOST: Final = 20

Before = TypeVar("Before")


class Outcome(Protocol):
    """What became of a project.

    ``failure`` is what of it has to be tried again, None where nothing has; ``is_unavailable`` says that
    upstream gave no usable answer for a part of it.
    """

    @property
    def failure(self) -> Failed | None: ...
    @property
    def is_unavailable(self) -> bool: ...


Done = TypeVar("Done", bound=Outcome)
_Taken = TypeVar("_Taken", contravariant=True)


class Commit(Protocol[_Taken]):
    """Takes outcomes and records them in groups; ``tick`` is called now and then, ``finish`` at the end."""

    async def add(self, outcome: _Taken, /) -> None: ...
    async def tick(self) -> None: ...
    async def finish(self) -> None: ...


class Batch(Generic[Before, Done]):
    """Has ``work`` done for each project and hands what became of it to ``commit``.

    ``look_up`` gives what ``work`` has to know of each of some projects, in their order. ``should_stop`` is
    asked again and again and answers with a reason to stop the batch, or None. ``on_failed`` is told of each
    project that fails, ``keep_alive`` is called about once a second. ``received`` says how many bytes have
    come from upstream so far.
    """

    def __init__(
        self,
        *,
        work: Callable[[PlannedProject, Before], Awaitable[Done]],
        look_up: Callable[[Sequence[PlannedProject]], Iterable[Before]],
        commit: Commit[Done | Failed],
        parallel: int,
        should_stop: Callable[[], str | None],
        on_failed: Callable[[Failed], None] = lambda _: None,
        keep_alive: Callable[[], object] = lambda: None,
        received: Callable[[], int] = lambda: 0,
    ) -> None:
        self._work_on = work
        self._look_up = look_up
        self._commit = commit
        self._parallel = parallel
        self._on_failed = on_failed
        self._should_stop = should_stop
        self._keep_alive = keep_alive
        self._received = received
        self._progress = ProgressLine(0, received)
        self._stopped: str | None = None
        self._lost = 0
        # Projects that upstream gave no answer for, while nobody knows yet whether it is down.
        self._doubtful: list[Failed] = []

    async def run(self, planned: Sequence[PlannedProject]) -> None:
        """Work on every project of ``planned``; raises RunStopped when told to stop, UpstreamDown.

        What was finished until then is recorded all the same, except when the run has lost its lease. Errors
        of the mirror's own disk or ledger end the batch as they are.
        """
        try:
            await self._run_workers(planned)
            await self._settle_doubtful()
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
            yield from zip(chunk, self._look_up(chunk), strict=True)

    async def _work(self, queue: Iterator[tuple[PlannedProject, Before]]) -> None:
        for planned, before in queue:
            if self._is_stopped():
                return
            outcome = await self._outcome(planned, before)
            if outcome is None:
                continue
            self._progress.done()
            if isinstance(outcome, Failed) and self._lost and outcome.error == UpstreamUnavailable.__name__:
                self._on_failed(outcome)
                self._doubtful.append(outcome)
            else:
                if (failure := outcome.failure) is not None:
                    self._on_failed(failure)
                await self._commit.add(outcome)
            if not self._lost:
                await self._settle_doubtful()
            if self._lost > _LOST:
                # No project is to blame: those without an answer stay planned, too.
                reason = "no answer" if outcome.failure is None else outcome.failure.reason
                raise UpstreamDown(f"almost every project fails, the last one with {reason}")

    async def _settle_doubtful(self) -> None:
        """Upstream answers others: the projects that it did not answer for have failed."""
        while self._doubtful:
            await self._commit.add(self._doubtful.pop(0))

    async def _outcome(self, planned: PlannedProject, before: Before) -> Done | Failed | None:
        """None for a project that has to wait, as it is, for a later run."""
        try:
            done = await self._work_on(planned, before)
        except* (MirrorError, OSError) as group:
            errors = _leaves(group)
        else:
            self._lost = self._lost + 1 if done.is_unavailable else max(0, self._lost - 2)
            return done
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
