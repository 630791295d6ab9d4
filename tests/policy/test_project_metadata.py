"""``[size_project_metadata]``, ``[versions_count_project_metadata]``: what a page says of a project."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.options import BadValue
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.policy.filters.size_project_metadata import (
    LargestProject,
    format_binary_size,
    parse_binary_size,
)
from pypi_mirror.policy.filters.versions_count_project_metadata import NumberOfVersions

FOO = canonicalize_name("foo")


def page(*sizes: int | None, versions: tuple[str, ...] = ()) -> ProjectPage:
    files = tuple(
        RemoteFile(filename=f"foo-{number}.zip", url="", size=size) for number, size in enumerate(sizes)
    )
    return ProjectPage(name=FOO, serial=1, etag=None, versions=versions, files=files)


def test_a_project_that_is_too_large_is_left_out_whatever_other_filters_leave_of_it() -> None:
    largest = LargestProject(max_package_size=2 * 1024**2)
    policy = Policy(largest, ExcludedFilenames(exclude_filename="foo-1"))

    assert policy.decide(page(1024**2, 1024**2)).kept == page(1024**2).files
    decision = policy.decide(page(1024**2, 1024**2 + 1))
    assert decision.kept == ()
    assert {dropped.reason for dropped in decision.dropped} == {
        "[size_project_metadata] max_package_size is 2.10 MB, the files of foo have 2.10 MB"
    }
    refusals = policy.refusals(page(1024**2, 1024**2 + 1))
    assert [each.setting for each in refusals["foo-1.zip"]] == [
        "[size_project_metadata] max_package_size",
        "[platform] exclude-filename",
    ]


@given(st.lists(st.none() | st.integers(0, 2000), max_size=6), st.integers(1, 5000))
def test_a_project_is_kept_as_a_whole_if_its_files_fit(sizes: list[int | None], most: int) -> None:
    chosen = page(*sizes)
    fits = sum(size or 0 for size in sizes) <= most

    assert Policy(LargestProject(max_package_size=most)).decide(chosen).kept == (chosen.files if fits else ())
    exempt = Policy(LargestProject(max_package_size=most, exempt_packages=(FOO,)))
    assert exempt.decide(chosen).kept == chosen.files


@given(st.integers(0, 9), st.integers(0, 5), st.integers(0, 5), st.booleans())
def test_a_project_is_kept_as_a_whole_if_it_has_so_many_versions(
    number: int, least: int, most: int, listed: bool
) -> None:
    versions = tuple(str(each) for each in range(number))
    chosen = page(*[1] * number) if not listed else page(1, versions=versions)
    fits = number >= least and (not most or number <= most)
    # A page without versions is one of an index that lists none, and then files say them.
    if listed and not number:
        fits = least <= 1 and (not most or most >= 1)

    found = Policy(NumberOfVersions(min_versions=least, max_versions=most)).decide(chosen)
    assert found.kept == (chosen.files if fits else ())
    exempt = NumberOfVersions(min_versions=least, max_versions=most, exempt_packages=(FOO,))
    assert Policy(exempt).decide(chosen).kept == chosen.files


def test_reasons_and_what_takes_part() -> None:
    assert NumberOfVersions(min_versions=3).reject_page(page(1, 2)) == (
        "[versions_count_project_metadata] min_versions is 3, foo has 2 versions"
    )
    assert NumberOfVersions(max_versions=1).reject_page(page(1, 2)) == (
        "[versions_count_project_metadata] max_versions is 1, foo has 2 versions"
    )
    assert not NumberOfVersions(exempt_packages=(FOO,)).takes_part
    assert not LargestProject(exempt_packages=(FOO,)).takes_part


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1G", 1024**3),
        ("1.5 GB", 3 * 1024**3 // 2),
        ("2MiB", 2 * 1024**2),
        ("10k", 10_240),
        ("7", 7),
        ("0", 0),
    ],
)
def test_sizes_are_binary_as_in_bandersnatch(text: str, number: int) -> None:
    assert parse_binary_size(text) == number
    assert parse_binary_size(format_binary_size(number)) == number


@pytest.mark.parametrize("text", ["", "G", "1 X", "-1G", "1,5 GB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(BadValue):
        parse_binary_size(text)
