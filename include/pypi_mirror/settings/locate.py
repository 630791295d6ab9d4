"""Which configuration file is meant when nobody names one."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "PYPI_MIRROR_CONF"
SYSTEM_WIDE: Final = Path("/etc/pypi-mirror/mirror.conf")


def configuration_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The file that PYPI_MIRROR_CONF names, else the host's own, ``/etc/pypi-mirror/mirror.conf``.

    The path is absolute. Whether the file exists is ``read_settings``'s business. The one in ``include/`` is
    an example: taken for a configuration, it would mirror all of the public index.
    """
    named = environ.get(VARIABLE, "").strip()
    return Path(named).expanduser().absolute() if named else SYSTEM_WIDE


def missing(path: Path) -> str:
    """What is added to the error for a ``path`` that does not exist: how to name another one."""
    if path != SYSTEM_WIDE:
        return ""
    return f". No other one was named: give one by -c FILE, or set {VARIABLE}, or make this one"
