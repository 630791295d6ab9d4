"""``[platform]`` sdists, max-file-size and exclude-formats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import Environment, parse_environment
from pypi_mirror.policy import Filter, Policy
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_formats import ExcludedFormats
from pypi_mirror.policy.filters.platform_max_file_size import LargestFile
from pypi_mirror.policy.filters.platform_sdists import SourceArchives
from pypi_mirror.policy.machines import Machines
from pypi_mirror.policy.releases import Release, release_in
from tests.policies import page_of

FOO = canonicalize_name("foo")
TWO = ServedEnvironments(
    environments=tuple(
        map(parse_environment, ("linux x86_64, CPython 3.12, glibc 2.28", "windows amd64, CPython 3.12"))
    )
)
LINUX, WINDOWS = "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-win_amd64"


def kept(names: str, *filters: Filter) -> str:
    files = [RemoteFile(filename=f"foo-{name}", url="") for name in names.split()]
    return " ".join(
        file.filename.removeprefix("foo-") for file in Policy(*filters).decide(page_of(FOO, files)).kept
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (f"1.0.tar.gz 1.0-{LINUX}.whl", True),
        (f"1.0.tar.gz 1.0-{LINUX}.whl 1.0-{WINDOWS}.whl", False),
        ("1.0.tar.gz 1.0-py3-none-any.whl", False),
        ("1.0.tar.gz 1.0-py2-none-any.whl", True),
        ("1.0.tar.gz", True),
        ("1.0.tar.gz 2.0-py3-none-any.whl", True),
        ("1.0.0.tar.gz 1.0-py3-none-any.whl", False),
    ],
)
def test_a_source_archive_is_needed_where_a_machine_has_no_wheel(names: str, expected: bool) -> None:
    needed = SourceArchives(sdists="needed")
    assert (names.partition(" ")[0] in kept(names, TWO, needed).split()) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("1.0.zip 1.0-py3-none-any.whl", "1.0-py3-none-any.whl"),
        ("1.0.zip 1.0-py2.py3-none-any.whl", "1.0-py2.py3-none-any.whl"),
        (f"1.0.zip 1.0-{LINUX}.whl", f"1.0.zip 1.0-{LINUX}.whl"),
    ],
)
def test_without_environments_only_a_wheel_for_all_makes_it_unneeded(names: str, expected: str) -> None:
    assert kept(names, SourceArchives(sdists="needed")) == expected


def test_no_source_archives() -> None:
    names = "1.0.tar.gz 1.0.zip 1.0-py3-none-any.whl 1.0-variants.json 1.0-py2.7.egg"
    assert (
        kept(names, SourceArchives(sdists="none")) == "1.0-py3-none-any.whl 1.0-variants.json 1.0-py2.7.egg"
    )
    assert kept(names, SourceArchives(sdists="all")) == names


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        (("egg",), "1.0.tar.gz 1.0.win32.exe 1.0.win32.msi 1.0-1.noarch.rpm 1.0.linux-x86_64.tar.gz"),
        (("exe", "msi"), "1.0.tar.gz 1.0-py2.7.egg 1.0-1.noarch.rpm 1.0.linux-x86_64.tar.gz"),
        (("dumb", "rpm"), "1.0.tar.gz 1.0-py2.7.egg 1.0.win32.exe 1.0.win32.msi"),
    ],
)
def test_old_formats(formats: tuple[str, ...], expected: str) -> None:
    names = "1.0.tar.gz 1.0-py2.7.egg 1.0.win32.exe 1.0.win32.msi 1.0-1.noarch.rpm 1.0.linux-x86_64.tar.gz"
    assert kept(names, ExcludedFormats(exclude_formats=formats)) == expected


def test_large_files() -> None:
    files = [
        RemoteFile(filename=f"foo-{number}.tar.gz", url="", size=size)
        for number, size in enumerate((500_000_000, 500_000_001, None))
    ]
    decision = Policy(LargestFile(max_file_size=500_000_000)).decide(page_of(FOO, files))
    assert [file.size for file in decision.kept] == [500_000_000, None]
    assert decision.dropped[0].reason == "[platform] max-file-size is 500 MB, the file has 500 MB"


WHEELS_AND_ARCHIVES = (".tar.gz", ".zip", *(f"-{tags}.whl" for tags in (LINUX, WINDOWS, "py3-none-any")))
OLD = ("-py2.7.egg", ".win32.exe", ".win32.msi", "-1.noarch.rpm", ".linux-x86_64.tar.gz", "-variants.json")
FILES = st.lists(
    st.builds(
        lambda version, kind, size, python: RemoteFile(
            filename=f"foo-{version}{kind}", url="", size=size, requires_python=python
        ),
        st.sampled_from(["1.0", "1.0.0", "1.1", "2.0rc1", "odd"]),
        st.sampled_from((*WHEELS_AND_ARCHIVES, *OLD)),
        st.none() | st.integers(0, 3000),
        st.sampled_from([None, ">=3.8", "<3.12", "nonsense"]),
    ),
    max_size=30,
    unique_by=lambda file: file.filename,
)


@given(files=FILES, environments=st.sampled_from([(), TWO.environments[:1], TWO.environments]))
def test_each_machine_can_install_the_releases_that_it_could_without_unneeded_archives(
    files: list[RemoteFile], environments: tuple[Environment, ...]
) -> None:
    served, machines = ServedEnvironments(environments=environments), Machines(environments)

    def installable(*filters: Filter) -> set[tuple[int, Release | None]]:
        left = Policy(served, *filters).decide(page_of(FOO, files)).kept
        return {
            (machine, release_in(FOO, file.filename)) for file in left for machine in machines.that_use(file)
        }

    assert installable(SourceArchives(sdists="needed")) == installable()


@given(
    files=FILES,
    size=st.integers(1, 3000),
    formats=st.sets(st.sampled_from(["egg", "exe", "msi", "rpm", "dumb"])),
)
def test_a_file_goes_for_its_own_size_or_format_whatever_is_beside_it(
    files: list[RemoteFile], size: int, formats: set[str]
) -> None:
    policy = Policy(LargestFile(max_file_size=size), ExcludedFormats(exclude_formats=tuple(formats)))
    alone = [file for file in files if policy.decide(page_of(FOO, [file])).kept]
    assert list(policy.decide(page_of(FOO, files)).kept) == alone
    assert all((file.size or 0) <= size for file in alone)
