"""``[allowlist] packages``: the only projects to mirror, or only some releases of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.packages import ReleaseRule, format_package, only_releases, parse_package
from pypi_mirror.policy.filter import ALLOWLIST, Filter, Stage
from pypi_mirror.policy.releases import ReleaseMatcher, name_some, spaced
from pypi_mirror.release_files import version_in


@dataclass(frozen=True, kw_only=True)
class AllowedPackages(Filter):
    """Lets in the projects that it lists; an empty list lets in every project.

    Of a project that is listed with versions alone, keeps the releases that a rule matches. Prereleases match
    like any release (``>=1`` admits ``2.0rc1``): the list names what is wanted, it does not choose between
    candidates. A file whose version cannot be told is left out, for nothing shows that it was asked for.
    """

    section: ClassVar = ALLOWLIST
    stage: ClassVar = Stage.RELEASES

    packages: tuple[ReleaseRule, ...] = option(
        parse_package,
        "The only projects to mirror, one a line; with versions (example>=2), only those releases.",
        "Names may be spelled in any way (Foo.Bar is foo-bar). Versions are PEP 440 specifiers; several "
        "lines for a project add up, and prereleases match like any other. Dependencies are not added by "
        "themselves. Without this list, everything upstream has is mirrored.",
        format=format_package,
        many=True,
        example=("requests", "numpy>=2", "django>=4.2,<5    # the long-term release"),
        decides_files=only_releases,
    )

    @cached_property
    def projects(self) -> frozenset[NormalizedName]:
        return frozenset(rule.project for rule in self.packages)

    def reject_project(self, project: NormalizedName) -> str | None:
        if self.projects and project not in self.projects:
            return f"[allowlist] packages does not have {project}"
        return None

    def reason_to_admit(self, project: NormalizedName) -> str:
        """Return why a ``project`` is mirrored that no filter rejects."""
        if self.projects:
            return f"[allowlist] packages has {project}"
        return "[allowlist] packages is empty, which lets every project in"

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self._releases.knows(project):
            return None
        version = version_in(project, file.filename)
        if version is None:
            return f"[allowlist] packages asks for some releases of {project}, the filename has no version"
        if self._releases.matching(project, version) is None:
            return f"no rule for {project} in [allowlist] packages admits version {version}"
        return None

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """Return the rule that asks for the file's version (``example>=1.4,<2``), None where no rule does."""
        version = version_in(project, file.filename) if self._releases.knows(project) else None
        specifier = None if version is None else self._releases.matching(project, version)
        return None if specifier is None else f"{project}{specifier}"

    def sentences(self) -> Iterator[str]:
        if self.projects:
            yield f"Only chosen projects: {name_some(self.projects)}."
        if releases := only_releases(self.packages):
            yield f"Of some projects only these releases: {name_some(map(spaced, releases))}."

    @cached_property
    def _releases(self) -> ReleaseMatcher:
        return ReleaseMatcher(only_releases(self.packages))
