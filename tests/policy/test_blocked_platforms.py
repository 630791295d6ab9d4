"""``[blocklist] platforms``: bandersnatch's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.platform_words import SYSTEM_TAGS, is_platform_word

PROJECT = canonicalize_name("example")


def reason(filename: str, *words: str) -> str | None:
    return BlockedPlatforms(platforms=words).reject_file(PROJECT, RemoteFile(filename=filename, url=""))


# The strings of bandersnatch's filter, as facts: each must be accepted and drop a wheel that bears it.
BANDERSNATCH_TAGS = {
    ".win32": "win32",
    "-win32": "win32",
    "win_amd64": "win_amd64",
    "win-amd64": "win_amd64",
    "win_arm64": "win_arm64",
    "win-arm64": "win_arm64",
    "linux-i686": "linux_i686",
    "linux-x86_64": "linux_x86_64",
    "linux_armv7l": "linux_armv7l",
    "linux_armv6l": "linux_armv6l",
    "manylinux1_i686": "manylinux1_i686",
    "manylinux2010_x86_64": "manylinux2010_x86_64",
    "manylinux2014_ppc64": "manylinux2014_ppc64",
    "manylinux2014_s390x": "manylinux2014_s390x",
    "-manylinux_": "manylinux_2_28_x86_64",
    "musllinux": "musllinux_1_2_x86_64",
}


@pytest.mark.parametrize(("word", "platform"), BANDERSNATCH_TAGS.items())
def test_bandersnatchs_exact_strings(word: str, platform: str) -> None:
    assert is_platform_word(word)
    assert reason(f"a-1.0-cp312-cp312-{platform}.whl", word) is not None
    assert reason("a-1.0-cp312-cp312-macosx_11_0_arm64.whl", word) is None
    assert reason("a-1.0-py3-none-any.whl", word) is None


SYSTEM_WHEELS = {
    "windows": ["cp312-cp312-win32", "cp312-abi3-win_amd64", "py3-none-win_arm64"],
    "macos": ["cp312-cp312-macosx_11_0_arm64", "py3-none-macosx_10_9_universal2"],
    "freebsd": ["cp312-cp312-freebsd_14_0_amd64"],
    "linux": [
        "cp312-cp312-linux_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp312-cp312-manylinux2014_riscv64",
        "cp312-cp312-musllinux_1_1_x86_64",
    ],
}


@pytest.mark.parametrize(
    ("word", "system"),
    [
        ("windows", "windows"),
        ("WIN", "windows"),
        ("macos", "macos"),
        ("macosx", "macos"),
        ("freebsd", "freebsd"),
        ("linux", "linux"),
    ],
)
def test_a_system_blocks_its_own_wheels_and_no_others(word: str, system: str) -> None:
    for other, tags in SYSTEM_WHEELS.items():
        for tag in tags:
            assert (reason(f"a-1.0-{tag}.whl", word) is not None) is (other == system)


@pytest.mark.parametrize(
    ("filename", "word", "dropped"),
    [
        ("a-1.0-cp39-cp39-manylinux2014_x86_64.whl", "py3.9", True),
        ("a-1.0-pp39-pypy39_pp73-manylinux2014_x86_64.whl", "py3.9", True),
        ("a-1.0-cp310-cp310-manylinux2014_x86_64.whl", "py3.1", False),
        ("a-1.0-cp39-abi3-manylinux2014_x86_64.whl", "py3.9", False),
        ("a-1.0-cp39.cp310-none-any.whl", "py3.9", False),
        ("a-1.0-py39-none-any.whl", "py3.9", False),
        ("a-1.0-py2-none-any.whl", "py2", True),
        ("a-1.0-py2.py3-none-any.whl", "py2", False),
        ("a-1.0-cp27-cp27mu-manylinux1_x86_64.whl", "py2", False),
        ("a-1.0-py3-none-any.whl", "py3", True),
        ("a-1.0-py2.7.egg", "py2.7", True),
        ("a-1.0-py2.7.egg", "py2.6", False),
        ("a-1.0.win32-py2.7.exe", "py2.7", True),
        ("a-1.0.win32-py2.7.exe", "windows", True),
        ("a-1.0.win32.msi", "windows", True),
        ("a-1.0.exe", "windows", True),
        ("a-1.0.dmg", "macos", True),
        ("a-1.0-1.noarch.rpm", "linux", True),
        ("a-1.0-1.noarch.rpm", "windows", False),
        ("a-1.0.linux-x86_64.tar.gz", "linux", True),
        ("a-1.0-py3.9-win-amd64.egg", "windows", True),
        ("a-1.0-cp312-cp312-macosx_11_0_arm64.win_amd64.whl", "windows", False),
        ("pywin32-1.0.tar.gz", "windows", False),
        ("linux-x86_64-1.0.zip", "linux", False),
        ("a-cp39-win32.whl", "windows", False),
    ],
)
def test_pythons_and_older_files(filename: str, word: str, dropped: bool) -> None:
    assert (reason(filename, word) is not None) is dropped


def test_blocking_every_platform_of_a_wheel_drops_it() -> None:
    wheel = "a-1.0-cp312-cp312-macosx_11_0_arm64.win_amd64.whl"

    assert reason(wheel, "windows", "macos") == (
        "[blocklist] platforms lists macos, windows, and the file's platform is macosx_11_0_arm64, win_amd64"
    )


def test_blocking_both_majors_drops_a_universal_wheel() -> None:
    assert reason("a-1.0-py2.py3-none-any.whl", "py2", "py3") is not None


@given(st.lists(st.sampled_from(["windows", "macos", "linux", "freebsd"]), unique=True))
def test_blocking_systems_never_touches_source_archives_and_pure_wheels(words: list[str]) -> None:
    for filename in ("a-1.0.tar.gz", "a-1.0.zip", "a-1.0-py3-none-any.whl", "a-1.0-cp312-cp312-any.whl"):
        assert reason(filename, *words) is None


@pytest.mark.parametrize("word", ["widnows", "py4", "py3.", "win", "python3.9", "", "any", "manylinux 2014"])
def test_words_that_mean_nothing_are_not_words(word: str) -> None:
    assert is_platform_word(word) is (word == "win")


def test_the_systems_of_environments_have_tags() -> None:
    assert {"linux", "windows", "macos"} <= set(SYSTEM_TAGS)


@pytest.mark.parametrize("label", ["null", "x86_64_v3", "win32", "linux_x86_64", "cu12.8"])
def test_a_variant_label_is_no_platform(label: str) -> None:
    """PEP 825."""
    windows = f"a-1.0-cp312-cp312-win_amd64-{label}.whl"
    assert reason(windows, "windows") is not None
    assert reason(windows, "linux", "macos") is None
