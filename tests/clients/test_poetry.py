"""Poetry over the mirror, with the source that the site gives out."""

import tomllib
from pathlib import Path

import pytest

from tests.clients.client import Client, installed
from tests.clients.commands import Poetry
from tests.clients.index import BUILD_WHEEL, CLOSURE, SDIST, WHEELS
from tests.clients.site import ANY_NGINX, Site

pytestmark = pytest.mark.servers

_PROJECT = """\
[project]
name = "till"
version = "1"
requires-python = ">=3.11,<4"

[tool.poetry]
package-mode = false

"""


def test_add_lock_and_install_from_the_source_the_site_gives_out(
    site: Site, client: Client, poetry: Poetry
) -> None:
    project = _project(site, client)
    site.taken()

    client.succeed(poetry("add", "--lock", "shop"), cwd=project)

    locked = tomllib.loads((project / "poetry.lock").read_text())["package"]
    assert {each["name"]: each["version"] for each in locked} == CLOSURE
    assert {each["source"]["url"] for each in locked} == {site.index_url.removesuffix("/")}
    hashes = {file["file"]: file["hash"] for package in locked for file in package["files"]}
    for filename in (*WHEELS, SDIST):
        assert hashes[filename] == f"sha256:{site.upstream.warehouse.file(filename).sha256}"
    log = site.taken()
    log.assert_json_pages(set(CLOSURE))
    assert set(log.names("metadata")) >= {f"{wheel}.metadata" for wheel in WHEELS}
    assert log.of("wheel") == ()

    client.succeed(poetry("lock", "--regenerate"), cwd=project)
    site.taken().assert_revalidated(set(CLOSURE))

    client.succeed(poetry("install"), cwd=project)
    assert installed(client, project / ".venv" / "bin" / "python") == CLOSURE
    log = site.taken()
    assert log.names("wheel") == sorted((*WHEELS, BUILD_WHEEL))


@ANY_NGINX
def test_a_lock_wants_what_the_filter_left_out_and_names_it(
    site: Site, client: Client, poetry: Poetry
) -> None:
    """The price of a platform filter: Poetry locks for all platforms, and this project has nothing left."""
    project = _project(site, client)

    said = client.fail(poetry("add", "--lock", "desktop"), cwd=project)

    assert "no versions of win-thing match" in said


def _project(site: Site, client: Client) -> Path:
    folder = client.home / "project"
    folder.mkdir()
    _, source = site.get("/poetry.toml")
    (folder / "pyproject.toml").write_text(_PROJECT + source.decode())
    return folder
