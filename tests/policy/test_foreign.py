"""Which files stay for machines that no environment is, where dependencies are followed for all of them."""

import pytest
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.foreign import keep_for_others

PROJECT = canonicalize_name("lib")
LINUX = "manylinux_2_28_x86_64"
MACOS = "macosx_11_0_arm64"


def file(filename: str, size: int = 1, metadata: str = "00") -> RemoteFile:
    return RemoteFile(filename=filename, url="", size=size, core_metadata=(("sha256", metadata),))


def wheel(tags: str, size: int = 1, *, version: str = "1.0", metadata: str = "00") -> RemoteFile:
    return file(f"lib-{version}-{tags}.whl", size, metadata)


# Files; the machines that are served run Linux and CPython 3.11 and 3.12. What stays for others.
CASES = {
    "the smallest wheel where none is served": (
        [wheel("cp312-cp312-win_amd64", 3), wheel(f"cp312-cp312-{MACOS}", 2)],
        [f"lib-1.0-cp312-cp312-{MACOS}.whl"],
    ),
    "by its name where sizes are equal": (
        [wheel("cp312-cp312-win_amd64"), wheel(f"cp312-cp312-{MACOS}")],
        [f"lib-1.0-cp312-cp312-{MACOS}.whl"],
    ),
    "the first where metadata differ, for that is what is locked": (
        [wheel("cp312-cp312-win_amd64", 3), wheel(f"cp312-cp312-{MACOS}", 2, metadata="01")],
        ["lib-1.0-cp312-cp312-win_amd64.whl"],
    ),
    "even before one that is served": (
        [wheel(f"cp312-cp312-{MACOS}", metadata="01"), wheel(f"cp312-cp312-{LINUX}")],
        [f"lib-1.0-cp312-cp312-{MACOS}.whl"],
    ),
    "also where several Pythons are locked together": (
        [
            wheel("cp311-cp311-win_amd64"),
            wheel(f"cp312-cp312-{LINUX}", metadata="01"),
            wheel(f"cp311-cp311-{LINUX}"),
        ],
        ["lib-1.0-cp311-cp311-win_amd64.whl"],
    ),
    "none where a served one is for the same Pythons": (
        [wheel("cp312-cp312-win_amd64"), wheel(f"cp312-cp312-{LINUX}")],
        [],
    ),
    "one for each Python, for a marker can tell it from others": (
        [wheel("cp311-cp311-win_amd64"), wheel(f"cp312-cp312-{LINUX}"), wheel("cp314-cp314-win_amd64")],
        ["lib-1.0-cp311-cp311-win_amd64.whl", "lib-1.0-cp314-cp314-win_amd64.whl"],
    ),
    "older Pythons than those that are served do not count": (
        [wheel("cp39-cp39-win_amd64"), wheel(f"cp312-cp312-{LINUX}")],
        [],
    ),
    "stable ABI and pure wheels are for every Python": (
        [wheel(f"cp38-abi3-{LINUX}"), wheel("cp312-cp312-win_amd64")],
        [],
    ),
    "wheels of Python 2 are for nobody who locks": (
        [wheel("py2-none-any"), wheel("cp27-cp27m-win_amd64"), wheel("cp312-cp312-win_amd64", 2)],
        ["lib-1.0-cp312-cp312-win_amd64.whl"],
    ),
    "PyPy and free-threaded builds are of their Python": (
        [wheel("cp312-cp312t-win_amd64"), wheel("pp311-pypy311_pp73-win_amd64")],
        ["lib-1.0-cp312-cp312t-win_amd64.whl", "lib-1.0-pp311-pypy311_pp73-win_amd64.whl"],
    ),
    "no archive beside a wheel": (
        [wheel("cp312-cp312-win_amd64", 3), file("lib-1.0.tar.gz", 2)],
        ["lib-1.0-cp312-cp312-win_amd64.whl"],
    ),
    "an archive where no wheel is, and a wheel to read": (
        [
            file("lib-1.0.zip", 3),
            file("lib-1.0.tar.gz", 2),
            wheel("cp39-cp39-win_amd64"),
            wheel("py2-none-any"),
        ],
        ["lib-1.0-cp39-cp39-win_amd64.whl", "lib-1.0.tar.gz"],
    ),
    "a wheel of Python 2 where there is nothing else": (
        [wheel("py2-none-any")],
        ["lib-1.0-py2-none-any.whl"],
    ),
    "each release has its own": (
        [wheel("cp312-cp312-win_amd64"), wheel("cp312-cp312-win_amd64", version="2.0")],
        ["lib-1.0-cp312-cp312-win_amd64.whl", "lib-2.0-cp312-cp312-win_amd64.whl"],
    ),
    "builds of a release are locked by the platforms of their wheels: all stay": (
        [
            *(wheel("cp312-cp312-win_amd64", version=version) for version in ("1.0", "1.0+cpu", "2.0")),
            *(wheel(f"cp312-cp312-{MACOS}", version=version) for version in ("1.0", "1.0+cpu", "2.0")),
        ],
        [
            "lib-1.0+cpu-cp312-cp312-macosx_11_0_arm64.whl",
            "lib-1.0+cpu-cp312-cp312-win_amd64.whl",
            "lib-1.0-cp312-cp312-macosx_11_0_arm64.whl",
            "lib-1.0-cp312-cp312-win_amd64.whl",
            "lib-2.0-cp312-cp312-macosx_11_0_arm64.whl",
        ],
    ),
    "neither eggs nor what names no version": ([file("lib-1.0-py3.12.egg"), file("lib.whl")], []),
}


@pytest.mark.parametrize(("files", "kept"), CASES.values(), ids=CASES)
def test_what_stays_for_others(files: list[RemoteFile], kept: list[str]) -> None:
    reasons = {each.filename: "a reason" for each in files if LINUX not in each.filename}
    before = set(reasons)
    keep_for_others(PROJECT, files, reasons, oldest=(3, 11))
    assert sorted(before - set(reasons)) == kept
