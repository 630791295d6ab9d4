"""What the allowlist wants, by project: ``packages`` and the demands of requirement and lock files as one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.demands.demand import Demand
from pypi_mirror.model import RemoteFile
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.release_files import version_in

PACKAGES: Final = "[allowlist] packages"
REQUIREMENTS: Final = "[allowlist] requirements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One rule for a project: releases by a specifier, or files by their digests (``sha256:…``).

    ``by`` is who asks, as messages name it: the option, or a file with its line. With neither specifier nor
    digests, the whole project is wanted.
    """

    project: NormalizedName
    specifier: str = ""
    hashes: frozenset[str] = frozenset()
    by: str = PACKAGES

    @property
    def is_whole(self) -> bool:
        return not self.specifier and not self.hashes

    @property
    def rule(self) -> str:
        return f"{self.project}{self.specifier}"

    def admits(self, version: str | None, file: RemoteFile) -> bool:
        """Whether the file is wanted. A page may state digests by other algorithms than those wanted; then
        the version decides.
        """
        if self.hashes:
            stated = {f"{algorithm}:{digest}" for algorithm, digest in file.hashes}
            if not stated.isdisjoint(self.hashes):
                return True
            if {text.partition(":")[0] for text in self.hashes} & {algorithm for algorithm, _ in file.hashes}:
                return False
        return version is not None and (not self.specifier or _contains(self.specifier, version))


class Roots:
    """The rules of all sources; a project is wanted as a whole where one rule says so."""

    def __init__(
        self, packages: Iterable[ReleaseRule], demands: Iterable[Demand], *, all_releases: bool
    ) -> None:
        """With ``all_releases``, demands stand for all releases of their projects."""
        by_project: defaultdict[NormalizedName, list[Root]] = defaultdict(list)
        for rule in packages:
            by_project[rule.project].append(Root(project=rule.project, specifier=rule.specifier))
        for each in demands:
            by_project[each.project].append(
                Root(project=each.project, by=each.place)
                if all_releases
                else Root(
                    project=each.project,
                    specifier=each.specifier,
                    hashes=frozenset(each.hashes),
                    by=each.place,
                )
            )
        self._by_project = dict(by_project)

    @cached_property
    def projects(self) -> frozenset[NormalizedName]:
        return frozenset(self._by_project)

    @cached_property
    def partial(self) -> tuple[Root, ...]:
        """The rules of the projects of which only some files are wanted, by project."""
        return tuple(root for roots in self._partial.values() for root in roots)

    def first(self, project: NormalizedName) -> Root:
        return self._by_project[project][0]

    def is_partial(self, project: NormalizedName) -> bool:
        return project in self._partial

    def admitting(self, project: NormalizedName, file: RemoteFile) -> Iterator[Root]:
        """Yield the rules that want the file, of a project of which only some files are wanted."""
        version = version_in(project, file.filename)
        yield from (root for root in self._partial.get(project, ()) if root.admits(version, file))

    def rejection(self, project: NormalizedName, file: RemoteFile) -> str:
        """Return why no rule wants the file."""
        roots = self._partial[project]
        where = " and ".join(self._sources(roots))
        version = version_in(project, file.filename)
        if version is None:
            return f"{where} asks for some releases of {project}, the filename has no version"
        for root in roots:
            if root.hashes and (not root.specifier or _contains(root.specifier, version)):
                return f"{root.by} asks for other files of {root.rule}, by their digests"
        return f"no rule for {project} in {where} admits version {version}"

    @staticmethod
    def _sources(roots: Sequence[Root]) -> list[str]:
        return list(dict.fromkeys(PACKAGES if root.by == PACKAGES else REQUIREMENTS for root in roots))

    @cached_property
    def _partial(self) -> dict[NormalizedName, list[Root]]:
        return {
            project: roots
            for project, roots in self._by_project.items()
            if not any(root.is_whole for root in roots)
        }


@lru_cache(maxsize=16_384)
def _contains(specifier: str, version: str) -> bool:
    """Prereleases match like any release; outside PEP 440 only ``===`` matches."""
    # Imported where it is needed: DAG files read the settings and decide nothing.
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier, prereleases=True).contains(version)
