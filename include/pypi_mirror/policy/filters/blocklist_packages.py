"""``[blocklist] packages``: projects, or releases of them, that are not mirrored."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.packages import (
    ReleaseRule,
    format_package,
    only_releases,
    parse_package,
    whole_projects,
)
from pypi_mirror.policy.filter import BLOCKLIST, Filter, Stage
from pypi_mirror.policy.releases import ReleaseMatcher, name_some, spaced
from pypi_mirror.release_files import version_in


@dataclass(frozen=True, kw_only=True)
class BlockedPackages(Filter):
    """Rejects the projects that it lists, whatever the allowlist says, as in bandersnatch.

    Of a project that is listed with versions alone, leaves out the releases that a rule matches, prereleases
    included. A file whose version cannot be told stays, for nothing shows that it is meant.
    """

    section: ClassVar = BLOCKLIST
    stage: ClassVar = Stage.RELEASES

    packages: tuple[ReleaseRule, ...] = option(
        parse_package,
        "Projects not to mirror, one a line; with versions, releases not to mirror.",
        "They are left out even when the allowlist has them. Files whose version cannot be told stay.",
        format=format_package,
        many=True,
        empty=True,
        example=("example-malware", "example>=1.4.2,<1.9,!=1.5.*"),
        decides_files=only_releases,
    )

    @cached_property
    def projects(self) -> frozenset[NormalizedName]:
        return whole_projects(self.packages)

    def reject_project(self, project: NormalizedName) -> str | None:
        return f"[blocklist] packages has {project}" if project in self.projects else None

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self._releases.knows(project):
            return None
        version = version_in(project, file.filename)
        specifier = None if version is None else self._releases.matching(project, version)
        if specifier is None:
            return None
        return f"[blocklist] packages has {project}{specifier}, and the file's version is {version}"

    def sentences(self) -> Iterator[str]:
        if self.projects:
            yield f"Left out on purpose: {name_some(self.projects)}."
        if releases := only_releases(self.packages):
            yield f"Releases left out on purpose: {name_some(map(spaced, releases))}."

    @cached_property
    def _releases(self) -> ReleaseMatcher:
        return ReleaseMatcher(only_releases(self.packages))
