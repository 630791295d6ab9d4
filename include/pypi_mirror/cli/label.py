"""The names of the command line's runs: they tell people, and the next run, whose a lease is."""

import os
import re
import secrets
import socket
from pathlib import Path
from typing import Final

# After the process: the system's boot, the process's name space and its start, and something unique.
_FORM: Final = "command line, {host}, process {pid}, {boot}-{space}-{start}-{unique}"
_LABEL: Final = re.compile(
    r"command line, (?P<host>.+), process (?P<pid>\d+), "
    r"(?P<boot>[0-9a-f]*)-(?P<space>\d*)-(?P<start>\d*)-[0-9a-f]+"
)


def new_label() -> str:
    """A label for a run of this process, a new one each time: clocks are too coarse, and can be set back."""
    pid = os.getpid()
    return _FORM.format(
        host=socket.gethostname(),
        pid=pid,
        boot=_boot(),
        space=_space(),
        start=_start(pid) or "",
        unique=secrets.token_hex(4),
    )


def is_dead(label: str) -> bool:
    """Whether ``label`` is that of a process of this host that is no more, be it that the host was restarted.

    Hosts that share a ledger have names of their own. False where that cannot be told: another host's,
    Airflow's, or that of another container on this host.
    """
    found = _LABEL.fullmatch(label)
    if found is None or found["host"] != socket.gethostname() or not found["boot"] or not _boot():
        return False
    if found["boot"] != _boot():
        return True
    # By its start a process is told from another one that has got its number since.
    return found["space"] == _space() and _start(int(found["pid"])) != found["start"]


def _boot() -> str:
    """Names this start of the system's kernel; empty where there is no /proc."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().partition("-")[0]
    except OSError:
        return ""


def _space() -> str:
    """Names the numbers that processes have here: each container has its own."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)  # noqa: PTH116
    except OSError:
        return ""


def _start(pid: int) -> str | None:
    """When the process began, in the kernel's ticks since boot; None when there is none, or a dead one."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state == "Z" else rest[18]
