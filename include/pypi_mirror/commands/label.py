"""The names of the command line's runs: they tell people, and the next run, whose a lease is."""

import os
import re
import secrets
import socket
from typing import Final

_FORM: Final = "command line, {host}, process {pid}, {unique}"
_LABEL: Final = re.compile(r"command line, (?P<host>.+), process (?P<pid>\d+), [0-9a-f]+")


def new_label() -> str:
    """A label for a run of this process, a new one each time: clocks are too coarse, and can be set back."""
    return _FORM.format(host=socket.gethostname(), pid=os.getpid(), unique=secrets.token_hex(4))


def is_dead(label: str) -> bool:
    """Whether ``label`` is that of a process of this host that is no more.

    False where that cannot be told: another host's, Airflow's, or a number that a new process has by now.
    """
    found = _LABEL.fullmatch(label)
    if found is None or found["host"] != socket.gethostname():
        return False
    try:
        os.kill(int(found["pid"]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
