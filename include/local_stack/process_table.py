"""Linux's process table: who lives in a session, and since when.

Airflow's tasks leave their parent's process group but not its session, so the session is what
identifies everything a service has begun. A number alone identifies nothing, numbers are used again:
a process is known by its number and the moment it started, in ticks since this boot. psutil, which comes with
Airflow, is no help: its creation times move when the clock is set between two commands.
"""

from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


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
