"""``[allowlist]``: the only projects to mirror, or only some releases or files of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, Self

from packaging.utils import NormalizedName

from pypi_mirror.demands.demand import Demand
from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule, format_package, only_releases, parse_package
from pypi_mirror.options.parsers import choice, parse_path, parse_text
from pypi_mirror.policy.filter import ALLOWLIST, Filter, Stage
from pypi_mirror.policy.filters.platform_environments import served_by
from pypi_mirror.policy.releases import name_some
from pypi_mirror.policy.roots import PACKAGES, REQUIREMENTS, Root, Roots
from pypi_mirror.policy.served_markers import can_hold
from pypi_mirror.wording import count


@dataclass(frozen=True, kw_only=True)
class AllowedPackages(Filter):
    """Lets in the projects that it lists or that its requirement files name; without either, every project.

    Of a project that is named with versions alone, keeps the releases that a rule matches. Prereleases match
    like any release (``>=1`` admits ``2.0rc1``): the list names what is wanted, it does not choose between
    candidates. Where a lock file has digests, keeps the files that have them. A file whose version cannot be
    told is left out, for nothing shows that it was asked for.

    ``demands`` is what the requirement files say, None where nobody read them yet.
    """

    section: ClassVar = ALLOWLIST
    stage: ClassVar = Stage.RELEASES

    packages: tuple[ReleaseRule, ...] = option(
        parse_package,
        "The only projects to mirror, one a line; with versions (example>=2), only those releases.",
        "Names may be spelled in any way (Foo.Bar is foo-bar); * stands for any part of a name. Versions are "
        "PEP 440 specifiers; several lines for a project add up, and prereleases match like any other. A "
        "marker (; sys_platform == 'win32') leaves a line out where no environment needs it. Dependencies "
        "are not added by themselves, so extras add nothing. Without this list and without requirements, "
        "everything upstream has is mirrored.",
        format=format_package,
        many=True,
        example=("requests", "urllib3>=2", "django>=4.2,<5    # the long-term release"),
        decides_files=only_releases,
    )
    requirements: tuple[str, ...] = option(
        parse_text,
        "Files that name projects to mirror, one a line; * stands for any part of a name.",
        "requirements.txt, pyproject.toml, and lock files: pylock.toml, uv.lock, poetry.lock, pdm.lock, "
        "Pipfile.lock. What they name adds to packages. Versions restrict the releases of a project; lock "
        "files, its files to those that they have a digest of. The files are read again by every run. One "
        "that names nothing, and a name with * that matches no file, are errors.",
        many=True,
        example=("shop/uv.lock", "teams/*/requirements.txt"),
        decides=False,
    )
    requirements_path: Path | None = option(
        parse_path,
        "The directory that requirements begin at; by default that of this file.",
        key="requirements_path",
        aliases=("requirements-path",),
        empty=True,
        decides=False,
    )
    requirements_releases: Literal["named", "all"] = option(
        choice("named", "all"),
        "Which releases of the projects that requirements name are mirrored: named or all.",
        "all: the files name projects, whatever versions they have. That is what bandersnatch's plugin "
        "project_requirements means without project_requirements_pinned.",
        default="named",
        decides=False,
    )
    demands: tuple[Demand, ...] | None = None
    environments: tuple[Environment, ...] = field(default=(), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, environments=served_by(others))

    @property
    def projects(self) -> frozenset[NormalizedName]:
        """The projects that are named, not those that patterns match."""
        return self.roots.projects

    @cached_property
    def roots(self) -> Roots:
        if self.requirements and self.demands is None:
            raise ValueError("the files of [allowlist] requirements were not read; see settings.requirements")
        all_releases = self.requirements_releases == "all"
        packages = (rule for rule in self.packages if can_hold(rule.marker, self.environments))
        return Roots(packages, self.demands or (), all_releases=all_releases)

    def reject_project(self, project: NormalizedName) -> str | None:
        if not (self.packages or self.requirements) or self.roots.of(project):
            return None
        if not self.requirements:
            return f"{PACKAGES} does not list {project}"
        return f"no file of {REQUIREMENTS} asks for {project}" + (
            f", and {PACKAGES} does not list it" if self.packages else ""
        )

    def reason_to_admit(self, project: NormalizedName) -> str:
        """Return why a ``project`` is mirrored that no filter rejects."""
        if not (self.packages or self.requirements):
            return f"{PACKAGES} is empty, which lets every project in"
        root = self.roots.of(project)[0]
        return f"{PACKAGES} lists {root.project}" if root.by == PACKAGES else f"{root.by} asks for {project}"

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self.roots.is_partial(project) or self.admitted_by(project, file) is not None:
            return None
        return self.roots.rejection(project, file)

    def setting_for(self, project: NormalizedName) -> str:
        return self.roots.sources(project)

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> Root | None:
        """Return the rule that asks for the file, None where no rule has to or does."""
        return next(self.roots.admitting(project, file), None)

    def inputs(self, *, of_files: bool) -> Mapping[str, Sequence[str]]:
        # Names and their versions in packages are options.
        decides = self.demands or self.roots.has_patterns
        texts = self.roots.texts(of_files=of_files) if decides else []
        return {"[allowlist]": texts} if texts else {}

    def sentences(self) -> Iterator[str]:
        if self.requirements and self.demands is None:
            yield f"Only chosen projects: those that {count(len(self.requirements), 'list')} of files name."
            return
        if names := {root.project for root in self.roots.every}:
            yield f"Only chosen projects: {name_some(names)}."
        releases = {f"{root.project} {root.specifier}" for root in self.roots.partial if root.specifier}
        if releases:
            yield f"Of some projects only these releases: {name_some(releases)}."
