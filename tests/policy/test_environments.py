"""``[platform] environments``: exactly what the configured machines can install."""

import platform
import sys
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging import tags
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import Environment, parse_environment
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.served_tags import environment_tags

PROJECT = canonicalize_name("example")
LINUX = "linux x86_64, CPython 3.10 to 3.13, glibc 2.28"
MUSL = "linux aarch64, CPython 3.12, musl 1.2"
WINDOWS = "windows amd64, CPython 3.12"
MACOS = "macos arm64, CPython 3.11 to 3.12, macOS 14.0"
PYPY = "linux x86_64, PyPy 3.11, glibc 2.17"
FREE = "linux x86_64, CPython 3.13t, glibc 2.28"


def keeps(filename: str, *lines: str) -> bool:
    served = ServedEnvironments(environments=tuple(map(parse_environment, lines)))
    return served.reject_file(PROJECT, RemoteFile(filename=filename, url="")) is None


@pytest.mark.parametrize(
    ("tag", "kept"),
    [
        ("cp310-cp310-manylinux_2_28_x86_64", True),
        ("cp313-cp313-manylinux_2_5_x86_64", True),
        ("cp313-cp313-manylinux1_x86_64", True),
        ("cp313-cp313-manylinux2010_x86_64", True),
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("cp312-cp312-manylinux_2_17_x86_64.musllinux_1_1_x86_64", True),
        ("cp39-abi3-manylinux_2_28_x86_64", True),
        ("cp32-abi3-linux_x86_64", True),
        ("cp312-none-manylinux2014_x86_64", True),
        ("py3-none-manylinux2014_x86_64", True),
        ("py2.py3-none-manylinux1_x86_64", True),
        ("py39-none-any", True),
        ("cp311-none-any", True),
        # Pure wheels of any Python stay: they are small, and tools read their metadata.
        ("py2-none-any", True),
        ("cp27-none-any", True),
        ("cp310-cp310-manylinux_2_29_x86_64", False),
        ("cp39-cp39-manylinux_2_17_x86_64", False),
        ("cp314-abi3-manylinux_2_17_x86_64", False),
        ("cp314-cp314-manylinux_2_17_x86_64", False),
        ("cp313-cp313t-manylinux_2_17_x86_64", False),
        ("cp312-cp312-manylinux_2_17_aarch64", False),
        ("cp312-cp312-manylinux_2_17_i686", False),
        ("cp312-cp312-musllinux_1_2_x86_64", False),
        ("cp312-cp312-win_amd64", False),
        ("cp312-cp312-macosx_11_0_x86_64", False),
        ("cp312-cp312-any", False),
        ("py3-none-win_amd64", False),
        ("pp310-pypy310_pp73-manylinux_2_17_x86_64", False),
        ("py314-none-manylinux_2_17_x86_64", False),
    ],
)
def test_one_linux(tag: str, kept: bool) -> None:
    assert keeps(f"example-1.0-{tag}.whl", LINUX) is kept


@pytest.mark.parametrize(
    ("line", "kept", "dropped"),
    [
        (MUSL, "cp312-cp312-musllinux_1_2_aarch64", "cp312-cp312-musllinux_1_3_aarch64"),
        (MUSL, "cp312-cp312-musllinux_1_0_aarch64", "cp312-cp312-manylinux_2_17_aarch64"),
        (WINDOWS, "cp312-cp312-win_amd64", "cp312-cp312-win32"),
        ("windows x86, CPython 3.12", "cp312-cp312-win32", "cp312-cp312-win_amd64"),
        ("windows arm64, CPython 3.12", "cp38-abi3-win_arm64", "cp38-abi3-win_amd64"),
        (MACOS, "cp311-cp311-macosx_11_0_arm64", "cp311-cp311-macosx_15_0_arm64"),
        (MACOS, "cp311-cp311-macosx_10_9_universal2", "cp311-cp311-macosx_10_9_x86_64"),
        (PYPY, "pp311-pypy311_pp73-manylinux2014_x86_64", "cp311-cp311-manylinux2014_x86_64"),
        (FREE, "cp313-cp313t-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        (
            "linux x86_64, CPython 3.7, glibc 2.17",
            "cp37-cp37m-manylinux1_x86_64",
            "cp37-cp37-manylinux1_x86_64",
        ),
        (
            "linux x86_64, CPython 2.7, glibc 2.17",
            "cp27-cp27mu-manylinux1_x86_64",
            "cp32-abi3-manylinux1_x86_64",
        ),
        (
            "linux aarch64, CPython 3.12, glibc 2.28",
            "cp312-cp312-manylinux_2_17_aarch64",
            "cp312-cp312-manylinux_2_16_aarch64",
        ),
    ],
)
def test_other_machines(line: str, kept: str, dropped: str) -> None:
    assert keeps(f"example-1.0-{kept}.whl", line)
    assert not keeps(f"example-1.0-{dropped}.whl", line)


