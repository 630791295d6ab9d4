"""``[filter_prerelease]``: no pre-releases, of all projects or of some."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import Version

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.filter_prerelease import ExcludedPrereleases

PROJECT, OTHER = canonicalize_name("my-lib"), canonicalize_name("other")


def sdist(version: str) -> RemoteFile:
    return RemoteFile(filename=f"my-lib-{version}.tar.gz", url="")


@pytest.mark.parametrize(
    ("version", "rejected"),
    [
        ("1.0", False),
        ("1.0.post1", False),
        ("1.0a1", True),
        ("1.0-beta", True),
        ("1.0c1", True),
        ("1.0.dev", True),
        ("1.0rc1.post2", True),
        ("1.0.post1.dev2", True),
        # A final release, whatever its local version looks like, and versions that are none of PEP 440.
        ("1.0+cpu.a1", False),
        ("2004-rc1-custom", False),
    ],
)
def test_what_pep_440_calls_a_pre_release_is_left_out(version: str, rejected: bool) -> None:
    reason = ExcludedPrereleases(packages=("*",)).reject_file(PROJECT, sdist(version))

    assert reason == (
        f"[filter_prerelease] packages lists all projects, and {version} is a pre-release"
        if rejected
        else None
    )


def test_of_some_projects_alone() -> None:
    some = ExcludedPrereleases(packages=(PROJECT,))

    assert some.reject_file(PROJECT, sdist("1.0rc1")) == (
        "[filter_prerelease] packages lists my-lib, and 1.0rc1 is a pre-release"
    )
    assert some.reject_file(OTHER, RemoteFile(filename="other-1.0rc1.zip", url="")) is None
    assert not ExcludedPrereleases().takes_part


def test_a_pre_release_that_the_allow_list_pins_stays() -> None:
    rules = (
        ReleaseRule(project=PROJECT, specifier="==1.0rc1"),
        ReleaseRule(project=PROJECT, specifier=">=0.9a1"),
    )
    policy = Policy(AllowedPackages(packages=rules), ExcludedPrereleases(packages=("*",)))
    files = tuple(map(sdist, ("1.0rc1", "1.0rc2", "1.0")))
    page = ProjectPage(name=PROJECT, serial=1, etag=None, files=files)

    assert policy.decide(page).kept == (files[0], files[2])


@given(
    st.from_regex(
        r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?(\+[a-z0-9]{1,4})?",
        fullmatch=True,
    )
)
def test_every_version_of_pep_440_is_on_its_side(version: str) -> None:
    rejected = ExcludedPrereleases(packages=("*",)).reject_file(PROJECT, sdist(version)) is not None

    assert rejected is Version(version).is_prerelease
