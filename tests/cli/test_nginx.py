"""``pypi-mirror nginx``: what an administrator has done by it."""

from pathlib import Path

import pytest

from pypi_mirror.cli import main
from tests.clients.site import serving

pytestmark = pytest.mark.servers


@pytest.mark.parametrize("action", ["reload", "render"])
def test_another_name_of_the_site_is_told_to_clients(tmp_path: Path, action: str) -> None:
    with serving(tmp_path) as site:
        _, before = site.get("/pip.conf")
        assert b"//localhost:" in before
        site.conf.write_text(site.conf.read_text().replace("[site]", "[site]\nhost = pypi.lab.example"))
        assert main(["nginx", action, "-c", str(site.conf)]) == 0
        for path in ("/pip.conf", "/uv.toml", "/poetry.toml", "/"):
            _, told = site.get(path)
            assert b"//pypi.lab.example:" in told, path
            assert b"//localhost:" not in told, path
        assert b"trusted-host = pypi.lab.example\n" in site.get("/pip.conf")[1]
