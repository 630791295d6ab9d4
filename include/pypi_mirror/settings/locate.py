"""Which configuration file is meant when nobody names one, and naming it in commands for people to type."""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "PYPI_MIRROR_CONF"
SYSTEM_WIDE: Final = Path("/etc/pypi-mirror/mirror.conf")
# ``pypi-mirror VERB ACTION ...`` as a message puts it, in backquotes. Of these verbs the second word is an
# action, and options follow it.
_PROPOSED: Final = re.compile(
    r"`(?P<verb>pypi-mirror (?:(?:config|ledger|lock|nginx) [a-z-]+|backlog (?:forget|list|retry)\b"
    r"|cooldown (?:lift|list|publish)\b|[a-z]+))"
    r"(?P<rest>[^`]*)`"
)


def configuration_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The file that PYPI_MIRROR_CONF names, else the host's own, ``/etc/pypi-mirror/mirror.conf``.

    The path is absolute. Whether the file exists is ``read_settings``'s business. The one in ``include/`` is
    an example: taken for a configuration, it would mirror all of the public index.
    """
    named = environ.get(VARIABLE, "").strip()
    return absolute(Path(named).expanduser()) if named else SYSTEM_WIDE


def absolute(path: Path) -> Path:
    """``path`` from the root on, as messages name it: where it climbs (``..``), the directory that this leads
    to. Symbolic links in others stay, because an administrator chose their names.
    """
    path = path.absolute()
    return path.resolve() if ".." in path.parts else path


def missing(path: Path) -> str:
    """What is added to the error for a ``path`` that does not exist: how to name another one."""
    if path != SYSTEM_WIDE:
        return ""
    return f". No configuration was named: use -c FILE, set {VARIABLE}, or create this file"


def name_file(text: str, path: Path) -> str:
    """``text`` with ``-c FILE`` in each command of ours that it proposes."""
    named = f" -c {shlex.quote(str(path))}"

    def with_file(found: re.Match[str]) -> str:
        return found[0] if " -c " in found[0] else f"`{found['verb']}{named}{found['rest']}`"

    return _PROPOSED.sub(with_file, text)


def name_used_file(text: str) -> str:
    """The same with the file that this process uses, for readers who have a shell of their own: what
    PYPI_MIRROR_CONF says here need not be said there.
    """
    path = configuration_path()
    return text if path == SYSTEM_WIDE else name_file(text, path)
