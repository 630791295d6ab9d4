"""What a verb prints: commands that can be copied, and no error when the reader leaves.

Messages of the engine propose commands without ``-c FILE``; it is added here where one was given.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TextIO, cast

from pypi_mirror.settings.locate import name_file

_given: ContextVar[Path | None] = ContextVar("configuration file that was given", default=None)


def use_file(given: Path | None) -> None:
    """From now on name this file in commands; None where it is found without being named."""
    _given.set(given)


def complete(text: str) -> str:
    """``text`` with the configuration file in each command of ours that it proposes."""
    given = _given.get()
    return text if given is None else name_file(text, given)


def say(text: str) -> None:
    """Print to standard output."""
    print(complete(text))


def warn(text: str) -> None:
    """Print to standard error."""
    print(complete(text), file=sys.stderr)


class _Lasting:
    """A stream that a reader has left takes what is written, and drops it: no sync fails because of that."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_output() -> Iterator[None]:
    """In this block nothing that is printed raises BrokenPipeError, and at its end all of it is written."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Lasting(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout, sys.stderr = before
