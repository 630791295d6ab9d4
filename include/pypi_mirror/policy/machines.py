"""Which of the served machines can use a file, for rules that count what each of them is left with."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Final

from msgspec.structs import replace

from pypi_mirror.model import RemoteFile
from pypi_mirror.options.environments import Environment
from pypi_mirror.policy.filenames import is_source_archive, split_tags, wheel_tags
from pypi_mirror.policy.served_tags import served_tags

# Patch versions of a Python that a Requires-Python may name; the first and the last decide nearly always.
_PATCHES: Final = (0, 99, *range(1, 40))

# What of a specifier says how old a Python may be at most.
_FLOORS: Final = frozenset({">=", ">", "~=", "==", "==="})


class Machines:
    """Each Python of each environment is a machine, named by a number. Without environments there is one that
    can use every wheel and source archive.

    With ``ignore_ceilings``, a Requires-Python that ends before a Python admits it: uv has it so, since such
    ends are guesses. With ``foreign``, one machine more stands for all that are not served: it can use every
    file as if there were no environments, and ``foreign`` is its bit.
    """

    def __init__(
        self, environments: Iterable[Environment], *, ignore_ceilings: bool = False, foreign: bool = False
    ) -> None:
        self._served = [
            (python, served_tags([replace(environment, pythons=(python,))]))
            for environment in environments
            for python in environment.pythons
        ]
        self.all: Final = frozenset(range(len(self._served) or 1))
        self.foreign: Final = 1 << len(self._served) if foreign and self._served else 0
        self._others: Final = frozenset({len(self._served)} if self.foreign else ())
        self._by_tags = lru_cache(maxsize=65_536)(self._with_tags)
        self._by_python = lru_cache(maxsize=4_096)(self._with_python)
        self._admits = _reaches if ignore_ceilings else _admits

    def that_use(self, file: RemoteFile) -> frozenset[int]:
        """Return the machines whose installers take ``file``; none for what no installer takes any more."""
        tags = wheel_tags(file.filename)
        if tags is None:
            if not is_source_archive(file.filename):
                return frozenset()
            usable = self.all
        else:
            usable = self._by_tags(tags)
        return (usable & self._by_python(file.requires_python) if usable else usable) | self._others

    def bits(self, file: RemoteFile) -> int:
        """Return ``that_use`` as a number with a bit for each."""
        return _bits(self.that_use(file))

    def _with_tags(self, tags: str) -> frozenset[int]:
        if not self._served:
            return self.all
        name = split_tags(tags)
        nowhere: frozenset[str] = frozenset()
        return frozenset(
            number
            for number, (_, served) in enumerate(self._served)
            if any(
                not served.get(key, nowhere).isdisjoint(name.platforms)
                for key in product(name.pythons, name.abis)
            )
        )

    def _with_python(self, requires_python: str | None) -> frozenset[int]:
        if not requires_python or not self._served:
            return self.all
        return frozenset(
            number for number, (python, _) in enumerate(self._served) if self._admits(requires_python, python)
        )


@lru_cache(maxsize=4_096)
def _bits(machines: frozenset[int]) -> int:
    return sum(1 << number for number in machines)


@lru_cache(maxsize=16_384)
def _admits(requires_python: str, python: tuple[int, int]) -> bool:
    """Whether a patch version of ``python`` may install it; what cannot be read admits every Python, as
    installers have it.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        admitted = SpecifierSet(requires_python)
    except InvalidSpecifier:
        return True
    major, minor = python
    return any(admitted.contains(f"{major}.{minor}.{patch}", prereleases=True) for patch in _PATCHES)


@lru_cache(maxsize=16_384)
def _reaches(requires_python: str, python: tuple[int, int]) -> bool:
    """Whether ``python`` is not too old for it, whatever it says of newer ones."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import Version

    try:
        stated = SpecifierSet(requires_python)
        lowest = [Version(each.version.removesuffix(".*")) for each in stated if each.operator in _FLOORS]
    except InvalidSpecifier:
        return True
    except ValueError:
        # What ``===`` compares as text.
        return _admits(requires_python, python)
    major, minor = python
    return all(Version(f"{major}.{minor}.{_PATCHES[1]}") >= each for each in lowest)
