"""Which file is meant when nobody names one."""

from pathlib import Path

import pypi_mirror
from pypi_mirror.settings.locate import configuration_path


def test_the_environment_names_it() -> None:
    assert configuration_path({"PYPI_MIRROR_CONF": "/etc/mirror.conf"}) == Path("/etc/mirror.conf")
    assert configuration_path({"PYPI_MIRROR_CONF": "my.conf"}) == Path.cwd() / "my.conf"


def test_else_it_is_the_one_beside_the_package() -> None:
    include = Path(pypi_mirror.__file__).resolve().parents[1]

    assert configuration_path({}) == configuration_path({"PYPI_MIRROR_CONF": " "}) == include / "mirror.conf"
    assert configuration_path({}).is_file()
