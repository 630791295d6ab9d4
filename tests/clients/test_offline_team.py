"""docs/offline.md with real clients: locked outside, mirrored, carried, and installed where nothing else is.

What the guide shows as commands is run by tests/docs; here are upstream's own host names inside, Poetry, and
a source archive that is built.
"""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from pypi_mirror.cli import main
from pypi_mirror.settings.read import read_settings
from tests.certificates import certificate_for
from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Poetry, Uv
from tests.clients.index import CLOSURE, shop
from tests.clients.networks import network
from tests.nginx_process import NginxProcess
from tests.requirements_present import require
from tests.warehouse import Warehouse, running
from tests.warehouse.behaviour import Hosts
from tests.webserver.sites import free_port

pytestmark = pytest.mark.servers

# The index of a Poetry project that names none. The networks here lead it to the stand-in, and to the mirror.
PUBLIC = str(urlsplit(PYPI_SIMPLE_ENDPOINT).hostname)
INDEX, FILES = "https://index.example/simple", "https://files.example"
_PROJECT = """\
[project]
name = "till"
version = "1"
requires-python = ">=3.11,<4"
"""
_SOURCE = f"""\
[[tool.poetry.source]]
name = "team"
url = "{INDEX}"
priority = "primary"
"""
_POETRY = """
[tool.poetry]
package-mode = false

"""
_CONF = """\
[mirror]
directory = {directory}
master = {master}
json = true

[allowlist]
requirements =
    with-uv/uv.lock
    with-uv/requirements.txt
    with-poetry/poetry.lock
    by-default/poetry.lock
# What builds the source archive.
packages = build-base

[site]
port = {port}
aliases =
    index.example
    files.example
    {public}
"""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A network with the mirror alone: ``projects`` was carried in, ``variables`` are for its clients."""

    conf: Path
    projects: Path
    variables: dict[str, str]

    @property
    def site(self) -> str:
        return read_settings(self.conf).site.public_url


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory, newest: Path) -> Iterator[Inside]:
    require(shutil.which("rsync"), "rsync")
    home = tmp_path_factory.mktemp("team")
    authority, certificate, key = certificate_for(home, "index.example", "files.example", PUBLIC)
    with ExitStack() as network_inside:
        with ExitStack() as outside:
            warehouse = Warehouse(*shop())
            upstream = outside.enter_context(running(warehouse))
            # What clients outside see of the same index: pages and files on public hosts.
            public = outside.enter_context(
                running(warehouse, hosts=Hosts(site=INDEX.removesuffix("/simple"), files=FILES))
            )
            proxy = outside.enter_context(
                network(home / "outside-tls", leads_to=public.port, certificate=certificate, key=key)
            )
            projects = home / "outside"
            _lock(projects, newest, _variables(proxy, authority))
            conf = projects / "mirror.conf"
            port = free_port()
            text = _CONF.format(directory=home / "mirror", master=upstream.master, port=port, public=PUBLIC)
            conf.write_text(text)
            assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
        carried = home / "inside"
        _carry(home / "mirror", carried / "mirror")
        for name in ("with-uv", "with-poetry", "by-default", "mirror.conf"):
            copy = shutil.copytree if (projects / name).is_dir() else shutil.copy
            copy(projects / name, carried / name)
        (home / "mirror").rename(home / "mirror-outside")
        conf = carried / "mirror.conf"
        conf.write_text(conf.read_text().replace(str(home / "mirror"), str(carried / "mirror")))
        assert main(["ledger", "rebuild", "-c", str(conf), "--verify"]) == 0
        network_inside.enter_context(NginxProcess(read_settings(conf)))
        proxy = network_inside.enter_context(
            network(home / "inside-tls", leads_to=port, certificate=certificate, key=key)
        )
        yield Inside(conf=conf, projects=carried, variables=_variables(proxy, authority))


def _variables(proxy: str, authority: Path) -> dict[str, str]:
    """DNS and trust of a network, for each client."""
    return {
        "HTTPS_PROXY": proxy,
        "SSL_CERT_FILE": str(authority),
        "PIP_CERT": str(authority),
        "REQUESTS_CA_BUNDLE": str(authority),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": INDEX,
        "UV_DEFAULT_INDEX": INDEX,
    }


def _lock(projects: Path, newest: Path, variables: dict[str, str]) -> None:
    client = Client(home=projects, variables=variables)
    uv, poetry = Uv(), Poetry(python=newest)
    for name, text in (
        ("with-uv", f'{_PROJECT}dependencies = ["shop"]\n'),
        ("with-poetry", f"{_PROJECT}{_POETRY}{_SOURCE}"),
        ("by-default", f"{_PROJECT}{_POETRY}"),
    ):
        (projects / name).mkdir(parents=True)
        (projects / name / "pyproject.toml").write_text(text)
    client.succeed(uv("lock"), cwd=projects / "with-uv")
    for name in ("requirements.txt", "pylock.toml"):
        export = uv("export", "--frozen", "--format", name, "--no-emit-project", "--output-file", name)
        client.succeed(export, cwd=projects / "with-uv")
    for name in ("with-poetry", "by-default"):
        client.succeed(poetry("add", "--lock", "shop"), cwd=projects / name)
    locked = (projects / "with-uv/uv.lock").read_text()
    assert INDEX in locked
    assert f"{FILES}/packages/" in locked
    assert "127.0.0.1" not in locked


def _carry(mirror: Path, target: Path) -> None:
    """As the guide does it."""
    target.mkdir(parents=True)
    copy = ["rsync", "-a", "--exclude=.*", mirror / "web", mirror / "nginx", target]
    subprocess.run(copy, check=True)


@pytest.fixture
def client(inside: Inside, tmp_path: Path) -> Client:
    return Client(home=tmp_path, variables=inside.variables)


@pytest.fixture
def project(inside: Inside, tmp_path: Path) -> Path:
    """A copy of the project that was locked with uv."""
    return shutil.copytree(inside.projects / "with-uv", tmp_path / "with-uv")


@pytest.fixture
def poetry_project(inside: Inside, client: Client, tmp_path: Path) -> Path:
    config = client.home / ".config/pypoetry/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[virtualenvs]\nin-project = true\noptions.no-pip = true\n[keyring]\nenabled = false\n")
    return shutil.copytree(inside.projects / "with-poetry", tmp_path / "with-poetry")


def in_environment(client: Client, project: Path) -> dict[str, str]:
    return installed(client, project / ".venv/bin/python")


def test_uv_syncs_from_its_lock_under_upstreams_names(client: Client, project: Path) -> None:
    client.succeed(Uv()("sync", "--frozen"), cwd=project)
    assert in_environment(client, project) == CLOSURE


def test_uv_syncs_from_the_rewritten_lock_without_these_names(
    inside: Inside, client: Client, project: Path
) -> None:
    lock = project / "uv.lock"
    before = tomllib.loads(lock.read_text())
    assert main(["lock", "rewrite", "-c", str(inside.conf), str(lock)]) == 0
    text = lock.read_text()
    assert ".example" not in text
    assert [each["name"] for each in tomllib.loads(text)["package"]] == [
        each["name"] for each in before["package"]
    ]
    alone = Client(
        home=client.home,
        variables={"UV_DEFAULT_INDEX": f"{inside.site}/simple/", "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    # It is as a lock that was made inside, so uv has nothing to update.
    alone.succeed(Uv()("lock", "--check"), cwd=project)
    alone.succeed(Uv()("sync", "--frozen"), cwd=project)
    assert in_environment(alone, project) == CLOSURE


def test_pylock_is_rewritten_too(inside: Inside, client: Client, project: Path) -> None:
    lock = project / "pylock.toml"
    assert main(["lock", "rewrite", "-c", str(inside.conf), str(lock)]) == 0
    assert ".example" not in lock.read_text()
    alone = Client(
        home=client.home,
        variables={"UV_DEFAULT_INDEX": f"{inside.site}/simple/", "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    python = alone.new_environment()
    alone.succeed(Uv()("pip", "sync", "--preview", "--python", python, lock))
    assert installed(alone, python) == CLOSURE


@pytest.mark.parametrize("address", ["upstream's", "the mirror's"])
def test_pip_installs_by_hashes(
    inside: Inside, client: Client, project: Path, newest_pip: Pip, address: str
) -> None:
    if address == "the mirror's":
        index = {"PIP_INDEX_URL": f"{inside.site}/simple/", "PIP_CONFIG_FILE": "/dev/null"}
        client = Client(home=client.home, variables=index)
    python = client.new_environment()
    client.succeed(newest_pip("install", "--require-hashes", "-r", project / "requirements.txt", into=python))
    assert installed(client, python) == CLOSURE


@pytest.mark.parametrize("name", ["with-poetry", "by-default"])
def test_poetry_installs_under_upstreams_names(
    inside: Inside, client: Client, poetry_project: Path, newest: Path, name: str
) -> None:
    if name != poetry_project.name:
        poetry_project = shutil.copytree(inside.projects / name, client.home / name)
    client.succeed(Poetry(python=newest)("install"), cwd=poetry_project)
    assert in_environment(client, poetry_project) == CLOSURE


@pytest.mark.parametrize("has_source", [True, False], ids=["own source", "the public index"])
def test_poetry_installs_after_its_source_is_the_mirror(
    inside: Inside, client: Client, poetry_project: Path, newest: Path, *, has_source: bool
) -> None:
    lock, pyproject = poetry_project / "poetry.lock", poetry_project / "pyproject.toml"
    assert main(["lock", "rewrite", "-c", str(inside.conf), str(lock)]) == 0
    assert ".example" not in lock.read_text()
    versions = {each["name"]: each["version"] for each in tomllib.loads(lock.read_text())["package"]}
    source = _SOURCE.replace(INDEX, f"{inside.site}/simple/")
    if not has_source:
        lock.write_text(re.sub(r"\[package\.source\]\n(.+\n)+", "", lock.read_text()))
        source = (read_settings(inside.conf).web / "poetry.toml").read_text()
    pyproject.write_text(pyproject.read_text().replace(_SOURCE, source))
    alone = Client(home=client.home, variables={"HTTPS_PROXY": "http://127.0.0.1:9"})
    poetry = Poetry(python=newest)
    alone.succeed(poetry("lock"), cwd=poetry_project)
    assert {each["name"]: each["version"] for each in tomllib.loads(lock.read_text())["package"]} == versions
    alone.succeed(poetry("install"), cwd=poetry_project)
    assert in_environment(alone, poetry_project) == CLOSURE
