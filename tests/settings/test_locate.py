"""Which file is meant when nobody names one."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.settings import locate
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_settings


def test_the_environment_names_it() -> None:
    assert configuration_path({"PYPI_MIRROR_CONF": "/etc/mirror.conf"}) == Path("/etc/mirror.conf")
    assert configuration_path({"PYPI_MIRROR_CONF": "my.conf"}) == Path.cwd() / "my.conf"


def test_else_it_is_the_one_of_the_host_and_never_the_example() -> None:
    system_wide = Path("/etc/pypi-mirror/mirror.conf")
    assert configuration_path({}) == configuration_path({"PYPI_MIRROR_CONF": " "}) == system_wide


def test_without_any_the_error_names_the_ways_to_name_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "SYSTEM_WIDE", tmp_path / "mirror.conf")
    with pytest.raises(ConfigurationError) as raised:
        read_settings(configuration_path({}))
    for part in (str(tmp_path / "mirror.conf"), "-c FILE", "PYPI_MIRROR_CONF"):
        assert part in str(raised.value)
