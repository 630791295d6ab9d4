"""Version specifiers in the lists of packages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.releases import AllowedReleases, BlockedReleases
from pypi_mirror.settings.values import ReleaseRule

PROJECT = canonicalize_name("my-lib")
OTHER = canonicalize_name("other")


def rules(*specifiers: str) -> list[ReleaseRule]:
    return [ReleaseRule(project=PROJECT, specifier=specifier) for specifier in specifiers]


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
    allowed, blocked = AllowedReleases(rules(*specifiers)), BlockedReleases(rules(*specifiers))

    assert (allowed.reason_to_drop(PROJECT, sdist(version)) is None) is matches
    assert (blocked.reason_to_drop(PROJECT, sdist(version)) is not None) is matches


def test_the_variants_of_a_release_are_files_of_it() -> None:
    """PEP 825: an index lists them beside the variant wheels."""
    variants = RemoteFile(filename="my_lib-1.0-variants.json", url="")

    assert AllowedReleases(rules("==1.0")).reason_to_drop(PROJECT, variants) is None
    assert AllowedReleases(rules("==2.0")).reason_to_drop(PROJECT, variants) is not None


def test_a_file_without_a_version_is_neither_asked_for_nor_meant() -> None:
    file = RemoteFile(filename="readme.txt", url="")

    assert AllowedReleases(rules(">=1")).reason_to_drop(PROJECT, file) is not None
    assert BlockedReleases(rules(">=1")).reason_to_drop(PROJECT, file) is None


def test_reasons_name_the_rule_and_the_version() -> None:
    assert BlockedReleases(rules("<2")).reason_to_drop(PROJECT, sdist("1.0")) == (
        "[blocklist] packages has my-lib<2, and the file's version is 1.0"
    )


@given(st.text(max_size=20), st.sampled_from([".tar.gz", ".whl", ".egg", ".exe", ".rpm", ""]))
def test_other_projects_are_left_alone_and_no_name_is_too_strange(stem: str, extension: str) -> None:
    file = RemoteFile(filename=f"my-lib-{stem}{extension}", url="")
    for file_filter in (AllowedReleases(rules(">=1")), BlockedReleases(rules(">=1"))):
        assert file_filter.reason_to_drop(OTHER, file) is None
        reason = file_filter.reason_to_drop(PROJECT, file)
        assert reason is None or "packages" in reason
