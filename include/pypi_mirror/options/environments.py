"""``[platform] environments``: one line an environment, as people say it.

``linux x86_64, CPython 3.10 to 3.13, glibc 2.28`` · ``linux aarch64, CPython 3.12, musl 1.2`` ·
``windows amd64, CPython 3.12`` · ``macos arm64, PyPy 3.10 to 3.11, macOS 14.0`` ·
``linux x86_64, CPython 3.13t, glibc 2.28`` (PEP 703: without the GIL).
"""

import re
from collections.abc import Callable
from typing import Literal, TypeVar, cast

from msgspec import Struct

from pypi_mirror.options.parsers import BadValue, nearest

T = TypeVar("T")


class Environment(Struct, frozen=True, kw_only=True):
    """A kind of machine to serve: wheels that none of the environments can install are dropped.

    ``system`` is ``linux``, ``windows`` or ``macos``; ``machine`` the wheel tag's architecture
    (``x86_64``, ``aarch64``, ``arm64``, ``amd64``); ``pythons`` the minor versions of
    ``implementation`` (``cpython`` or ``pypy``) as (major, minor); ``libc`` is ``("glibc", 2, 28)`` or
    ``("musl", 1, 2)``, for Linux; ``macos`` the newest macOS version to serve, as (major, minor).
    ``free_threaded`` asks for CPython's builds without the GIL (PEP 703, ``3.13t``).
    """

    system: Literal["linux", "windows", "macos"]
    machine: str
    implementation: Literal["cpython", "pypy"]
    pythons: tuple[tuple[int, int], ...]
    libc: tuple[Literal["glibc", "musl"], int, int] | None = None
    macos: tuple[int, int] | None = None
    free_threaded: bool = False


_MACHINES: dict[str, tuple[str, ...]] = {
    "linux": ("x86_64", "aarch64", "i686", "armv7l", "ppc64le", "s390x", "riscv64", "loongarch64"),
    "windows": ("amd64", "arm64", "x86"),
    "macos": ("arm64", "x86_64"),
}
"""The architectures as wheel tags of each system spell them (``x86`` is the tag ``win32``)."""

_MACHINE_ALIASES = {
    ("linux", "amd64"): "x86_64",
    ("linux", "arm64"): "aarch64",
    ("windows", "x86_64"): "amd64",
    ("windows", "aarch64"): "arm64",
    ("windows", "i686"): "x86",
    ("windows", "win32"): "x86",
    ("macos", "aarch64"): "arm64",
}
_SYSTEMS = {"linux": "Linux", "windows": "Windows", "macos": "macOS"}
_SPELLED = {"cpython": "CPython", "pypy": "PyPy"}
_PYTHONS = re.compile(
    r"(?P<implementation>\w+)\s+(?P<low>[\d.]+)(?P<low_t>t?)(?:\s+to\s+(?P<high>[\d.]+)(?P<high_t>t?))?"
)
_PLATFORM = re.compile(r"(?P<what>\w+)\s+(?P<major>\d{1,2})\.(?P<minor>\d{1,3})")

_EXAMPLE = "like `linux x86_64, CPython 3.10 to 3.13, glibc 2.28`"
_NEWEST_MINOR = {2: 7, 3: 40}


