"""What names of files say."""

import pytest

from pypi_mirror.policy.filenames import Filename, Kind, describe_other, split_tags, wheel_tags


@pytest.mark.parametrize(
    ("filename", "tags"),
    [
        ("a-1.0-py3-none-any.whl", "py3-none-any"),
        ("a-1.0-1build-cp312-abi3-Linux_X86_64.whl", "cp312-abi3-linux_x86_64"),
        ("a-1.0-py2.py3-none-any.whl", "py2.py3-none-any"),
        ("a-1.0-cp312-cp312-win_amd64-x86_64_v3.whl", "cp312-cp312-win_amd64"),
        ("a-1.0-1-cp312-cp312-win_amd64-null.whl", "cp312-cp312-win_amd64"),
        ("a-1.0-py2.py3-none-any-cu12.8.whl", "py2.py3-none-any"),
        ("my-lib-1.0-py3-none-any.whl", "py3-none-any"),
        ("my-big-lib-1.0-py3-none-any.whl", "py3-none-any"),
        ("my-lib-v1.0-py3-none-any.whl", "py3-none-any"),
        ("py3-none-any.whl", None),
        ("a-py3-none-any.whl", None),
        ("a-1.0-py3--any.whl", None),
        ("a-1.0-py2..py3-none-any.whl", None),
        ("a-1.0-py3-none-any.whl.asc", None),
        ("a-1.0.tar.gz", None),
    ],
)
def test_the_tags_of_a_wheel(filename: str, tags: str | None) -> None:
    assert wheel_tags(filename) == tags


def test_compressed_tag_sets_are_split() -> None:
    assert split_tags("cp311.cp312-abi3-win32.win_amd64") == Filename(
        kind=Kind.WHEEL,
        pythons=("cp311", "cp312"),
        abis=("abi3",),
        platforms=("win32", "win_amd64"),
    )


@pytest.mark.parametrize(
    ("filename", "kind", "pythons", "platforms"),
    [
        ("a-1.0.tar.gz", Kind.OTHER, (), ()),
        ("a-win32-1.0.zip", Kind.OTHER, (), ()),
        ("a-1.0-linux.tar.gz", Kind.OTHER, (), ()),
        ("a-1.0-py2.7.egg", Kind.EGG, ("py2.7",), ()),
        ("a-1.0-py3.9-win-amd64.egg", Kind.EGG, ("py3.9",), ("win_amd64",)),
        ("a-1.0-py2.7-macosx-10.9-x86_64.egg", Kind.EGG, ("py2.7",), ("macosx_10_9_x86_64",)),
        ("a-1.0.win32.exe", Kind.INSTALLER, (), ("win32",)),
        ("a-1.0.win-amd64-py2.7.exe", Kind.INSTALLER, ("py2.7",), ("win_amd64",)),
        ("a-1.0.win32-py2.6.msi", Kind.INSTALLER, ("py2.6",), ("win32",)),
        ("setup.exe", Kind.INSTALLER, (), ("win32",)),
        ("a-1.0.dmg", Kind.INSTALLER, (), ("macosx_",)),
        ("a-1.0-1.noarch.rpm", Kind.INSTALLER, (), ("linux_",)),
        ("a_1.0_all.deb", Kind.INSTALLER, (), ("linux_",)),
        ("a-1.0.linux-x86_64.tar.gz", Kind.DUMB, (), ("linux_x86_64",)),
        ("a-1.0.linux-x86_64.tar.zst", Kind.DUMB, (), ("linux_x86_64",)),
        ("a-1.0.tar.zst", Kind.OTHER, (), ()),
        ("a-1.0-variants.json", Kind.OTHER, (), ()),
        ("a-1.0.win32.zip", Kind.DUMB, (), ("win32",)),
        ("a-1.0.macosx-10.9-x86_64.tar.bz2", Kind.DUMB, (), ("macosx_10_9_x86_64",)),
    ],
)
def test_files_older_than_wheels(
    filename: str, kind: Kind, pythons: tuple[str, ...], platforms: tuple[str, ...]
) -> None:
    assert describe_other(filename) == Filename(kind=kind, pythons=pythons, platforms=platforms)
