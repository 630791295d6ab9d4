"""Lines of ``[platform] environments``."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.options.environments import Environment, format_environment, parse_environment
from pypi_mirror.options.parsers import BadValue


@pytest.mark.parametrize(
    ("line", "environment"),
    [
        (
            "linux x86_64, CPython 3.10 to 3.13, glibc 2.28",
            Environment(
                system="linux",
                machine="x86_64",
                implementation="cpython",
                pythons=((3, 10), (3, 11), (3, 12), (3, 13)),
                libc=("glibc", 2, 28),
            ),
        ),
        (
            "Windows AMD64 , cpython 3.12",
            Environment(system="windows", machine="amd64", implementation="cpython", pythons=((3, 12),)),
        ),
        (
            "macos arm64, PyPy 3.10 to 3.11, macOS 14.0",
            Environment(
                system="macos",
                machine="arm64",
                implementation="pypy",
                pythons=((3, 10), (3, 11)),
                macos=(14, 0),
            ),
        ),
        (
            "linux arm64, CPython 3.13t, musl 1.2",
            Environment(
                system="linux",
                machine="aarch64",
                implementation="cpython",
                pythons=((3, 13),),
                libc=("musl", 1, 2),
                free_threaded=True,
            ),
        ),
    ],
)
def test_what_people_write_is_understood(line: str, environment: Environment) -> None:
    assert parse_environment(line) == environment


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("linux x86_64", "write one a line, like"),
        ("linux x86_64, CPython 3.12, glibc 2.28, extra", "write one a line, like"),
        ("linus x86_64, CPython 3.12, glibc 2.28", "did you mean 'linux'?"),
        ("linux x86-64, CPython 3.12, glibc 2.28", "did you mean 'x86_64'?"),
        ("linux, CPython 3.12, glibc 2.28", "'linux' lacks the machine"),
        ("linux x86_64, CPyton 3.12, glibc 2.28", "did you mean 'CPython'?"),
        ("linux x86_64, CPython 3.13 to 3.10, glibc 2.28", "the first Python must be the older one"),
        ("linux x86_64, CPython 2.7 to 3.10, glibc 2.28", "of the same major version"),
        ("linux x86_64, CPython 3, glibc 2.28", "'3' is not a minor version"),
        ("linux x86_64, CPython 2.8, glibc 2.28", "'2.8' is not a minor version"),
        ("linux x86_64, CPython 3.10-3.12, glibc 2.28", "names no Python version"),
        ("linux x86_64, CPython 3.12t, glibc 2.28", "of CPython 3.13 and later"),
        ("linux x86_64, CPython 3.13 to 3.14t, glibc 2.28", "at both ends"),
        ("linux x86_64, CPython 3.12", "needs a third part, `glibc 2.28` or `musl 1.2`"),
        ("linux x86_64, CPython 3.12, glib 2.28", "did you mean 'glibc'?"),
        ("linux x86_64, CPython 3.12, glibc 3.0", "there is no glibc 3; write one like `glibc 2.28`"),
        ("linux x86_64, CPython 3.12, glibc 9.99", "there is no glibc 9"),
        ("linux x86_64, CPython 3.12, glibc 2.4", "no wheel is tagged for less than glibc 2.5"),
        ("macos arm64, CPython 3.12, macOS 10.3", "no wheel is tagged for less than macOS 10.4"),
        ("linux x86_64, CPython 3.12, macOS 14.0", "is not `glibc 2.28`"),
        ("macos arm64, CPython 3.12", "needs a third part, `macOS 14.0`"),
        ("windows amd64, CPython 3.12, glibc 2.28", "has no third part"),
    ],
)
def test_what_cannot_be_understood_is_explained(line: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_environment(line)

    assert hint in str(caught.value)


@st.composite
def environments(draw: st.DrawFn) -> Environment:
    system = draw(st.sampled_from(["linux", "windows", "macos"]))
    machines = {
        "linux": ["x86_64", "aarch64", "s390x"],
        "windows": ["amd64", "x86"],
        "macos": ["arm64", "x86_64"],
    }
    free_threaded = draw(st.booleans())
    low = draw(st.integers(13, 16) if free_threaded else st.integers(3, 16))
    high = draw(st.integers(low, 17))
    libc = draw(st.sampled_from([("glibc", 2, 17), ("glibc", 2, 39), ("musl", 1, 2)]))
    return Environment(
        system=system,  # type: ignore[arg-type]
        machine=draw(st.sampled_from(machines[system])),
        implementation="cpython" if free_threaded else draw(st.sampled_from(["cpython", "pypy"])),
        pythons=tuple((3, minor) for minor in range(low, high + 1)),
        free_threaded=free_threaded,
        libc=libc if system == "linux" else None,  # type: ignore[arg-type]
        macos=draw(st.sampled_from([(10, 15), (14, 0)])) if system == "macos" else None,
    )


@given(environments())
def test_formatting_is_the_inverse_of_parsing(environment: Environment) -> None:
    assert parse_environment(format_environment(environment)) == environment
