"""Runs one program and measures it with all its children.

CPU comes from ``wait4``, bytes written from ``/proc/<pid>/io`` (``wchar``: what write calls were given, on
a tmpfs too; a parent's figure holds its waited-for children's), memory from sampling: the sum over the
processes of what each has resident, pages that several share split between them (PSS).
"""

import ctypes
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SAMPLE_SECONDS = 0.1
_LINGER_SECONDS = 5.0
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """``wall`` and ``cpu`` (user and system) are seconds, ``memory`` the peak in bytes, ``written`` bytes."""

    wall: float
    cpu: float
    memory: int
    written: int


@dataclass(slots=True)
class Busy:
    """``share`` of all processors' time that was spent computing, by whomever."""

    share: float = 0.0


class ProgramFailed(Exception):
    """A measured program exited with another code than 0; ``log`` is where its output went."""

    def __init__(self, command: Sequence[str], code: int, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        super().__init__(f"{' '.join(command)[:300]} exited with {code}; the end of {log}:\n{tail}")


def measure(command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None) -> Measured:
    """Run ``command`` to its end with its output in ``log``; raises ProgramFailed.

    Its wall time ends with it; processes that it leaves behind are counted until they end, and ended after
    a few seconds.
    """
    with _adopting_orphans(), log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,  # its children are known by the session, and end with it
        )
        memory = _MemorySampler(process.pid)
        memory.start()
        wall, cpu, written = 0.0, 0.0, 0
        try:
            for pid in _ended(process.pid):
                if pid == process.pid:
                    wall = time.perf_counter() - started
                written += _written(pid)
                _, status, usage = os.wait4(pid, 0)
                cpu += usage.ru_utime + usage.ru_stime
                if pid == process.pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            memory.stop()
            _end_session(process.pid)
    if process.returncode != 0:
        raise ProgramFailed(command, process.returncode, log)
    return Measured(wall=wall, cpu=cpu, memory=memory.peak, written=written)


def cpu_seconds(pid: int) -> float:
    """User and system time of a running process so far, its waited-for children's not counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def busy_processors() -> Iterator[Busy]:
    """How busy this machine's processors are until the block ends; known then."""
    busy = Busy()
    before = _processor_ticks()
    yield busy
    total, idle = (after - then for after, then in zip(_processor_ticks(), before, strict=True))
    busy.share = (total - idle) / max(total, 1)


def _processor_ticks() -> tuple[int, int]:
    """All ticks of all processors so far, and those that they were idle or waited for a disk."""
    # user nice system idle iowait irq softirq steal; guests' time is in the user's already.
    ticks = [int(field) for field in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    return sum(ticks), ticks[3] + ticks[4]


def _ended(root: int) -> Iterator[int]:
    """The processes of ``root``'s group that are children of ours, each when it has ended and before it is
    reaped, so that its figures can still be read. Those that outlive ``root`` by too long are ended.
    """
    deadline = math.inf
    while True:
        waiting = 0 if deadline == math.inf else os.WNOHANG
        try:
            ended = os.waitid(os.P_PGID, root, os.WEXITED | os.WNOWAIT | waiting)
        except ChildProcessError:
            return
        if ended is None:
            if time.monotonic() > deadline:
                _end_session(root)
            time.sleep(0.01)
            continue
        if ended.si_pid == root:
            deadline = time.monotonic() + _LINGER_SECONDS
        yield ended.si_pid


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """What a measured program leaves behind becomes our child (Linux), so that its CPU is known too."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class _MemorySampler(threading.Thread):
    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, sum(_resident(pid) for pid in _processes_of(self._session)))
            if self._ended.wait(_SAMPLE_SECONDS):
                return

    def stop(self) -> None:
        self._ended.set()
        self.join()


def _processes_of(session: int) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError):
                # After the name, which can hold anything, in parentheses: state, parent, group, session.
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    found.append(int(entry.name))
    return found


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _written(pid: int) -> int:
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        name, value = line.split(": ")
        if name == "wchar":
            return int(value)
    return 0


def _end_session(pid: int) -> None:
    """What the program left running, or all of it when we are interrupted."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
