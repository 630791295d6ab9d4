"""Whether a marker (PEP 508) can hold on a machine of the served environments."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pypi_mirror.options.environments import Environment

# Strings, parentheses, operators and names, as ``packaging`` writes markers.
_TOKEN: Final = re.compile(r"""\s*("[^"]*"|'[^']*'|[()]|not\s+in\b|[<>=!~]+|\w+)""")
_SYSTEMS: Final = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "windows": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
    "macos": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
}
_IMPLEMENTATIONS: Final = {"cpython": "CPython", "pypy": "PyPy"}
# What ``platform.machine()`` says where it is not the wheel tag's word.
_MACHINES: Final = {("windows", "amd64"): "AMD64", ("windows", "arm64"): "ARM64"}
# A 64-bit kernel under a 32-bit system says its own.
_UNSURE_MACHINES: Final = frozenset({"i686", "armv7l", "x86"})
_PATCHES: Final = range(40)


def can_hold(marker: str, environments: Iterable[Environment]) -> bool:
    """Return whether ``marker`` can be true on a machine of ``environments``; without any, it can.

    What cannot be known (``platform_release``, ``extra``) counts as true.
    """
    known = [variables for environment in environments for variables in _variables(environment)]
    return not marker or not known or any(_value(marker, tuple(each.items())) is not False for each in known)


class ServedMarkers:
    """On which of the served machines markers can hold; machines are numbered as ``policy.machines`` does.
    On that of all others, which ``foreign`` adds, every marker can.
    """

    def __init__(self, environments: Iterable[Environment], *, foreign: bool = False) -> None:
        served = [each for environment in environments for each in _variables(environment)]
        self._known: Final[list[Mapping[str, str]]] = served if served and not foreign else [*served, {}]
        self.machines: Final = lru_cache(maxsize=65_536)(self._machines)

    def hold_everywhere(self, marker: str) -> bool:
        """Return whether ``marker`` is true on every served machine."""
        return not marker or all(_value(marker, tuple(known.items())) for known in self._known)

    def _machines(self, marker: str, extra: str) -> int:
        """Return, as a bit for each, the machines on which ``marker`` can be true where ``extra`` is asked
        for, empty for none.
        """
        return sum(
            1 << number
            for number, known in enumerate(self._known)
            if not marker or _value(marker, (*known.items(), ("extra", extra))) is not False
        )


def _variables(environment: Environment) -> Iterator[Mapping[str, str]]:
    """What is known of each of its Pythons."""
    for major, minor in environment.pythons:
        variables = {
            **_SYSTEMS[environment.system],
            "python_version": f"{major}.{minor}",
            "implementation_name": environment.implementation,
            "platform_python_implementation": _IMPLEMENTATIONS[environment.implementation],
        }
        machine = environment.machine
        if machine not in _UNSURE_MACHINES:
            variables["platform_machine"] = _MACHINES.get((environment.system, machine), machine)
        yield variables


@lru_cache(maxsize=65_536)
def _value(marker: str, variables: tuple[tuple[str, str], ...]) -> bool | None:
    """Return the marker's value, None where it depends on what is not known."""
    tokens = _TOKEN.findall(marker)
    value, rest = _alternatives(tokens, dict(variables))
    if rest:
        raise ValueError(f"{marker!r} is not a marker")
    return value


def _alternatives(tokens: list[str], known: Mapping[str, str]) -> tuple[bool | None, list[str]]:
    value, tokens = _conjunction(tokens, known)
    while tokens[:1] == ["or"]:
        other, tokens = _conjunction(tokens[1:], known)
        value = True if True in (value, other) else None if None in (value, other) else False
    return value, tokens


def _conjunction(tokens: list[str], known: Mapping[str, str]) -> tuple[bool | None, list[str]]:
    value, tokens = _term(tokens, known)
    while tokens[:1] == ["and"]:
        other, tokens = _term(tokens[1:], known)
        value = False if False in (value, other) else None if None in (value, other) else True
    return value, tokens


def _term(tokens: list[str], known: Mapping[str, str]) -> tuple[bool | None, list[str]]:
    if tokens[:1] == ["("]:
        value, tokens = _alternatives(tokens[1:], known)
        return value, tokens[1:]
    return _compared(" ".join(tokens[:3]), [t for t in tokens[:3:2] if t[:1] not in "\"'"], known), tokens[3:]


def _compared(text: str, names: list[str], known: Mapping[str, str]) -> bool | None:
    from packaging.markers import Marker

    marker = Marker(text)
    if names == ["python_full_version"] and "python_version" in known:
        versions = (f"{known['python_version']}.{patch}" for patch in _PATCHES)
        found = {marker.evaluate({"python_full_version": version}) for version in versions}
        return found.pop() if len(found) == 1 else None
    return marker.evaluate(dict(known)) if known.keys() >= set(names) else None
