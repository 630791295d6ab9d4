"""The configuration that the site gives out, used as it is downloaded."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.webserver.clients import environment
from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Poetry, Uv
from tests.clients.index import WHEELS_ONLY
from tests.clients.site import ANY_NGINX, Site, serving

pytestmark = pytest.mark.servers


@pytest.fixture
def configured(client: Client) -> Client:
    """A client whose programs read the configuration below its home."""
    return dataclasses.replace(client, variables={})


@pytest.fixture
def remote_site(tmp_path: Path) -> Iterator[Site]:
    """A mirror that its clients know as ``mirror.example``, at plain http."""
    with serving(tmp_path, site="public-url = http://mirror.example/pypi") as site:
        yield site


def test_pip_conf(site: Site, configured: Client, pip: Pip) -> None:
    _save(site, "pip.conf", configured.home / ".config" / "pip" / "pip.conf")
    python = configured.new_environment()
    configured.succeed(pip("install", "cart-core", into=python))
    assert installed(configured, python) == WHEELS_ONLY
    site.taken().assert_json_pages(set(WHEELS_ONLY))

    configured.succeed(pip("install", "--force-reinstall", "cart-core", into=python))

    # Over plain http pip caches only what comes from a host it was told to trust.
    assert site.taken().counts[("page", 304)] == 2


@ANY_NGINX
def test_uv_toml(site: Site, configured: Client, uv: Uv) -> None:
    _save(site, "uv.toml", configured.home / ".config" / "uv" / "uv.toml")
    python = configured.new_environment()

    configured.succeed(uv("pip", "install", "--python", python, "cart-core"))

    assert installed(configured, python) == WHEELS_ONLY
    site.taken().assert_json_pages(set(WHEELS_ONLY))


@ANY_NGINX
def test_environment_variables(site: Site, client: Client, newest_pip: Pip, uv: Uv) -> None:
    variables = dict(environment(site.settings))
    _, page = site.get("/")
    for name, value in variables.items():
        assert f"ENV {name}={value}\n" in page.decode()
    told = dataclasses.replace(client, variables=variables)
    by_pip, by_uv = told.new_environment("by-pip"), told.new_environment("by-uv")

    told.succeed(newest_pip("install", "cart-core", into=by_pip))
    told.succeed(uv("pip", "install", "--python", by_uv, "cart-core"))

    assert installed(told, by_pip) == installed(told, by_uv) == WHEELS_ONLY


def test_every_client_takes_plain_http_from_another_host(
    remote_site: Site, configured: Client, newest_pip: Pip, uv: Uv, poetry: Poetry
) -> None:
    # As a proxy, nginx is asked for mirror.example by that name, which no resolver has to know.
    port = remote_site.settings.site.port
    remote = dataclasses.replace(configured, variables={"http_proxy": f"http://127.0.0.1:{port}"})
    pip_conf = remote.home / ".config" / "pip" / "pip.conf"
    _save(remote_site, "pip.conf", pip_conf)
    _save(remote_site, "uv.toml", remote.home / ".config" / "uv" / "uv.toml")
    by_pip, by_uv = remote.new_environment("by-pip"), remote.new_environment("by-uv")

    remote.succeed(newest_pip("install", "cart-core", into=by_pip))
    remote.succeed(uv("pip", "install", "--python", by_uv, "cart-core"))
    assert installed(remote, by_pip) == installed(remote, by_uv) == WHEELS_ONLY

    project = remote.home / "project" / "pyproject.toml"
    _save(remote_site, "poetry.toml", project)
    project.write_text(
        f'[project]\nname = "till"\nversion = "1"\nrequires-python = ">=3.11,<4"\n{project.read_text()}'
    )
    remote.succeed(poetry("add", "--lock", "cart-core"), cwd=project.parent)
    assert 'url = "http://mirror.example/pypi/simple"' in (project.parent / "poetry.lock").read_text()

    # And pip is given what it needs, no more: without that line it refuses.
    lines = pip_conf.read_text().splitlines()
    assert "trusted-host = mirror.example" in lines
    pip_conf.write_text("\n".join(line for line in lines if not line.startswith("trusted-host")))
    said = remote.fail(newest_pip("download", "--no-cache-dir", "cart-core"))
    assert "mirror.example is not a trusted or secure host and is being ignored" in said


def _save(site: Site, name: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(site.get(f"/{name}")[1])
