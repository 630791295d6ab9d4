"""``[releases] keep-latest``: the newest releases of each project, as each served machine sees them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.options.packages import parse_package
from pypi_mirror.policy import Context, Filter, Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.policy.filters.platform_sdists import SourceArchives
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases, parse_kept
from tests.policies import page_of

FOO = canonicalize_name("foo")
LINUX = "linux x86_64, CPython 3.11 to 3.12, glibc 2.28"
OLDER = "[releases] keep-latest keeps the newest 1 release, this one is older"
NOT_INSTALLABLE = (
    "[releases] keep-latest keeps the newest 1 release that served machines can install, not this one"
)


def wheel(version: str, tags: str = "py3-none-any", **fields: str) -> RemoteFile:
    return RemoteFile(filename=f"foo-{version}-{tags}.whl", url="", **fields)


def sdist(version: str, **fields: str) -> RemoteFile:
    return RemoteFile(filename=f"foo-{version}.tar.gz", url="", **fields)


def kept(files: list[RemoteFile], *filters: Filter) -> list[str]:
    decision = Policy(*filters).decide(page_of(FOO, files))
    return [file.filename.removeprefix("foo-") for file in decision.kept]


def versions(files: list[RemoteFile], number: int, *others: Filter) -> set[str]:
    names = kept(files, NewestReleases(keep_latest=number), *others)
    return {name.removesuffix(".tar.gz").partition("-")[0] for name in names}


@pytest.mark.parametrize(
    ("there", "number", "expected"),
    [
        ("1.0 1.9 1.10", 1, "1.10"),
        ("1.0 1.9 1.10", 2, "1.9 1.10"),
        ("1.0", 3, "1.0"),
        ("1!0.5 2.0", 1, "1!0.5"),
        ("1.0 1.0.post1", 1, "1.0.post1"),
        # Pre-releases come on top, none that a final release has overtaken.
        ("1.0 2.0 2.0rc1 3.0a1 3.0a2", 1, "2.0 3.0a2"),
        ("1.0 2.0 3.0a1 3.0a2", 2, "1.0 2.0 3.0a1 3.0a2"),
        ("1.0.dev1 1.0.dev2 1.0.dev3", 2, "1.0.dev2 1.0.dev3"),
        # A local version is a build of the same release.
        ("1.0 2.0+cpu 2.0+cu121", 1, "2.0+cpu 2.0+cu121"),
        # Outside PEP 440: older than all others.
        ("2004d 0.1", 1, "0.1"),
        ("2004d 2004e", 1, "2004e"),
    ],
)
def test_which_releases_are_newest(there: str, number: int, expected: str) -> None:
    assert versions([sdist(version) for version in there.split()], number) == set(expected.split())


def test_a_yanked_release_does_not_count_and_is_kept_among_the_newest() -> None:
    files = [sdist("0.9", yanked=""), sdist("1.0"), sdist("1.1", yanked="broken"), wheel("1.2"), sdist("1.2")]
    assert versions(files, 2) == {"1.0", "1.1", "1.2"}
    assert versions([sdist("1.0"), wheel("1.1", yanked=""), sdist("1.1")], 1) == {"1.1"}, (
        "half of it is yanked"
    )


def test_each_python_counts_for_itself() -> None:
    files = [
        wheel("1.0", "cp311-cp311-manylinux_2_17_x86_64"),
        wheel("2.0", "cp311-cp311-win_amd64"),
        wheel("3.0", "cp312-cp312-manylinux_2_17_x86_64"),
        wheel("4.0", "cp313-cp313-manylinux_2_17_x86_64"),
        sdist("5.0", requires_python=">=3.13"),
        sdist("0.5", requires_python="~=3.11"),
    ]
    served = ServedEnvironments(environments=(parse_environment(LINUX),))
    assert versions(files, 1, served) == {"1.0", "3.0"}
    assert versions(files, 1) == {"5.0"}
    keep = NewestReleases(keep_latest=1).beside([served])
    assert keep.reject_files(FOO, files, Context()) == {
        files[1].filename: OLDER,
        files[3].filename: NOT_INSTALLABLE,
        files[4].filename: NOT_INSTALLABLE,
        files[5].filename: OLDER,
    }


@pytest.mark.parametrize("requires", [">=3.11.4", ">3.11.2,<3.11.9", "nonsense", ""])
def test_a_python_is_served_where_a_patch_version_of_it_is_admitted(requires: str) -> None:
    served = ServedEnvironments(environments=(parse_environment("linux x86_64, CPython 3.11, glibc 2.28"),))
    assert versions([sdist("1.0"), sdist("2.0", requires_python=requires)], 1, served) == {"2.0"}


def test_only_what_the_other_filters_keep_counts() -> None:
    files = [sdist("1.0"), wheel("2.0", "cp312-cp312-win_amd64"), RemoteFile(filename="foo-3.0.exe", url="")]
    assert versions(files, 1, ExcludedFilenames(exclude_filename="win_amd64")) == {"1.0"}
    assert kept(
        [sdist("2.0"), wheel("1.0")], NewestReleases(keep_latest=1), SourceArchives(sdists="none")
    ) == ["1.0-py3-none-any.whl"]


def test_what_no_machine_can_install_is_kept_where_there_is_nothing_else() -> None:
    eggs = [RemoteFile(filename=f"foo-{version}-py2.6.egg", url="") for version in ("0.1", "0.2")]
    assert kept(eggs, NewestReleases(keep_latest=1)) == ["0.2-py2.6.egg"]
    assert kept([*eggs, sdist("0.1")], NewestReleases(keep_latest=1)) == ["0.1-py2.6.egg", "0.1.tar.gz"]


def test_a_file_that_names_no_version_is_kept() -> None:
    assert "odd.tar.gz" in kept(
        [RemoteFile(filename="odd.tar.gz", url=""), sdist("1.0"), sdist("2.0")], NewestReleases(keep_latest=1)
    )


def test_single_projects() -> None:
    files = [sdist("1.0"), sdist("2.0"), sdist("3.0")]
    two, every = (
        NewestReleases(keep_latest=1, keep_latest_package=(parse_kept(text),))
        for text in ("foo 2", "Foo all")
    )
    assert len(kept(files, two)) == 2
    assert len(kept(files, every)) == 3
    assert len(kept(files, NewestReleases(keep_latest_package=(parse_kept("bar 1"),)))) == 3
    (dropped,) = Policy(two).decide(page_of(FOO, files)).dropped
    assert dropped.reason == "[releases] keep-latest-package keeps the newest 2 releases, this one is older"


@pytest.mark.parametrize("text", ["foo", "foo none", "foo 0", "foo*, 3"])
def test_a_bad_line(text: str) -> None:
    with pytest.raises(BadValue):
        parse_kept(text)


VERSIONS = st.from_regex(r"[0-9](\.[0-9]){0,2}((a|rc)[0-9])?(\+x)?", fullmatch=True)
FILES = st.lists(
    st.builds(
        lambda version, is_wheel, yanked: (wheel if is_wheel else sdist)(
            version, **({"yanked": ""} if yanked else {})
        ),
        VERSIONS,
        st.sampled_from([wheel, sdist]),
        st.sampled_from([{}, {"yanked": ""}]),
    ),
    max_size=30,
    unique_by=lambda file: file.filename,
)


@given(files=FILES, number=st.integers(1, 4))
def test_it_only_grows_with_the_number_and_never_empties_a_project(
    files: list[RemoteFile], number: int
) -> None:
    fewer, more = (set(kept(files, NewestReleases(keep_latest=n))) for n in (number, number + 1))
    assert fewer <= more
    assert bool(fewer) == bool(files)


@given(files=FILES, number=st.integers(1, 4))
def test_deciding_again_over_what_is_kept_takes_nothing_more(files: list[RemoteFile], number: int) -> None:
    latest = NewestReleases(keep_latest=number)
    once = Policy(latest).decide(page_of(FOO, files)).kept
    assert Policy(latest).decide(page_of(FOO, once)).kept == once


def test_what_the_allowlist_pins_is_kept_besides() -> None:
    files = [wheel(version) for version in ("1.0", "2.0", "3.0", "4.0")]

    def with_list(*lines: str) -> set[str]:
        return versions(files, 2, AllowedPackages(packages=tuple(map(parse_package, lines))))

    assert with_list("foo>=1", "foo==1.0") == {"1.0", "3.0", "4.0"}
    assert with_list("foo", "foo==1.0") == {"1.0", "3.0", "4.0"}
    assert with_list("foo>=1", "foo==1.*") == {"3.0", "4.0"}
