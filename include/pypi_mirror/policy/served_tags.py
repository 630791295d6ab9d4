"""The wheel tags that an environment can install, by the rules of ``packaging.tags`` (PEP 425).

``packaging`` computes platform tags of the machine it runs on; for other machines it takes them from the
caller. So the lists of Linux are made here, from PEP 513, 571, 599, 600 (glibc) and 656 (musl).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from packaging import tags

from pypi_mirror.options.environments import Environment

ServedTags = dict[tuple[str, str], frozenset[str]]
"""The platform tags by (python tag, abi tag)."""

# PEP 600: the names that older PEPs gave to fixed glibc versions.
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

# The oldest glibc 2 minor that manylinux tags exist for: PEP 513 on x86, PEP 599 elsewhere.
_OLDEST_GLIBC_X86 = 5
_OLDEST_GLIBC = 17


def served_tags(environments: Iterable[Environment]) -> ServedTags:
    """All tags that at least one of ``environments`` can install.

    The union loses nothing: a wheel is installable somewhere exactly when one of its tag triples is here.
    """
    collected: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for environment in environments:
        for tag in environment_tags(environment):
            collected[tag.interpreter, tag.abi].add(tag.platform)
    return {key: frozenset(platforms) for key, platforms in collected.items()}


def environment_tags(environment: Environment) -> Iterator[tags.Tag]:
    """What ``packaging.tags.sys_tags()`` would yield on machines of ``environment``."""
    platforms = list(platform_tags(environment))
    for python in environment.pythons:
        nodot = f"{python[0]}{python[1]}"
        if environment.implementation == "cpython":
            abis = _cpython_abis(python, free_threaded=environment.free_threaded)
            yield from tags.cpython_tags(python, abis=abis, platforms=platforms)
            yield from tags.compatible_tags(python, interpreter=f"cp{nodot}", platforms=platforms)
        else:
            # The second half is PyPy's own ABI version; it has been 7.3 since Python 3.6 came to PyPy.
            abi = f"pypy{nodot}_pp73" if python[0] >= 3 else "pypy_73"
            yield from tags.generic_tags(f"pp{nodot}", abis=[abi], platforms=platforms)
            yield from tags.compatible_tags(python, interpreter=f"pp{python[0]}", platforms=platforms)


def platform_tags(environment: Environment) -> Iterator[str]:
    """The platform tags of one environment."""
    machine = environment.machine
    if environment.system == "windows":
        yield "win32" if machine == "x86" else f"win_{machine}"
    elif environment.system == "macos":
        yield from tags.mac_platforms(environment.macos, machine)
    else:
        yield f"linux_{machine}"
        if environment.libc is not None:
            yield from _libc_tags(environment.libc, machine)


def _libc_tags(libc: tuple[str, int, int], machine: str) -> Iterator[str]:
    family, major, newest = libc
    if family == "musl":
        for minor in range(newest, -1, -1):
            yield f"musllinux_{major}_{minor}_{machine}"
        return
    oldest = _OLDEST_GLIBC_X86 if machine in {"x86_64", "i686"} else _OLDEST_GLIBC
    for minor in range(newest, oldest - 1, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        if legacy := _LEGACY_MANYLINUX.get(minor):
            yield f"{legacy}_{machine}"


def _cpython_abis(python: tuple[int, int], *, free_threaded: bool) -> list[str]:
    """The ABIs of the usual builds: PEP 703 ``t``; ``m`` before 3.8; ``u`` (wide) or not before 3.3."""
    abi = f"cp{python[0]}{python[1]}"
    if free_threaded:
        return [f"{abi}t"]
    if python >= (3, 8):
        return [abi]
    return [f"{abi}m"] if python >= (3, 3) else [f"{abi}mu", f"{abi}m"]
