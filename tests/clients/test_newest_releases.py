"""``[releases]`` and ``[platform]`` sdists, sizes, formats: clients resolve and install from what is left."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.clients.client import Client, installed
from tests.clients.commands import Pip, Uv
from tests.clients.site import Site, serving
from tests.warehouse import Declared, Event, Sdist, Upload, Wheel

pytestmark = pytest.mark.servers

NOW = datetime.fromtimestamp(int(time.time()), UTC)
# By release, how many days ago it came.
RELEASES = {"0.9": 900, "1.0": 800, "1.1": 300, "2.0": 200, "2.1": 100, "2.2rc1": 50}
MORE = """
[releases]
released-within = 365 days
keep-latest = 2
[filter_prerelease]
packages = *
"""
PLATFORM = """
sdists = needed
exclude-formats = egg
max-file-size = 1 MB
"""


def events() -> Iterator[Event]:
    for version, days_ago in RELEASES.items():
        at = NOW - timedelta(days=days_ago)
        yield Upload(distribution=Wheel(name="lively", version=version, requires_dist=("quiet",)), at=at)
        yield Upload(distribution=Sdist(name="lively", version=version), at=at)
    old = NOW - timedelta(days=2000)
    yield Upload(distribution=Wheel(name="quiet", version="0.1"), at=old - timedelta(days=1))
    yield Upload(distribution=Wheel(name="quiet", version="0.2"), at=old)
    yield Upload(
        distribution=Declared(name="quiet", version="0.2", filename="quiet-0.2-py2.7.egg", data=b"egg"),
        at=old,
    )
    yield Upload(distribution=Wheel(name="quiet", version="0.2", build="1", size=2_000_000), at=old)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("small")
    with serving(directory, mirror=MORE, platform=PLATFORM, events=tuple(events())) as site:
        yield site


def test_the_mirror_has_what_the_rules_leave(small: Site) -> None:
    pool = (path.name for path in (small.settings.web / "packages").rglob("*") if path.is_file())
    assert sorted(name for name in pool if name.endswith((".whl", ".gz", ".egg"))) == [
        "lively-2.0-py3-none-any.whl",
        "lively-2.1-py3-none-any.whl",
        "quiet-0.2-py3-none-any.whl",
    ]


def test_pip_installs_the_newest_and_finds_no_other_release(
    small: Site, client: Client, newest_pip: Pip
) -> None:
    python = client.new_environment("by-pip")
    client.succeed(newest_pip.at(small, "install", "lively", into=python))
    assert installed(client, python) == {"lively": "2.1", "quiet": "0.2"}
    found = client.succeed(newest_pip.at(small, "index versions", "--pre", "lively"))
    assert "Available versions: 2.1, 2.0\n" in found.out
    refused = client.run(newest_pip.at(small, "download", "lively==1.1"))
    assert refused.code != 0
    assert "from versions: 2.0, 2.1" in refused.said


@pytest.mark.parametrize(("resolution", "expected"), [("lowest", "2.0"), ("highest", "2.1")])
def test_uv_resolves_to_the_oldest_and_the_newest_that_is_left(
    small: Site, client: Client, uv: Uv, tmp_path: Path, resolution: str, expected: str
) -> None:
    wanted = tmp_path / "wanted.in"
    wanted.write_text("lively>=1\nquiet\n")
    said = client.succeed(
        uv.at(
            small,
            "pip compile",
            *("--quiet", "--no-header", "--no-annotate", "--python", sys.executable),
            *("--prerelease", "allow", "--resolution", resolution, wanted),
        )
    )
    assert said.out.split() == [f"lively=={expected}", "quiet==0.2"]
