"""Commands that messages propose, as the reader has to type them: with ``-c FILE`` where one was given.

What says such a sentence is mostly the engine, which knows nothing of a command line.
"""

import sys
from contextvars import ContextVar
from pathlib import Path

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
