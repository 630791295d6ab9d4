"""``[allowlist]`` and ``[blocklist] packages`` with version specifiers: some releases of a project."""

from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.release_files import version_in
from pypi_mirror.settings.values import ReleaseRule


class AllowedReleases:
    """Of projects with rules, keeps the releases that a rule matches; other projects it leaves alone.

    Prereleases match like any release (``>=1`` admits ``2.0rc1``): the list names what is wanted, it does not
    choose between candidates. A file whose version cannot be told is dropped, for nothing shows that it
    was asked for.
    """

    setting: ClassVar = "[allowlist] packages"

    def __init__(self, rules: Iterable[ReleaseRule]) -> None:
        self._matcher = _Matcher(rules)

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self._matcher.knows(project):
            return None
        version = version_in(project, file.filename)
        if version is None:
            return f"[allowlist] packages asks for some releases of {project}, the filename has no version"
        if self._matcher.matching(project, version) is None:
            return f"no rule for {project} in [allowlist] packages admits version {version}"
        return None

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """The rule that asks for the file's version (``example>=1.4,<2``); None where none has to or does."""
        version = version_in(project, file.filename) if self._matcher.knows(project) else None
        specifier = None if version is None else self._matcher.matching(project, version)
        return None if specifier is None else f"{project}{specifier}"


class BlockedReleases:
    """Drops the releases that a rule matches, prereleases included.

    A file whose version cannot be told stays, for nothing shows that it is meant.
    """

    setting: ClassVar = "[blocklist] packages"

    def __init__(self, rules: Iterable[ReleaseRule]) -> None:
        self._matcher = _Matcher(rules)

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self._matcher.knows(project):
            return None
        version = version_in(project, file.filename)
        specifier = None if version is None else self._matcher.matching(project, version)
        if specifier is None:
            return None
        return f"[blocklist] packages has {project}{specifier}, and the file's version is {version}"


class _Matcher:
    def __init__(self, rules: Iterable[ReleaseRule]) -> None:
        by_project: defaultdict[NormalizedName, list[SpecifierSet]] = defaultdict(list)
        for rule in rules:
            by_project[rule.project].append(SpecifierSet(rule.specifier, prereleases=True))
        self._specifiers = dict(by_project)
        self.matching = lru_cache(maxsize=16_384)(self._matching)

    def knows(self, project: NormalizedName) -> bool:
        return project in self._specifiers

    def _matching(self, project: NormalizedName, version: str) -> str | None:
        """The first specifier set that admits ``version``; outside PEP 440 only ``===`` ones can."""
        return next((str(s) for s in self._specifiers[project] if s.contains(version)), None)
