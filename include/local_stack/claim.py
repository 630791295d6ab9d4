"""One command of the stack at a time in a checkout."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_stack.errors import StackError


@contextmanager
def claim(run: Path, command: str) -> Iterator[None]:
    """Hold the checkout for ``command``; StackError names who holds it already.

    The kernel frees the lock when its holder dies, however it dies.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another command"
            raise StackError(f"{holder} is running in this checkout; wait for it, or end it") from error
        lock.truncate(0)
        lock.write(f"'make {command}' (process {os.getpid()})\n")
        lock.flush()
        yield
