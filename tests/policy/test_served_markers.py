"""Markers on the machines that are served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from pypi_mirror.options.environments import parse_environment
from pypi_mirror.policy.served_markers import can_hold

LINUX = parse_environment("linux x86_64, CPython 3.11 to 3.12, glibc 2.28")
WINDOWS = parse_environment("windows amd64, CPython 3.12")
MACOS = parse_environment("macos arm64, PyPy 3.11, macOS 14.0")


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ('sys_platform == "linux"', True),
        ('sys_platform == "win32"', False),
        ('os_name == "nt" or platform_system == "Linux"', True),
        ('os_name == "nt" and platform_system == "Linux"', False),
        ('python_version >= "3.12"', True),
        ('python_version < "3.11"', False),
        ('python_version == "3.11" and python_version == "3.12"', False),
        ('python_full_version >= "3.11.4"', True),
        ('python_full_version < "3.11"', False),
        ('implementation_name == "pypy"', False),
        ('platform_python_implementation == "CPython"', True),
        ('platform_machine == "aarch64"', False),
        ('platform_machine in "x86_64 AMD64"', True),
        ('platform_machine not in "x86_64 AMD64"', False),
        ('platform_release == "6.1"', True),
        ('extra == "cli"', True),
        ('extra == "cli" and sys_platform == "win32"', False),
        ('"cli" in extras', True),
        ('"cli" not in dependency_groups and os_name == "nt"', False),
        ('(os_name == "nt" or os_name == "posix") and (python_version < "3" or extra == "x")', True),
    ],
)
def test_on_linux(marker: str, holds: bool) -> None:
    assert can_hold(str(Marker(marker)) if marker else "", [LINUX]) is holds


def test_one_environment_is_enough_and_none_means_all() -> None:
    assert can_hold('sys_platform == "win32"', [LINUX, WINDOWS])
    assert can_hold('platform_machine == "AMD64"', [WINDOWS])
    assert can_hold('sys_platform == "darwin" and implementation_name == "pypy"', [MACOS])
    assert can_hold('sys_platform == "win32"', [])


def test_a_32_bit_system_may_run_under_a_64_bit_kernel() -> None:
    small = parse_environment("linux i686, CPython 3.12, glibc 2.28")
    assert can_hold('platform_machine == "x86_64"', [small])


ATOMS = st.sampled_from(
    [
        'os_name == "nt"',
        'sys_platform == "linux"',
        'python_version < "3.12"',
        'python_version >= "3.12"',
        'platform_machine == "x86_64"',
        'implementation_name == "cpython"',
        '"lin" in sys_platform',
    ]
)
MARKERS = st.recursive(
    ATOMS,
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
    max_leaves=6,
)


@given(MARKERS)
def test_as_packaging_evaluates_them(marker: str) -> None:
    known = {
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    expected = any(Marker(marker).evaluate({**known, "python_version": each}) for each in ("3.11", "3.12"))
    assert can_hold(str(Marker(marker)), [LINUX]) is expected
