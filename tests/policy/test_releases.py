"""Version specifiers in the lists of packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.releases import names_prerelease

PROJECT = canonicalize_name("my-lib")
OTHER = canonicalize_name("other")


def rules(*specifiers: str) -> tuple[ReleaseRule, ...]:
    return tuple(ReleaseRule(project=PROJECT, specifier=specifier) for specifier in specifiers)


def sdist(version: str) -> RemoteFile:
    return RemoteFile(filename=f"my-lib-{version}.tar.gz", url="")


@pytest.mark.parametrize(
    ("specifiers", "version", "matches"),
    [
        (["==1.0"], "1.0", True),
        (["==1.0"], "1.0.0", True),
        (["==1.0"], "1.1", False),
        ([">=1"], "2.0rc1", True),
        ([">=1", "==0.5"], "0.5", True),
        ([">=1", "==0.5"], "0.6", False),
        (["===weird-one"], "weird-one", True),
        ([">=1"], "weird-one", False),
    ],
)
def test_allowed_keeps_what_a_rule_matches_and_blocked_drops_it(
    specifiers: list[str], version: str, matches: bool
) -> None:
    allowed, blocked = (
        AllowedPackages(packages=rules(*specifiers)),
        BlockedPackages(packages=rules(*specifiers)),
    )

    assert (allowed.reject_file(PROJECT, sdist(version)) is None) is matches
    assert (blocked.reject_file(PROJECT, sdist(version)) is not None) is matches


def test_the_variants_of_a_release_are_files_of_it() -> None:
    """PEP 825: an index lists them beside the variant wheels."""
    variants = RemoteFile(filename="my_lib-1.0-variants.json", url="")

    assert AllowedPackages(packages=rules("==1.0")).reject_file(PROJECT, variants) is None
    assert AllowedPackages(packages=rules("==2.0")).reject_file(PROJECT, variants) is not None


def test_a_file_without_a_version_is_neither_asked_for_nor_meant() -> None:
    file = RemoteFile(filename="readme.txt", url="")

    assert AllowedPackages(packages=rules(">=1")).reject_file(PROJECT, file) is not None
    assert BlockedPackages(packages=rules(">=1")).reject_file(PROJECT, file) is None


def test_reasons_name_the_rule_and_the_version() -> None:
    assert BlockedPackages(packages=rules("<2")).reject_file(PROJECT, sdist("1.0")) == (
        "[blocklist] packages lists my-lib<2, and the file's version is 1.0"
    )


@given(st.text(max_size=20), st.sampled_from([".tar.gz", ".whl", ".egg", ".exe", ".rpm", ""]))
def test_other_projects_are_left_alone_and_no_name_is_too_strange(stem: str, extension: str) -> None:
    file = RemoteFile(filename=f"my-lib-{stem}{extension}", url="")
    for file_filter in (AllowedPackages(packages=rules(">=1")), BlockedPackages(packages=rules(">=1"))):
        assert file_filter.reject_file(OTHER, file) is None
        reason = file_filter.reject_file(PROJECT, file)
        assert reason is None or "packages" in reason


@pytest.mark.parametrize(
    ("specifier", "names"),
    [
        (">=2.0rc1", True),
        ("==2.0.dev3", True),
        ("===1.0a1", True),
        ("~=2.0b1", True),
        (">=1, <2.0rc1", True),
        ("!=2.0rc1", False),
        (">=1.0", False),
        ("==1.*", False),
        ("===odd", False),
        ("==2.0.post1", False),
        ("", False),
    ],
)
def test_specifiers_that_name_prereleases(*, specifier: str, names: bool) -> None:
    assert names_prerelease(specifier) is names