def test_any_environment_is_enough_but_environments_do_not_mix() -> None:
    assert keeps("a-1.0-cp312-cp312-win_amd64.whl", LINUX, WINDOWS)
    assert keeps("a-1.0-cp310-cp310-manylinux2014_x86_64.whl", LINUX, WINDOWS)
    # CPython 3.10 is served on Linux and win_amd64 to CPython 3.12, but no machine is both.
    assert not keeps("a-1.0-cp310-cp310-win_amd64.whl", LINUX, WINDOWS)


@pytest.mark.parametrize(
    ("filename", "linux", "windows"),
    [
        ("example-1.0.tar.gz", True, True),
        ("example-1.0.zip", True, True),
        ("example-1.0-py2.7.egg", True, True),
        ("README", True, True),
        ("example-1.0-py2.7-win32.egg", False, True),
        ("example-1.0.win32-py2.7.exe", False, True),
        ("example-1.0.msi", False, True),
        ("example-1.0.dmg", False, False),
        ("example-1.0-1.noarch.rpm", True, False),
        ("example-1.0.linux-x86_64.tar.gz", True, False),
        ("example-1.0.win-amd64.zip", False, True),
        ("example-py3-none-any.whl", False, False),
    ],
)
def test_files_other_than_wheels(filename: str, linux: bool, windows: bool) -> None:
    assert keeps(filename, LINUX) is linux
    assert keeps(filename, WINDOWS) is windows


def test_the_reason_names_the_setting_and_the_tags() -> None:
    served = ServedEnvironments(environments=(parse_environment(LINUX),))

    reason = served.reject_file(PROJECT, RemoteFile(filename="a-1-cp312-cp312-win_amd64.whl", url=""))

    assert reason is not None
    assert "[platform] environments" in reason
    assert "cp312-cp312-win_amd64" in reason


PYTHON_PARTS = st.sampled_from(["cp310", "cp312", "cp313", "py3", "py2", "pp310", "cp39"])
ABI_PARTS = st.sampled_from(["cp310", "cp312", "abi3", "none", "cp313t"])
PLATFORM_PARTS = st.sampled_from(
    [
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_35_x86_64",
        "win_amd64",
        "macosx_11_0_arm64",
        "any",
    ]
)


def parts(of: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(of, min_size=1, max_size=3, unique=True)


@given(parts(PYTHON_PARTS), parts(ABI_PARTS), parts(PLATFORM_PARTS))
def test_a_compressed_tag_set_is_kept_when_any_of_its_tags_is(
    pythons: list[str], abis: list[str], platforms: list[str]
) -> None:
    """PEP 425: "a shorthand for a set of tags", of which an installer needs one."""
    whole = f"a-1.0-{'.'.join(pythons)}-{'.'.join(abis)}-{'.'.join(platforms)}.whl"
    each = [f"a-1.0-{'-'.join(triple)}.whl" for triple in product(pythons, abis, platforms)]

    assert keeps(whole, LINUX) is any(keeps(filename, LINUX) for filename in each)


@given(
    parts(PYTHON_PARTS),
    parts(ABI_PARTS),
    parts(
        st.sampled_from(["win32", "win_amd64", "win_arm64", "macosx_10_9_x86_64", "macosx_11_0_universal2"])
    ),
    st.sampled_from([LINUX, MUSL, PYPY, FREE]),
)
def test_a_wheel_for_windows_and_macos_alone_is_never_kept_by_linux(
    pythons: list[str], abis: list[str], platforms: list[str], line: str
) -> None:
    assert not keeps(f"a-1.0-{'.'.join(pythons)}-{'.'.join(abis)}-{'.'.join(platforms)}.whl", line)


@given(
    parts(PYTHON_PARTS),
    parts(ABI_PARTS),
    parts(PLATFORM_PARTS),
    st.sampled_from(["", "-1", "-2build"]),
    st.from_regex(r"[0-9a-z_.]{1,16}", fullmatch=True),
)
def test_a_variant_label_changes_nothing(
    pythons: list[str], abis: list[str], platforms: list[str], build: str, label: str
) -> None:
    """PEP 825: the label follows the tags, and says nothing about them."""
    plain = f"a-1.0{build}-{'.'.join(pythons)}-{'.'.join(abis)}-{'.'.join(platforms)}"

    assert keeps(f"{plain}-{label}.whl", LINUX) is keeps(f"{plain}.whl", LINUX)


def this_machine() -> Environment:
    family, version = platform.libc_ver()
    if sys.platform != "linux" or sys.implementation.name != "cpython" or family != "glibc":
        pytest.skip("the tags of this machine are of another kind")
    major, minor = map(int, version.split(".")[:2])
    return Environment(
        system="linux",
        machine=platform.machine(),
        implementation="cpython",
        pythons=(sys.version_info[:2],),
        libc=("glibc", major, minor),
    )


def test_an_environment_like_this_machine_has_the_tags_of_this_machine() -> None:
    """``packaging`` is the judge: what it says is installable here is kept, and nothing beyond that."""
    assert set(environment_tags(this_machine())) == set(tags.sys_tags())
