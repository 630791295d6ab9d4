"""``[dependencies] build = needed``: what has no wheel is built from the mirror alone, by real setuptools."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Uv
from tests.clients.site import Site, serving
from tests.real_files import real_wheels
from tests.warehouse import Artifact, Sdist, Upload, Wheel

pytestmark = pytest.mark.servers

_PLATFORM = "environments = linux x86_64, CPython 3.11 to 3.13, glibc 2.28"
_DEPENDENCIES = "[allowlist]\npackages = app\n[dependencies]\nfollow = yes\nbuild = {build}\n"


@pytest.fixture(scope="module")
def built_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """``app`` requires ``tool``, which has no wheel, and which old setuptools would build with wheel."""
    uploads = (
        *(Artifact.of(path) for path in real_wheels("setuptools", "wheel", "packaging")),
        Wheel(name="app", requires_dist=("tool",)),
        Sdist(name="tool", metadata_version="2.2", build_requires=("setuptools>=61",)),
        Wheel(name="unrelated"),
    )
    directory = tmp_path_factory.mktemp("site")
    with serving(
        directory,
        platform=_PLATFORM,
        site=_DEPENDENCIES.format(build="needed"),
        events=[Upload(distribution=each) for each in uploads],
    ) as site:
        # What building the archive requires is in it, so it comes with the next sync.
        site.let()
        yield site


@pytest.fixture
def expected(built_site: Site) -> dict[str, str]:
    pages = {path.name for path in (built_site.settings.web / "simple").iterdir() if path.is_dir()}
    assert pages >= {"app", "tool", "setuptools", "wheel"}
    assert "unrelated" not in pages
    return {"app": "1.0", "tool": "1.0"}


def test_pip_builds_it(built_site: Site, expected: dict[str, str], client: Client, pip: Pip) -> None:
    python = client.new_environment()
    client.succeed(pip.at(built_site, "install", "app", into=python))
    assert installed(client, python) == expected


def test_uv_builds_it(built_site: Site, expected: dict[str, str], client: Client, uv: Uv) -> None:
    python = client.new_environment()
    client.succeed(uv.at(built_site, "pip install", "--python", python, "app"))
    assert installed(client, python) == expected


def test_without_it_nothing_can_be_built(tmp_path: Path, client: Client, uv: Uv) -> None:
    (directory := tmp_path / "site").mkdir()
    events = [Upload(distribution=Sdist(name="app", metadata_version="2.2"))]
    with serving(directory, platform=_PLATFORM, site=_DEPENDENCIES.format(build="no"), events=events) as site:
        site.let()
        ended = client.run(uv.at(site, "pip install", "--python", client.new_environment(), "app"))
    assert ended.code
    assert "setuptools" in ended.said