def parse_environment(text: str) -> Environment:
    """One environment; raises BadValue."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (2, 3) or not all(parts):
        raise BadValue(f"{text!r} is not an environment; write one a line, {_EXAMPLE}")
    mistakes: list[str] = []
    found = _noting(mistakes, _parse_machine, parts[0])
    versions = _noting(mistakes, _parse_pythons, parts[1])
    system = parts[0].lower().partition(" ")[0]
    third = parts[2] if len(parts) == 3 else None
    platform = _noting(mistakes, _parse_platform, system, third) if system in _MACHINES else None
    if found is None or versions is None or platform is None:
        raise BadValue(*mistakes)
    named, machine = found
    implementation, pythons, free_threaded = versions
    what, version = platform
    return Environment(
        system=named,
        machine=machine,
        implementation=implementation,
        pythons=pythons,
        free_threaded=free_threaded,
        libc=(cast("Literal['glibc', 'musl']", what), *version) if system == "linux" else None,
        macos=version if system == "macos" else None,
    )


def format_environment(environment: Environment) -> str:
    """The line that ``parse_environment`` makes ``environment`` from; pythons must be a range."""
    e = environment
    suffix = "t" if e.free_threaded else ""
    spans = [f"{major}.{minor}{suffix}" for major, minor in dict.fromkeys((e.pythons[0], e.pythons[-1]))]
    parts = [f"{e.system} {e.machine}", f"{_SPELLED[e.implementation]} {' to '.join(spans)}"]
    if e.libc is not None:
        parts.append(f"{e.libc[0]} {e.libc[1]}.{e.libc[2]}")
    if e.macos is not None:
        parts.append(f"macOS {e.macos[0]}.{e.macos[1]}")
    return ", ".join(parts)


def describe_environment(of: Environment) -> str:
    """Return it for people: ``Linux x86_64, CPython 3.10 to 3.13, glibc 2.28 or newer``."""
    words = [f"{_SYSTEMS[of.system]} {of.machine}", f"{_SPELLED[of.implementation]} {_describe_pythons(of)}"]
    if of.libc is not None:
        name, major, minor = of.libc
        words.append(f"{name} {major}.{minor} or newer")
    if of.macos is not None:
        words.append(f"macOS up to {of.macos[0]}.{of.macos[1]}")
    return ", ".join(words)


def _describe_pythons(of: Environment) -> str:
    versions = sorted(of.pythons)
    suffix = "t" if of.free_threaded else ""
    names = [f"{major}.{minor}{suffix}" for major, minor in versions]
    gapless = (
        len({major for major, _ in versions}) == 1 and len(versions) == versions[-1][1] - versions[0][1] + 1
    )
    if gapless and len(names) > 2:
        return f"{names[0]} to {names[-1]}"
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _noting(mistakes: list[str], parse: Callable[..., T], *text: str | None) -> T | None:
    """Return what ``parse`` makes of its text; None where it is wrong, with what is added to ``mistakes``."""
    try:
        return parse(*text)
    except BadValue as error:
        mistakes += error.messages
        return None


def _parse_machine(text: str) -> tuple[Literal["linux", "windows", "macos"], str]:
    system, _, machine = (word.strip() for word in text.lower().partition(" "))
    if system not in _MACHINES:
        raise BadValue(
            f"{system!r} is not a system; it is linux, windows or macos{nearest(system, _MACHINES)}"
        )
    machine = _MACHINE_ALIASES.get((system, machine), machine)
    machines = _MACHINES[system]
    if not machine:
        known = ", ".join(f"{system} {each}" for each in machines)
        raise BadValue(f"{text!r} lacks the machine; write one of {known}")
    if machine not in machines:
        message = f"{machine!r} is not a machine of {system}; it is one of {', '.join(machines)}"
        raise BadValue(f"{message}{nearest(machine, machines)}")
    return cast("Literal['linux', 'windows', 'macos']", system), machine


def _parse_pythons(
    text: str,
) -> tuple[Literal["cpython", "pypy"], tuple[tuple[int, int], ...], bool]:
    match = _PYTHONS.fullmatch(text)
    if match is None:
        raise BadValue(
            f"{text!r} names no Python version; write `CPython 3.12`, `CPython 3.10 to 3.13` or `PyPy 3.11`"
        )
    implementation = match["implementation"].lower()
    if implementation not in _SPELLED:
        hint = nearest(implementation, _SPELLED.values())
        raise BadValue(f"{match['implementation']!r} is neither CPython nor PyPy{hint}")
    low = _parse_minor(match["low"])
    high = _parse_minor(match["high"]) if match["high"] else low
    if low[0] != high[0] or low > high:
        raise BadValue(f"{text!r}: the first Python must be the older one, of the same major version")
    free_threaded = bool(match["low_t"])
    if match["high"] and free_threaded != bool(match["high_t"]):
        raise BadValue(f"{text!r}: write the t of free-threaded builds at both ends, or on two lines")
    if free_threaded and (implementation != "cpython" or low < (3, 13)):
        raise BadValue(f"{text!r}: free-threaded builds are of CPython 3.13 and later")
    pythons = tuple((low[0], minor) for minor in range(low[1], high[1] + 1))
    return cast("Literal['cpython', 'pypy']", implementation), pythons, free_threaded


def _parse_minor(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d)\.(\d{1,2})", text)
    if match is None or int(match[2]) > _NEWEST_MINOR.get(int(match[1]), -1):
        raise BadValue(f"{text!r} is not a minor version of Python like 3.12")
    return int(match[1]), int(match[2])


def _parse_platform(system: str, text: str | None) -> tuple[str, tuple[int, int]]:
    """The third part: the C library for Linux, the newest macOS to serve for macOS, none for Windows."""
    expected = {"linux": ("glibc", "musl"), "macos": ("macos",), "windows": ()}[system]
    if not expected:
        if text is not None:
            raise BadValue(f"{text!r}: an environment of windows has no third part")
        return "", (0, 0)
    example = {"linux": "`glibc 2.28` or `musl 1.2`", "macos": "`macOS 14.0`"}[system]
    if text is None:
        raise BadValue(f"an environment of {system} needs a third part, {example}")
    match = _PLATFORM.fullmatch(text)
    if match is None or match["what"].lower() not in expected:
        hint = nearest(text.split()[0], ("macOS", *expected) if system == "macos" else expected)
        raise BadValue(f"{text!r} is not {example}{hint}")
    what, version = match["what"].lower(), (int(match["major"]), int(match["minor"]))
    oldest = {"glibc": (2, 5), "musl": (1, 0), "macos": (10, 4)}[what]
    newest = {"glibc": (2, 999), "musl": (1, 999), "macos": (99, 999)}[what]
    name = {"macos": "macOS"}.get(what, what)
    if version < oldest:
        raise BadValue(
            f"{text!r} is too old: no wheel is tagged for less than {name} {oldest[0]}.{oldest[1]}"
        )
    if version > newest:
        raise BadValue(f"{text!r}: there is no {name} {version[0]}; write one like {example}")
    return what, version
