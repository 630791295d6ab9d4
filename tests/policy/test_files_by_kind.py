"""``[platform]`` sdists, max-file-size and exclude-formats."""

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import parse_environment
from pypi_mirror.policy import Filter, Policy
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_formats import ExcludedFormats
from pypi_mirror.policy.filters.platform_max_file_size import LargestFile
from pypi_mirror.policy.filters.platform_sdists import SourceArchives
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
