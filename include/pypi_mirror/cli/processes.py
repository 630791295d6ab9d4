"""Work on one mirror in parallel processes of this machine, for the command line."""

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from ctypes import c_bool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from multiprocessing.queues import Queue
from typing import Any, Final, Generic, TypeVar

from pypi_mirror.cli.interruption import check, held_back, received
from pypi_mirror.errors import MirrorError, RunStopped
from pypi_mirror.mirror import Mirror

_TICK: Final = 0.1
# Seconds that work has for what it has begun once a signal came: a few to flush it to a slow disk.
_GRACE: Final = 30.0
_OWN_SIGNAL: Final = 0.5

Told = TypeVar("Told")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared(Generic[Told]):
    """What a piece of work has of the others at work beside it: ``sharers`` have equal parts of the limits
    for all, ``should_stop`` says why to stop, or None, and ``tell`` takes what was done.
    """

    sharers: int
    should_stop: Callable[[], str | None]
    tell: Callable[[Told], None]


# A piece of work; passed to another process, so a function of a module, or a partial of one.
Work = Callable[[Mirror, Shared[Told]], Done]


def run_all(
    mirror: Mirror,
    work: Sequence[Work[Told, Done]],
    *,
    processes: int,
    progress: AbstractContextManager[Callable[[Told], None]],
) -> list[Done]:
    """Do all of ``work``, ``processes`` pieces at once, and return what came of them, in any order; one
    process alone does them right here.

    ``progress`` is told what was done; it is entered when the processes have begun, since a process must not
    be forked from one with threads.

    Raises RunStopped under stop-on-error, after the others have stopped too, and MirrorError when a process
    dies; what was finished is recorded in every case.
    """
    # No more processes than requests at once, or the administrator's limit would not hold.
    processes = min(processes, len(work), mirror.settings.workers)
    if processes <= 1:
        with progress as tell:
            shared = Shared(sharers=1, should_stop=lambda: None, tell=tell)
            return [piece(mirror, shared) for piece in work]
    with held_back():
        return _in_processes(mirror, work, processes, progress)


def _in_processes(
    mirror: Mirror,
    work: Sequence[Work[Told, Done]],
    processes: int,
    progress: AbstractContextManager[Callable[[Told], None]],
) -> list[Done]:
    # A forked process has everything imported and the mirror open, statements that were compiled included. It
    # must not share a connection to the ledger.
    context = multiprocessing.get_context("fork")
    mirror.ledger.engine.dispose()
    told: Queue[Told] = context.Queue()
    # Without a lock, which a process that is killed would never give back.
    stop = context.RawValue(c_bool, False)
    with ProcessPoolExecutor(processes, context, _begin, (mirror, processes, told, stop)) as pool:
        try:
            with _signals_blocked():
                running = {pool.submit(_run, piece) for piece in work}
            with progress as tell:
                return _collect(running, told, stop, tell)
        except BrokenProcessPool as error:
            _await_own_signal()
            raise MirrorError(
                "a process of the sync was killed (out of memory?); what was finished is kept, "
                "run it again to go on"
            ) from error
        finally:
            stop.value = True
            pool.shutdown(cancel_futures=True)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Processes started in here never see what a terminal sends to all of its processes.

    They inherit the mask. The parent gets a signal of this moment afterwards; it alone acts on it, and sets
    ``stop``. SIGTERM waits, too, until a process has its own way with it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _await_own_signal() -> None:
    """systemd and others send SIGTERM to every process; the children may get it, and die of it, first."""
    deadline = time.monotonic() + _OWN_SIGNAL
    while not received() and time.monotonic() < deadline:
        time.sleep(_TICK / 2)
    check()


def _collect(
    running: set["Future[Done]"], told: "Queue[Told]", stop: c_bool, tell: Callable[[Told], None]
) -> list[Done]:
    """What came of the work. A signal stops it; another one kills it, and so does time."""
    ended: list[Done] = []
    stopped: list[RunStopped] = []
    kill_at: float | None = None
    while running:
        if received():
            stop.value = True
            kill_at = kill_at or time.monotonic() + _GRACE
            if received() > 1 or time.monotonic() > kill_at:
                for child in multiprocessing.active_children():
                    child.kill()
        done, running = wait(running, timeout=_TICK, return_when=FIRST_COMPLETED)
        _drain(told, tell)
        for future in done:
            try:
                ended.append(future.result())
            except RunStopped as error:
                stop.value = True
                stopped.append(error)
    _drain(told, tell)
    check()
    if stopped:
        raise stopped[0]
    return ended


def _drain(told: "Queue[Told]", tell: Callable[[Told], None]) -> None:
    while True:
        try:
            tell(told.get_nowait())
        except queue.Empty:
            return


# What a worker process got from its parent when it began.
_mirror: Mirror
_sharers: int
_told: "Queue[Any]"
_stop: c_bool


def _begin(mirror: Mirror, sharers: int, told: "Queue[Any]", stop: c_bool) -> None:
    global _mirror, _sharers, _told, _stop
    _mirror, _sharers, _told, _stop = mirror, sharers, told, stop
    # As the parent's handler does, which is inherited, would be to wait for a Ctrl-C that never comes.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    # Progress that nobody reads any more must not keep this process from ending.
    told.cancel_join_thread()
    threading.Thread(target=_die_with_parent, name="die with parent", daemon=True).start()


def _die_with_parent() -> None:
    """A parent that was killed has told nobody; its lease is not ours to write under."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_any([parent.sentinel])
        os._exit(1)


def _run(piece: Work[Any, Done]) -> Done:
    def should_stop() -> str | None:
        return "another batch stopped the run" if _stop.value else None

    return piece(_mirror, Shared(sharers=_sharers, should_stop=should_stop, tell=_told.put))
