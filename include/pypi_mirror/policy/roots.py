"""Rules for projects and their releases: of a list of packages, and of requirement and lock files."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.demands.demand import Demand
from pypi_mirror.model import RemoteFile
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy.releases import contains, is_pin
from pypi_mirror.release_files import version_in

PACKAGES: Final = "[allowlist] packages"
REQUIREMENTS: Final = "[allowlist] requirements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One rule for a project: releases by a specifier, or files by their digests (``sha256:…``).

    ``project`` can be a pattern. ``by`` is who asks, as messages name it: the option, or a file with its
    line. With neither specifier nor digests, the whole project is meant. ``extras`` and ``marker`` (PEP 508)
    decide over its dependencies.
    """

    project: NormalizedName
    specifier: str = ""
    hashes: frozenset[str] = frozenset()
    by: str = PACKAGES
    extras: tuple[str, ...] = ()
    marker: str = ""

    @property
    def is_whole(self) -> bool:
        return not self.specifier and not self.hashes

    @property
    def is_pin(self) -> bool:
        """Whether it means one release alone, or files of it."""
        return bool(self.hashes) or is_pin(self.specifier)

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
        return version is not None and (not self.specifier or contains(self.specifier, version))


class Roots:
    """The rules of all sources; a project is meant as a whole where one rule says so."""

    def __init__(
        self,
        packages: Iterable[ReleaseRule],
        demands: Iterable[Demand] = (),
        *,
        all_releases: bool = False,
    ) -> None:
        """With ``all_releases``, demands stand for all releases of their projects."""
        by_project: defaultdict[NormalizedName, list[Root]] = defaultdict(list)
        self._patterns: list[tuple[re.Pattern[str], Root]] = []
        for rule in packages:
            root = Root(
                project=rule.project, specifier=rule.specifier, extras=rule.extras, marker=rule.marker
            )
            if rule.is_pattern:
                self._patterns.append((re.compile(translate(rule.project)), root))
            else:
                by_project[rule.project].append(root)
        for each in demands:
            by_project[each.project].append(
                Root(
                    project=each.project,
                    specifier="" if all_releases else each.specifier,
                    hashes=frozenset() if all_releases else frozenset(each.hashes),
                    by=each.place,
                    extras=each.extras,
                    marker=each.marker,
                )
            )
        self._by_project = dict(by_project)
        # All of upstream's names are compared with the rules; most match none.
        either = "|".join(pattern.pattern for pattern, _ in self._patterns)
        self._matches_any = re.compile(either).match if either else None

    def of(self, project: NormalizedName) -> Sequence[Root]:
        """Return the rules for ``project``, those that name it first."""
        named = self._by_project.get(project, ())
        if self._matches_any is None or self._matches_any(project) is None:
            return named
        return [*named, *(root for pattern, root in self._patterns if pattern.match(project))]

    @cached_property
    def projects(self) -> frozenset[NormalizedName]:
        """The projects that are named; patterns match others too."""
        return frozenset(self._by_project)

    @cached_property
    def every(self) -> tuple[Root, ...]:
        named = (root for roots in self._by_project.values() for root in roots)
        return (*named, *(root for _, root in self._patterns))

    @property
    def has_patterns(self) -> bool:
        return bool(self._patterns)

    @cached_property
    def partial(self) -> tuple[Root, ...]:
        """The rules for some releases or files, without those of projects that are meant as a whole."""
        return tuple(root for root in self.every if not root.is_whole and not self.whole(root.project))

    def texts(self, *, of_files: bool) -> list[str]:
        """Return all rules, or those that decide over files of projects that are selected anyway."""
        roots = self.partial if of_files else self.every
        if of_files and any(not root.is_whole for _, root in self._patterns):
            # A rule for a whole project takes it out of those of a pattern.
            roots = self.every
        return sorted({f"{root.rule} {' '.join(sorted(root.hashes))}".strip() for root in roots})

    def whole(self, project: NormalizedName) -> Root | None:
        """Return the rule that means all of ``project``."""
        return next((root for root in self.of(project) if root.is_whole), None)

    def is_partial(self, project: NormalizedName) -> bool:
        return bool(self.of(project)) and self.whole(project) is None

    def admitting(self, project: NormalizedName, file: RemoteFile) -> Iterator[Root]:
        """Yield the rules that mean the file, of a project of which only some files are meant."""
        if self.is_partial(project):
            version = version_in(project, file.filename)
            yield from (root for root in self.of(project) if root.admits(version, file))

    def is_pinned(self, project: NormalizedName, file: RemoteFile) -> bool:
        """Whether a rule asks for this very release of ``project``, or for this very file."""
        version = version_in(project, file.filename)
        return any(root.is_pin and root.admits(version, file) for root in self.of(project))

    @cached_property
    def locked(self) -> Mapping[str, Root]:
        """The rules that name files by their digests, by SHA-256."""
        return {
            digest.removeprefix("sha256:"): root
            for root in self.every
            for digest in root.hashes
            if digest.startswith("sha256:")
        }

    def unmet(self, project: NormalizedName, files: Iterable[RemoteFile]) -> tuple[Root, ...]:
        """Return the rules for ``project`` that mean none of ``files``."""
        roots = [root for root in self.of(project) if not root.is_whole]
        if not roots:
            return ()
        versions = [(version_in(project, file.filename), file) for file in files]
        return tuple(
            root for root in roots if not any(root.admits(version, file) for version, file in versions)
        )

    def rejection(self, project: NormalizedName, file: RemoteFile) -> str:
        """Return why no rule wants the file."""
        roots = self.of(project)
        where = self.sources(project)
        version = version_in(project, file.filename)
        if version is None:
            return f"{where} asks for some releases of {project}, the filename has no version"
        for root in roots:
            if root.hashes and (not root.specifier or contains(root.specifier, version)):
                return f"{root.by} asks for other files of {root.rule}, by their digests"
        return f"no rule for {project} in {where} admits version {version}"

    def sources(self, project: NormalizedName) -> str:
        """Return which options have rules for ``project``."""
        options = (PACKAGES if root.by == PACKAGES else REQUIREMENTS for root in self.of(project))
        return " and ".join(dict.fromkeys(options)) or PACKAGES
