"""Starts long-running programs and owns them: each leads a session, is on record, and is ended for sure.

A record outlives us, so a later ``down`` ends what a crashed ``up`` or ``mirror`` left behind, and
never a stranger that has got the number of a process of ours. Airflow's tasks leave their parent's process
group but not its session, so the session is what identifies everything a service has begun. A number alone
identifies nothing, numbers are used again: a process is known by its number and the moment it started, in
ticks since this boot. psutil, which comes with Airflow, is no help: its creation times move when the clock is
set between two commands.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local_stack.errors import StackError

PROC = Path("/proc")
LOOK_AGAIN = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A living process (a zombie is not one); ``started`` is in clock ticks since boot."""

    pid: int
    session: int
    started: int


def boot() -> str:
    """Names this boot of the machine: ticks of another one mean nothing."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """The living process of that number."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets, and it may hold blanks and brackets itself.
    state, _parent, _group, session, *rest = stat[stat.rindex(")") + 2 :].split()
    if state in "ZX":
        return None
    return Process(pid=pid, session=int(session), started=int(rest[15]))


def session_members(session: int) -> tuple[Process, ...]:
    """All living processes of a session."""
    found = (find(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdecimal())
    return tuple(p for p in found if p is not None and p.session == session)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A program to run; ``name`` names its record and its log."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is known of a started service: the leader of its session, when and in which boot it began."""

    name: str
    pid: int
    started: int
    boot: str

    def members(self) -> tuple[Process, ...]:
        """The living processes of the service; the leader may be gone and its children alive.

        While the session has members the kernel gives its number to nobody else, so a living leader
        that began at another time is a stranger and so is its whole session.
        """
        if self.boot != boot():
            return ()
        leader = find(self.pid)
        if leader is not None and leader.started != self.started:
            return ()
        return tuple(m for m in session_members(self.pid) if m.started >= self.started)


class Services:
    """The services of one checkout, on record in the folder ``run``, with logs in the folder ``logs``."""

    def __init__(self, *, run: Path, logs: Path) -> None:
        self._run = run
        self._logs = logs
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def start(self, service: Service) -> Record:
        """Start the service in a session of its own and put it on record."""
        self._run.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self.log(service.name).open("wb") as log:
            try:
                child = subprocess.Popen(
                    service.argv,
                    env=dict(service.env),
                    cwd=service.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise StackError(f"{service.name} cannot be started: {error}") from error
        self._children[child.pid] = child
        leader = find(child.pid)
        record = Record(
            name=service.name, pid=child.pid, started=0 if leader is None else leader.started, boot=boot()
        )
        self._record_file(service.name).write_text(json.dumps(asdict(record)) + "\n")
        return record

    def running(self) -> tuple[Record, ...]:
        """The services on record that have a living process."""
        self._reap()
        records = (self._read(path) for path in sorted(self._run.glob("*.service.json")))
        return tuple(r for r in records if r is not None and r.members())

    def require_alive(self, names: Sequence[str]) -> None:
        """Raise StackError when one of the named services has ended."""
        self._reap()
        for name in names:
            record = self._read(self._record_file(name))
            leader = None if record is None else find(record.pid)
            if record is None or leader is None or leader.started != record.started:
                raise StackError(f"{name} stopped unexpectedly", log=self.log(name))

    def stop(self, names: Sequence[str], *, patience: float) -> None:
        """End the named services together: SIGTERM, and SIGKILL to what lives after ``patience`` seconds.

        The signals go to every process of a service: a leader that waits for its children, as Airflow's
        scheduler does, would otherwise wait for the longest task.
        """
        records = [r for r in (self._read(self._record_file(name)) for name in names) if r is not None]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for record in records:
                self._signal(record, number)
            records = self._still_there(records, patience)
        if records:
            names_left = ", ".join(f"{r.name} (process {r.pid})" for r in records)
            raise StackError(f"{names_left} cannot be stopped, not even with SIGKILL")
        for name in names:
            self._record_file(name).unlink(missing_ok=True)

    def _record_file(self, name: str) -> Path:
        return self._run / f"{name}.service.json"

    def _read(self, path: Path) -> Record | None:
        """The record in a file; None when there is none, or a crash left it empty."""
        try:
            return Record(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def _signal(self, record: Record, number: signal.Signals) -> None:
        for member in record.members():
            try:
                os.kill(member.pid, number)
            except ProcessLookupError:
                continue

    def _still_there(self, records: list[Record], patience: float) -> list[Record]:
        """Those of ``records`` that have a living process after at most ``patience`` seconds."""
        end = time.monotonic() + patience
        while records:
            self._reap()
            records = [r for r in records if r.members()]
            if time.monotonic() > end:
                break
            time.sleep(LOOK_AGAIN)
        self._reap()
        return records

    def _reap(self) -> None:
        """Reap our own dead children, so that none stays as a zombie."""
        self._children = {pid: child for pid, child in self._children.items() if child.poll() is None}
