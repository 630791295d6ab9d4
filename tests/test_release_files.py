"""Which names are files of a release, and what version they name."""

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.release_files import ARCHIVES, INSTALLERS, is_release_file, version_in

PROJECT = canonicalize_name("my-lib")


@pytest.mark.parametrize("ending", [".whl", ".egg", "-variants.json", *ARCHIVES, *INSTALLERS])
def test_every_kind_of_file_is_listed(ending: str) -> None:
    assert is_release_file(f"my_lib-1.0{ending}")


@pytest.mark.parametrize(
    "name",
    ["../", "Home Page", "my_lib-1.0.tar.gz.asc", "my_lib-1.0.whl.metadata", "my_lib-1.0.json", "index.html"],
)
def test_what_else_a_page_links_is_none(name: str) -> None:
    assert not is_release_file(name)


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("my_lib-1.0-py3-none-any.whl", "1.0"),
        ("My.Lib-1.0+cpu-1-cp312-cp312-win32.whl", "1.0+cpu"),
        ("my-lib-1.0.tar.gz", "1.0"),
        ("my_lib-1.0-beta.zip", "1.0-beta"),
        ("my--lib-1.0.tar.bz2", "1.0"),
        ("my-lib-1.0.linux-x86_64.tar.gz", "1.0"),
        ("my_lib-1.0-py2.7.egg", "1.0"),
        ("my_lib-1.0-py2.7-win32.egg", "1.0"),
        ("my-lib-1.0.win-amd64-py2.7.exe", "1.0"),
        ("my-lib-1.0.win32.msi", "1.0"),
        ("my-lib-1.0.dmg", "1.0"),
        ("my-lib-1.0-1.noarch.rpm", "1.0"),
        ("my_lib-1.0.tar.zst", "1.0"),
        ("my_lib-1.0.linux-x86_64.tar.zst", "1.0"),
        ("my_lib-1.0-variants.json", "1.0"),
        ("my_lib-1.0+cu1-cp312-cp312-win_amd64-x86_64_v3.whl", "1.0+cu1"),
        ("other-1.0.tar.gz", None),
        ("my-library-1.0.tar.gz", None),
        ("my-lib.tar.gz", None),
        ("my-lib-1.0.txt", None),
        ("my-lib-.tar.gz", None),
    ],
)
def test_the_version_in_a_filename(filename: str, version: str | None) -> None:
    assert version_in(PROJECT, filename) == version
