"""``[cooldown]`` beside the clients' own: with their options they see upstream as the mirror lists it."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from pypi_mirror.cli import main
from tests.clients.client import Client
from tests.clients.commands import Pip, Uv
from tests.clients.site import Site, serving
from tests.warehouse import Event, Sdist, Upload, Wheel

pytestmark = pytest.mark.servers

NOW = datetime.fromtimestamp(int(time.time()), UTC)
MOMENT = NOW - timedelta(days=7)
SECOND = timedelta(seconds=1)
# Of each project: an old release whose sdist came late, and wheels around the moment.
UPLOADS = (
    (MOMENT - timedelta(days=30), Wheel, "1.0"),
    (MOMENT - SECOND, Wheel, "2.0"),
    (MOMENT - SECOND / 1000, Wheel, "2.1"),
    (MOMENT, Wheel, "3.0"),
    (MOMENT + SECOND / 1000, Wheel, "3.1"),
    (MOMENT + SECOND, Wheel, "4.0"),
    (MOMENT + timedelta(hours=1), Sdist, "1.0"),
    (NOW - SECOND, Wheel, "5.0"),
)
ALL = {"1.0": 2, "2.0": 1, "2.1": 1, "3.0": 1, "3.1": 1, "4.0": 1, "5.0": 1}
PROJECTS = ("plain", "exempt", "lifted", "late")
MORE = "\n[cooldown]\nexclude-newer = {said}\nexclude-newer-package = exempt\n"

Seen = dict[str, int]
"""Files by version."""


@pytest.fixture(scope="module", params=["7 days", MOMENT.isoformat()], ids=["duration", "moment"])
def cooled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror with a cooldown of seven days, or up to that moment, whose upstream's clock stands still."""
    events: list[Event] = [
        Upload(distribution=kind(name=name, version=version), at=at)
        for at, kind, version in UPLOADS
        for name in PROJECTS
    ]
    more = MORE.format(said=request.param)
    directory = tmp_path_factory.mktemp("cooled")
    with serving(directory, mirror=more, events=events, clock=NOW.timestamp) as site:
        if request.param == "7 days":
            conf = str(site.conf)
            assert main(["cooldown", "lift", "-c", conf, "lifted==4.0", "--why", "urgent"]) == 0
        # By its upload time it is older than all others.
        site.let(Upload(distribution=Wheel(name="late", version="0.5"), at=MOMENT - timedelta(days=60)))
        yield site


def by_uv(uv: Uv, client: Client, index: str, *flags: str) -> Callable[[str], Seen]:
    """What uv sees of a project of that ``index``: the hashes that it has of each version's files."""

    def see(project: str) -> Seen:
        found = {}
        for version in ("0.5", *ALL):
            wanted = client.home / "wanted.in"
            wanted.write_text(f"{project}=={version}\n")
            compiled = client.run(
                uv(
                    *("--no-config", "pip", "compile", "--quiet", "--no-header", "--generate-hashes"),
                    *("--python", sys.executable, "--default-index", index, *flags, wanted),
                )
            )
            if compiled.code == 0:
                found[version] = compiled.out.count("--hash=sha256:")
        return found

    return see


def by_pip(pip: Pip, client: Client, index: str, *flags: str) -> Callable[[str], Seen]:
    """What pip sees of it: the versions that have a wheel, and those that have an sdist."""

    def see(project: str) -> Seen:
        found: Seen = {}
        for kind in ("--only-binary", "--no-binary"):
            listed = client.run(
                pip(
                    *(
                        "index",
                        "versions",
                        kind,
                        ":all:",
                        "--index-url",
                        index,
                        "--trusted-host",
                        "127.0.0.1",
                    ),
                    *(*flags, project),
                )
            )
            if listed.code == 0:
                versions = listed.out.partition("Available versions: ")[2].splitlines()[0]
                for version in versions.split(", "):
                    found[version] = found.get(version, 0) + 1
        return found

    return see


def compare(upstream: Callable[[str], Seen], mirror: Callable[[str], Seen], *, has_lifted: bool) -> None:
    old = {"1.0": 1, "2.0": 1, "2.1": 1}
    seen: Mapping[str, Seen] = {name: upstream(name) for name in PROJECTS}
    assert seen == {"plain": old, "exempt": old, "lifted": old, "late": {"0.5": 1, **old}}
    assert {name: mirror(name) for name in PROJECTS} == {
        "plain": old,
        "exempt": ALL,
        "lifted": {**old, "4.0": 1} if has_lifted else old,
        "late": old,
    }


def has_lifted(site: Site) -> bool:
    """With a date nothing is held, so nothing can be released."""
    return "exclude-newer = 7 days" in site.conf.read_text()


def test_uv_sees_with_exclude_newer_what_the_mirror_lists(cooled: Site, client: Client, uv: Uv) -> None:
    upstream = by_uv(uv, client, f"{cooled.upstream.master}/simple/", "--exclude-newer", MOMENT.isoformat())
    compare(upstream, by_uv(uv, client, cooled.index_url), has_lifted=has_lifted(cooled))


def test_pip_sees_with_uploaded_prior_to_what_the_mirror_lists(
    cooled: Site, client: Client, newest_pip: Pip
) -> None:
    flag = f"--uploaded-prior-to={MOMENT.isoformat()}"
    upstream = by_pip(newest_pip, client, f"{cooled.upstream.master}/simple/", flag)
    compare(upstream, by_pip(newest_pip, client, cooled.index_url), has_lifted=has_lifted(cooled))
