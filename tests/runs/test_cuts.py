"""Releases that filters leave out though requirements admit them are named, whatever others are here."""

import pytest

from pypi_mirror.cli.plan_report import print_unmet_requirements
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filter import Filter
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_sdists import SourceArchives
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_dependencies import following, wheel
from tests.warehouse import Event, Sdist, Upload

WHEEL_311 = "cp311-cp311-manylinux_2_28_x86_64"
LIBS = (wheel("lib", "1.0"), wheel("lib", "2.0"), wheel("lib", "3.0rc1"))
ARCHIVE = Upload(distribution=Sdist(name="lib", version="1.0", metadata_version="2.2"))


def cuts(made: Bench) -> list[tuple[str, int, str]]:
    with made.open() as mirror:
        found = dependencies(mirror)
    assert found is not None
    return [(each.what, each.releases, each.reason) for each in found.cut]


@pytest.mark.parametrize(
    ("libs", "by", "cut"),
    [
        (
            LIBS,
            NewestReleases(keep_latest=1),
            ("lib 1.0", 1, "[releases] keep-latest keeps the newest 1 release"),
        ),
        (
            LIBS,
            BlockedPackages(packages=(parse_package("lib<2"),)),
            ("lib 1.0", 1, "[blocklist] packages lists lib<2"),
        ),
        (
            LIBS,
            Dependencies(follow="yes", prerelease="if-necessary"),
            ("lib 3.0rc1", 1, "[dependencies] prerelease = if-necessary"),
        ),
        (
            (wheel("lib", tags=WHEEL_311), ARCHIVE),
            SourceArchives(sdists="none"),
            ("lib 1.0", 1, "[platform] sdists = none"),
        ),
        ((wheel("lib"), ARCHIVE), SourceArchives(sdists="none"), None),
        ((wheel("lib"), wheel("lib", tags="cp312-cp312-win_amd64")), SourceArchives(sdists="none"), None),
        ((wheel("lib"), wheel("lib", "0.5")), SourceArchives(sdists="none"), None),
    ],
)
def test_what_is_cut_is_named(
    libs: tuple[Event, ...], by: Filter, cut: tuple[str, int, str] | None, bench: MakeBench
) -> None:
    policy = following("app")
    others = (each for each in policy.filters if type(each) is not type(by))
    made = bench(wheel("app", "1.0", "lib>=1.0"), *libs, policy=Policy(*others, by))
    made.sync()
    assert cuts(made) == ([] if cut is None else [cut])


@pytest.mark.parametrize(
    ("tags", "is_cut"),
    [("cp311-cp311-win_amd64", True), ("py3-none-any", False), ("py2.py3-none-any", False)],
)
def test_without_environments_a_wheel_of_one_platform_replaces_no_archive(
    *, tags: str, is_cut: bool, bench: MakeBench
) -> None:
    policy = Policy(*following("app", environments=()).filters, SourceArchives(sdists="none"))
    made = bench(wheel("app", "1.0", "lib"), wheel("lib", tags=tags), ARCHIVE, policy=policy)
    made.sync()
    assert cuts(made) == [("lib 1.0", 1, "[platform] sdists = none")] * is_cut


def test_releases_of_the_allowlist_are_named_too(
    bench: MakeBench, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = Policy(*following("app").filters, NewestReleases(keep_latest=1))
    made = bench(*(wheel("app", f"{number}.0") for number in range(1, 9)), policy=policy)
    made.sync()
    ((what, releases, _),) = cuts(made)
    assert (what, releases) == ("app 1.0, 2.0, 3.0, 4.0, 5.0 and 2 others", 7)
    with made.open() as mirror:
        print_unmet_requirements(mirror)
    assert "Filters leave out 7 releases of 1 project that requirements admit" in capsys.readouterr().err
