"""Commands that messages propose, as the reader has to type them: with ``-c FILE`` where one was given.

What says such a sentence is mostly the engine, which knows nothing of a command line.
"""

import re
import shlex
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Final

# ``pypi-mirror VERB ACTION ...`` as a message puts it, in backquotes.
_PROPOSED: Final = re.compile(
    r"`(?P<verb>pypi-mirror [a-z]+(?: (?:backup|forget|list|rebuild|reload|render|retry|serve|upgrade)\b)?)"
    r"(?P<rest>[^`]*)`"
)
_given: ContextVar[Path | None] = ContextVar("configuration file that was given", default=None)


def use_file(given: Path | None) -> None:
    """From now on name this file in commands; None where it is found without being named."""
    _given.set(given)


def complete(text: str) -> str:
    """``text`` with the configuration file in each command of ours that it proposes."""
    given = _given.get()
    if given is None:
        return text
    named = f" -c {shlex.quote(str(given))}"

    def with_file(found: re.Match[str]) -> str:
        return found[0] if " -c " in found[0] else f"`{found['verb']}{named}{found['rest']}`"

    return _PROPOSED.sub(with_file, text)


def say(text: str) -> None:
    """Print to standard output."""
    print(complete(text))


def warn(text: str) -> None:
    """Print to standard error."""
    print(complete(text), file=sys.stderr)
