"""uv over the mirror: its pip interface, and a locked project."""

import sys
import tomllib
from pathlib import Path

import pytest

from tests.clients.client import Client, installed
from tests.clients.commands import Uv
from tests.clients.index import BETWEEN_UPLOADS, BUILD_WHEEL, CLOSURE, SDIST, WHEELS, YANK_REASON
from tests.clients.site import ANY_NGINX, Site

pytestmark = pytest.mark.servers

_PROJECT = """\
[project]
name = "till"
version = "1"
requires-python = ">=3.11,<4"
dependencies = ["{needs}"]
"""


def test_install_takes_json_pages_metadata_and_each_file_once(site: Site, client: Client, uv: Uv) -> None:
    python = client.new_environment()

    client.succeed(uv.at(site, "pip install", "--python", python, "shop"))

    assert installed(client, python) == CLOSURE
    log = site.taken()
    log.assert_json_pages({*CLOSURE, "build-base"})
    assert log.names("metadata") == sorted(f"{wheel}.metadata" for wheel in (*WHEELS, BUILD_WHEEL))
    assert log.names("wheel") == sorted((*WHEELS, BUILD_WHEEL))
    assert log.names("sdist") == [SDIST]
    assert log.of("other") == ()


def test_compile_reads_metadata_and_the_second_go_gets_304(site: Site, client: Client, uv: Uv) -> None:
    (client.home / "requirements.in").write_text("shop\n")
    compile_ = uv.at(
        site, "pip compile", "--quiet", "--python", sys.executable, "--no-header", "requirements.in"
    )

    first = client.succeed(compile_).out

    log = site.taken()
    log.assert_json_pages(set(CLOSURE))
    # The sdist's PKG-INFO is static, so that it is unpacked and not built.
    assert log.counts == {("page", 200): len(CLOSURE), ("metadata", 200): len(WHEELS), ("sdist", 200): 1}

    assert client.succeed(compile_).out == first
    log = site.taken()
    log.assert_revalidated(set(CLOSURE))
    assert log.counts == {("page", 304): len(CLOSURE)}


@ANY_NGINX
def test_compiled_hashes_are_upstreams(site: Site, client: Client, uv: Uv) -> None:
    (client.home / "requirements.in").write_text("shop\n")

    compiled = client.succeed(
        uv.at(site, "pip compile", "--generate-hashes", "--python", sys.executable, "requirements.in")
    ).out

    warehouse = site.upstream.warehouse
    for filename in (*WHEELS, SDIST):
        assert f"--hash=sha256:{warehouse.file(filename).sha256}" in compiled


def test_a_project_is_locked_and_installed_from_its_lock(site: Site, client: Client, uv: Uv) -> None:
    project = _project(client, "shop")
    client.succeed(uv.at(site, "lock", "--python", sys.executable), cwd=project)
    locked = tomllib.loads((project / "uv.lock").read_text())
    assert {each["name"]: each["version"] for each in locked["package"]} == CLOSURE | {"till": "1"}
    log = site.taken()
    log.assert_json_pages(set(CLOSURE))
    assert log.of("wheel") == ()

    client.succeed(uv.at(site, "lock", "--python", sys.executable, "--upgrade"), cwd=project)
    site.taken().assert_revalidated(set(CLOSURE))

    client.succeed(uv.at(site, "sync", "--python", sys.executable, "--locked"), cwd=project)
    assert installed(client, project / ".venv" / "bin" / "python") == CLOSURE
    assert site.taken().names("wheel") == sorted((*WHEELS, BUILD_WHEEL))


@ANY_NGINX
def test_the_upload_time_decides_what_is_new(site: Site, client: Client, uv: Uv) -> None:
    python = client.new_environment()

    client.succeed(
        uv.at(site, "pip install", "--python", python, "--exclude-newer", BETWEEN_UPLOADS, "cart-core")
    )

    assert installed(client, python) == {"cart-core": "1.5", "price-list": "1.0"}


@ANY_NGINX
def test_a_yanked_release_is_had_by_naming_it_and_says_why(site: Site, client: Client, uv: Uv) -> None:
    python = client.new_environment()

    said = client.succeed(uv.at(site, "pip install", "--python", python, "cart-core==2.0")).said

    assert installed(client, python)["cart-core"] == "2.0"
    assert YANK_REASON in said


@ANY_NGINX
def test_a_lock_for_all_platforms_wants_what_the_filter_left_out(site: Site, client: Client, uv: Uv) -> None:
    """The price of a platform filter: a project that has nothing left cannot be locked for its platform."""
    project = _project(client, "desktop")

    said = client.fail(uv.at(site, "lock", "--python", sys.executable), cwd=project)

    assert "win-thing" in said

    pyproject = project / "pyproject.toml"
    pyproject.write_text(
        f"{pyproject.read_text()}\n[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    client.succeed(uv.at(site, "lock", "--python", sys.executable), cwd=project)
    locked = tomllib.loads((project / "uv.lock").read_text())
    assert {each["name"] for each in locked["package"]} == {"till", "desktop", "price-list"}


def _project(client: Client, needs: str) -> Path:
    folder = client.home / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(_PROJECT.format(needs=needs))
    return folder
