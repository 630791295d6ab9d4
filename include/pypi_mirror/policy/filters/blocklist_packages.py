"""``[blocklist] packages``: projects, or releases of them, that are not mirrored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.packages import ReleaseRule, format_package, only_releases, parse_blocked_package
from pypi_mirror.policy.filter import BLOCKLIST, Filter, Stage
from pypi_mirror.policy.releases import name_some
from pypi_mirror.policy.roots import Roots
from pypi_mirror.release_files import version_in


@dataclass(frozen=True, kw_only=True)
class BlockedPackages(Filter):
    """Rejects the projects that it lists, whatever the allowlist says, as in bandersnatch.

    Of a project that is listed with versions alone, leaves out the releases that a rule matches, prereleases
    included. A file of unknown version is kept, since nothing shows that it is meant.
    """

    section: ClassVar = BLOCKLIST
    stage: ClassVar = Stage.RELEASES

    packages: tuple[ReleaseRule, ...] = option(
        parse_blocked_package,
        "Projects not to mirror, one a line; with versions, releases not to mirror.",
        "They are left out even when the allowlist has them. * stands for any part of a name. Files of "
        "unknown version are kept.",
        format=format_package,
        many=True,
        empty=True,
        example=("example-malware", "example-test-*", "example>=1.4.2,<1.9,!=1.5.*"),
        decides_files=only_releases,
    )

    @cached_property
    def roots(self) -> Roots:
        return Roots(self.packages)

    def reject_project(self, project: NormalizedName) -> str | None:
        root = self.roots.whole(project)
        return None if root is None else f"[blocklist] packages lists {root.project}"

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        root = next(self.roots.admitting(project, file), None)
        if root is None:
            return None
        version = version_in(project, file.filename)
        return f"[blocklist] packages lists {root.rule}, and the file's version is {version}"

    def inputs(self, *, of_files: bool) -> Mapping[str, Sequence[str]]:
        texts = self.roots.texts(of_files=of_files) if self.roots.has_patterns else []
        return {"[blocklist]": texts} if texts else {}

    def sentences(self) -> Iterator[str]:
        if whole := {root.project for root in self.roots.every if root.is_whole}:
            yield f"Left out on purpose: {name_some(whole)}."
        if releases := {f"{root.project} {root.specifier}" for root in self.roots.partial}:
            yield f"Releases left out on purpose: {name_some(releases)}."
