"""Indexes by chance: projects that require each other in every way that upstream's have."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tests.warehouse import Event, Sdist, Upload, Wheel, Yank

# The versions of a project, by what is special about it.
_HABITS: Final[tuple[tuple[str, ...], ...]] = (
    ("1.0", "1.1", "2.0", "3.0"),
    ("1.0", "1.1", "2.0", "2.1", "10.0"),
    ("1.0", "1.1", "2.0a1", "2.0rc1", "2.0"),
    ("1.0", "2.0.dev3", "2.0b1"),
    ("1.0a1", "1.0b2", "1.0rc1"),
    ("2023.1", "2024.2", "1!1.0", "1!1.1"),
    ("1.0", "1.0+cpu", "2.0+cpu", "2.0+cu121"),
    ("1.0", "1.0.post1", "1.0.1", "1.1.post1.dev2"),
    ("0.9", "1", "1.2.0", "1.10"),
    ("2.0",),
)
_TAGS: Final = (
    "cp311-cp311-manylinux_2_17_x86_64",
    "cp312-cp312-manylinux_2_28_x86_64",
    "cp312-cp312-win_amd64",
    "cp311-abi3-macosx_11_0_arm64",
    "py2-none-any",
    "py2.py3-none-any",
    "cp311-cp311-musllinux_1_2_x86_64",
)
_PYTHONS: Final = (">=3.8", ">=3.12", "<3.12", ">=3.11.4", ">=2.7, !=3.0.*", ">=4", "~=3.11", "<3", ">=3.8.*")
_MARKERS: Final = (
    "python_version >= '3.12'",
    "python_version < '3.12'",
    "python_version < '3'",
    "python_version == '3.11'",
    "python_version in '3.11, 3.12'",
    "python_full_version >= '3.12.1'",
    "python_full_version < '3.11.9'",
    "sys_platform == 'win32'",
    "sys_platform == 'linux'",
    "sys_platform != 'darwin'",
    "platform_machine == 'x86_64'",
    "'arm' in platform_machine",
    "os_name == 'nt'",
    "platform_system == 'Linux'",
    "implementation_name == 'cpython'",
    "platform_python_implementation != 'CPython'",
)
_EXTRAS: Final = ("fast", "Test_S", "all", "docs")
_MALFORMED: Final = (">=1.*", ">=1.0.*,<3", ">dev", ">= 1.0 <3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """``events`` fill an index with projects ``names``; ``roots`` are requirements, as people write them."""

    events: tuple[Event, ...]
    names: tuple[str, ...]
    roots: tuple[str, ...]


def make_graph(chance: random.Random, projects: int, *, archives: bool = True) -> Graph:
    """Projects that require those after them, and some of those before; without ``archives``, each release
    has a wheel.
    """
    versions = {f"p{number:03}-x": chance.choice(_HABITS) for number in range(projects)}
    maker = _Maker(chance, versions, archives=archives)
    names = tuple(versions)
    events = tuple(event for number in range(projects) for event in maker.project(number))
    roots = [names[0], *chance.sample(names[1:], min(len(names) - 1, chance.choice((0, 1, 1, 2))))]
    return Graph(events=events, names=names, roots=tuple(maker.root(name) for name in roots))


class _Maker:
    def __init__(
        self, chance: random.Random, versions: dict[str, tuple[str, ...]], *, archives: bool
    ) -> None:
        self._chance = chance
        self._versions = versions
        self._names = list(versions)
        self._has_archives = chance.random() < 0.2 and archives

    def project(self, number: int) -> Iterator[Event]:
        name = self._names[number]
        chance = self._chance
        is_awkward = chance.random() < 0.3
        for version in self._versions[name]:
            requires = self._requires(number)
            python = chance.choice(_PYTHONS) if chance.random() < 0.12 else None
            yield from self._release(name, version, requires, python, is_awkward=is_awkward)
            if chance.random() < 0.08:
                yield Yank(project=name, version=version, reason="broken")

    def root(self, name: str) -> str:
        chance = self._chance
        extras = f"[{chance.choice(_EXTRAS)}]" if chance.random() < 0.3 else ""
        specifier = self._specifier(name) if chance.random() < 0.25 else ""
        return f"{name}{extras}{'' if specifier in _MALFORMED else specifier}"

    def _release(
        self, name: str, version: str, requires: tuple[str, ...], python: str | None, *, is_awkward: bool
    ) -> Iterator[Event]:
        chance = self._chance
        shown = self._spelled(name)
        if is_awkward and self._has_archives and chance.random() < 0.4:
            yield Upload(distribution=self._archive(shown, version, _readable(requires), python))
            return
        tags = chance.sample(_TAGS, chance.randint(1, 3)) if is_awkward else ["py3-none-any"]
        has_archive = is_awkward and chance.random() < 0.3
        if has_archive:
            requires = _readable(requires)
        for tag in tags:
            # Without the wheels of other machines an archive is asked for what it requires.
            differs = is_awkward and not has_archive and chance.random() < 0.2
            yield Upload(
                distribution=Wheel(
                    name=shown,
                    version=version,
                    tags=tag,
                    requires_dist=requires[1:] if differs else requires,
                    requires_python=python,
                )
            )
        if has_archive:
            yield Upload(distribution=self._archive(shown, version, requires, python))

    def _archive(self, shown: str, version: str, requires: tuple[str, ...], python: str | None) -> Sdist:
        """A source archive that need not be built for what it requires (PEP 643): this index has no tools."""
        return Sdist(
            name=shown,
            version=version,
            requires_dist=requires,
            requires_python=python,
            metadata_version="2.2",
        )

    def _requires(self, number: int) -> tuple[str, ...]:
        chance = self._chance
        lines = [self._requirement(number) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
        if chance.random() < 0.1:
            extras = ",".join(chance.sample(_EXTRAS, 2))
            lines.append(f"{self._names[number]}[{extras}]; extra == '{chance.choice(_EXTRAS)}'")
        return tuple(lines)

    def _requirement(self, number: int) -> str:
        chance = self._chance
        kind = chance.random()
        if kind < 0.02:
            return "never-uploaded"
        later = self._names[number + 1 :]
        is_back = kind > 0.88 or not later
        # Near ones mostly, so that what is at the end is reached on many ways.
        target = chance.choice(self._names if is_back else later[:8])
        text = self._spelled(target)
        if chance.random() < 0.15:
            text += f"[{chance.choice(_EXTRAS)}]"
        if chance.random() < 0.65:
            text += self._specifier(target)
        marker = self._marker()
        return f"{text}; {marker}" if marker else text

    def _specifier(self, target: str) -> str:
        chance = self._chance
        version, other = (chance.choice(self._versions[target]) for _ in range(2))
        public = version.partition("+")[0]
        return chance.choices(
            (
                f">={public}",
                f"<={public}",
                f"=={version}",
                f"!={version}",
                f"~={public}.0" if "." not in public.partition("!")[2] + public else f"~={public}",
                f"=={public.split('.')[0]}.*" if public[0].isdigit() and "!" not in public else "",
                f">={public},!={other}",
                f"=={version},!={other}",
                f"<{public}",
                f">{public}",
                f"==={version}",
                chance.choice(_MALFORMED),
            ),
            (24, 8, 10, 8, 6, 4, 6, 3, 4, 4, 2, 1),
        )[0]

    def _marker(self) -> str:
        chance = self._chance
        kind = chance.random()
        if kind < 0.6:
            return ""
        extra = f"extra == '{chance.choice(_EXTRAS)}'"
        first, second = chance.sample(_MARKERS, 2)
        if kind < 0.72:
            return extra
        if kind < 0.9:
            return first
        return chance.choice(
            (f"{first} and {extra}", f"{first} or {second}", f"({first} or {extra}) and {second}")
        )

    def _spelled(self, name: str) -> str:
        kind = self._chance.random()
        return (
            name
            if kind < 0.7
            else name.upper()
            if kind < 0.85
            else name.replace("-", self._chance.choice("._"))
        )


def _readable(requires: tuple[str, ...]) -> tuple[str, ...]:
    """What installers can read of it: an archive of which they cannot would be built, and here nothing is."""
    return tuple(each for each in requires if not any(part in each for part in _MALFORMED))
