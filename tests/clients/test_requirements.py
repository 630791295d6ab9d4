"""A mirror of just what a locked requirements.txt names serves pip and uv that very file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Uv
from tests.clients.index import BUILD_WHEEL, CLOSURE, SDIST, WHEELS, shop
from tests.clients.site import Site, serving
from tests.warehouse import Warehouse

pytestmark = pytest.mark.servers

# A lock names the files of all platforms.
_OF_OTHER_PLATFORMS = "fast_sums-1.0-cp38-abi3-win_amd64.whl"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    upstream = Warehouse(*shop())
    path = tmp_path / "requirements.txt"
    path.write_text("--require-hashes\n")
    with path.open("a") as file:
        for name in (*WHEELS, SDIST, BUILD_WHEEL):
            project, version = name.removesuffix(".tar.gz").split("-")[:2]
            names = [name, *([_OF_OTHER_PLATFORMS] if project == "fast_sums" else [])]
            hashes = "".join(f" \\\n    --hash=sha256:{upstream.file(each).sha256}" for each in names)
            file.write(f"{canonicalize_name(project)}=={version}{hashes}\n    # why it is here\n")
    return path


@pytest.fixture
def small_site(tmp_path: Path, requirements: Path) -> Iterator[Site]:
    directory = tmp_path / "site"
    directory.mkdir()
    with serving(directory, site=f"[allowlist]\nrequirements = {requirements}") as site:
        yield site


def test_clients_install_by_the_file_that_the_mirror_was_made_from(
    small_site: Site, requirements: Path, client: Client, newest_pip: Pip, uv: Uv
) -> None:
    pool = (path.name for path in (small_site.settings.web / "packages").rglob("*") if path.is_file())
    assert {name for name in pool if name.endswith((".whl", ".gz"))} == {*WHEELS, SDIST, BUILD_WHEEL}
    by_pip = client.new_environment("by-pip")
    client.succeed(newest_pip.at(small_site, "install", "-r", requirements, into=by_pip))
    assert installed(client, by_pip) == {**CLOSURE, "build-base": "1.0"}
    by_uv = client.new_environment("by-uv")
    client.succeed(
        uv.at(small_site, "pip install", "--require-hashes", "--python", by_uv, "-r", requirements)
    )
    assert installed(client, by_uv) == {**CLOSURE, "build-base": "1.0"}
