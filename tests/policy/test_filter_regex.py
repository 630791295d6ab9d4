"""``[filter_regex]``: patterns over names and versions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy import Context
from pypi_mirror.policy.filters.filter_regex_packages import ExcludedProjectPatterns
from pypi_mirror.policy.filters.filter_regex_releases import ExcludedReleasePatterns

PROJECT = canonicalize_name("my-lib")


@pytest.mark.parametrize(
    ("pattern", "name", "rejected"),
    [
        (".+-nightly$", "jax-nightly", True),
        (".+-nightly$", "nightly", False),
        (".+-nightly$", "jax-nightly-cuda", False),
        ("jax", "jax-nightly", True),
        ("nightly", "jax-nightly", False),
        ("Jax", "jax", True),
        (".+-Nightly$", "Jax_Nightly", True),
    ],
)
def test_a_pattern_matches_a_project_from_the_beginning_of_its_name(
    pattern: str, name: str, rejected: bool
) -> None:
    project = canonicalize_name(name)
    reason = ExcludedProjectPatterns(packages=("never", pattern)).reject_project(project)

    assert reason == (
        f"[filter_regex] packages lists {pattern}, which matches {project}" if rejected else None
    )


@pytest.mark.parametrize(
    ("pattern", "filename", "rejected"),
    [
        (r".+rc\d$", "my_lib-1.0rc1-py3-none-any.whl", True),
        (r".+rc\d$", "my-lib-1.0rc10.tar.gz", False),
        (r"1\.", "my-lib-1.0.zip", True),
        (r"1\.", "my-lib-2.1.zip", False),
        # As a file's name spells it, with a dash, and as PEP 440 writes it.
        (".+-beta", "my_lib-1.0_beta-py3-none-any.whl", True),
        (".+-beta", "my-lib-1.0-beta.tar.gz", True),
        (r".+b\d$", "my-lib-1.0-beta.tar.gz", True),
        (".+-snapshot", "my-lib-2004-snapshot.zip", True),
        (".", "notes.txt", False),
    ],
)
def test_a_pattern_matches_a_release_from_the_beginning_of_its_version(
    pattern: str, filename: str, rejected: bool
) -> None:
    chosen = ExcludedReleasePatterns(releases=("never", pattern))
    reason = chosen.reject_file(PROJECT, RemoteFile(filename=filename, url=""))

    assert (reason is not None) is rejected
    if reason is not None:
        assert f"[filter_regex] releases lists {pattern}" in reason


@given(
    st.lists(st.from_regex(r"(0|[1-9][0-9]?)\.(0|[1-9][0-9]?)(rc[0-9])?", fullmatch=True), max_size=6),
    st.lists(st.sampled_from([r"1\.", r".+rc\d", r"[02468]", r"9"]), min_size=1, unique=True),
)
def test_more_patterns_leave_out_the_union(versions: list[str], patterns: list[str]) -> None:
    files = [RemoteFile(filename=f"my-lib-{version}.zip", url="") for version in versions]
    left_out = set(ExcludedReleasePatterns(releases=tuple(patterns)).reject_files(PROJECT, files, Context()))

    assert left_out == {
        f"my-lib-{version}.zip" for version in versions if any(re.match(each, version) for each in patterns)
    }
