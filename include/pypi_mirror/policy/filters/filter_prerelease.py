"""``[filter_prerelease] packages``: projects whose pre-releases are not mirrored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import Section, option
from pypi_mirror.options.packages import parse_project_name
from pypi_mirror.policy.filter import Filter, Stage, find
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.releases import name_some, parsed
from pypi_mirror.release_files import version_in

ALL: Final = "*"


def parse_project_or_all(text: str) -> str:
    """Return one project's name, or ``*``."""
    return ALL if text == ALL else parse_project_name(text)


@dataclass(frozen=True, kw_only=True)
class ExcludedPrereleases(Filter):
    """Leaves out pre-releases and development releases, as PEP 440 has them.

    One that the allow-list asks for by its version, or by digests, stays: somebody has chosen it. A file
    whose version is unknown or outside PEP 440 is kept, since nothing shows that it is one.
    """

    section: ClassVar = Section(
        name="filter_prerelease",
        doc="No pre-releases.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )
    stage: ClassVar = Stage.RELEASES

    packages: tuple[str, ...] = option(
        parse_project_or_all,
        "Projects whose pre-releases are not mirrored, one a line; * means all projects.",
        "Pre-releases are alphas, betas, release candidates and development releases (PEP 440).",
        many=True,
        empty=True,
        example=("*",),
    )

    allowed: AllowedPackages | None = field(default=None, repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, allowed=find(AllowedPackages, others))

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if ALL not in self._projects and project not in self._projects:
            return None
        version = version_in(project, file.filename)
        release = None if version is None else parsed(version)
        if release is None or not release.is_prerelease:
            return None
        if self.allowed is not None and self.allowed.roots.is_pinned(project, file):
            return None
        named = "all projects" if ALL in self._projects else project
        return f"[filter_prerelease] packages lists {named}, and {version} is a pre-release"

    def sentences(self) -> Iterator[str]:
        of = "" if ALL in self._projects else f" of {name_some(self.packages)}"
        yield f"No pre-releases{of}."

    @cached_property
    def _projects(self) -> frozenset[str]:
        return frozenset(self.packages)
