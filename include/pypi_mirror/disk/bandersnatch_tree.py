"""What bandersnatch keeps beside ``web/``, by which the two stay out of each other's way.

``generation`` has the number of bandersnatch's layout, which is 5 since 2015. It refuses to start over a tree
of a number that it does not know, and starts from the beginning where there is none. ``todo`` is what a run
has left: it is written after each project and removed at the end. ``.lock`` is locked (``flock``) while a run
begins.
"""

import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pypi_mirror.disk.files import remove_file
from pypi_mirror.disk.writing import write_atomically
from pypi_mirror.errors import MirrorError
from pypi_mirror.wording import duration

_THEIRS: Final = b"5"
# None of bandersnatch's: it says "Unknown generation 100 found" and changes nothing.
_OURS: Final = b"100"
# Seconds for which `todo` is at rest in a run at most: a large file takes long to come.
_AT_REST: Final = 900


def require_stopped(directory: Path) -> None:
    """Raises MirrorError while bandersnatch is at work in ``directory``, as far as its files tell."""
    if _generation(directory) == _OURS:
        # It could not have begun.
        return
    if _is_locked(directory / ".lock"):
        raise MirrorError(f"{directory}: bandersnatch holds .lock; stop it and its timer, then start again")
    try:
        age = time.time() - (directory / "todo").stat().st_mtime
    except FileNotFoundError:
        return
    if age < _AT_REST:
        raise MirrorError(
            f"{directory}: bandersnatch is at work: it wrote todo {duration(max(int(age), 0))} ago. Stop it "
            "and its timer; if it is stopped, remove todo, which this mirror does not need, and start again"
        )


def claim(directory: Path) -> None:
    """Keep bandersnatch out of ``directory`` until ``hand_over``: it would not renew what it does not know,
    such as the compressed copies of pages, and they would be served for ever.
    """
    if _generation(directory) != _OURS:
        write_atomically(directory / "generation", _OURS, durable=True)
        remove_file(directory / "todo")


def hand_over(directory: Path, *, serial: int | None, left: Iterable[tuple[str, int]]) -> None:
    """Let bandersnatch start in ``directory``: it goes on from ``serial``, from the beginning without one,
    and first takes the projects that are ``left``, by name as upstream displays it, each of a serial.
    """
    todo = [f"{name} {at}" for name, at in left]
    if serial is None:
        remove_file(directory / "status")
        remove_file(directory / "todo")
    else:
        write_atomically(directory / "status", str(serial).encode(), durable=True)
        if todo:
            write_atomically(directory / "todo", "\n".join([str(serial), *todo]).encode(), durable=True)
        else:
            remove_file(directory / "todo")
    write_atomically(directory / "generation", _THEIRS, durable=True)


def _generation(directory: Path) -> bytes | None:
    try:
        return (directory / "generation").read_bytes().strip()
    except FileNotFoundError:
        return None


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks.
        return False
    finally:
        os.close(descriptor)
    return False
