"""Which configuration file is meant when nobody names one."""

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "PYPI_MIRROR_CONF"


def configuration_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The file that PYPI_MIRROR_CONF names, else ``mirror.conf`` beside this package in ``include/``.

    The path is absolute. Whether the file exists is ``read_settings``'s business.
    """
    named = environ.get(VARIABLE, "").strip()
    if named:
        return Path(named).expanduser().absolute()
    return Path(__file__).resolve().parents[2] / "mirror.conf"
