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
from pypi_mirror.policy.admitted import AdmittedReleases
from pypi_mirror.policy.demanded import NOTHING_DEMANDED, Demanded, ReleaseDemand
from pypi_mirror.policy.filter import ALLOWLIST, Context, Filter, Stage, find
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments, served_by
from pypi_mirror.policy.foreign import keep_for_others, oldest_python
from pypi_mirror.policy.machines import Machines
from pypi_mirror.policy.releases import name_some
from pypi_mirror.policy.roots import PACKAGES, REQUIREMENTS, Root, Roots
from pypi_mirror.policy.served_markers import can_hold
from pypi_mirror.policy.witness import is_prerelease, keep_witness
from pypi_mirror.wording import count


@dataclass(frozen=True, kw_only=True)
class AllowedPackages(Filter):
    """Lets in the projects that it lists or that its requirement files name; without either, every project.

    Of a project that is named with versions alone, keeps the releases that a rule matches. Prereleases match
    like any release (``>=1`` admits ``2.0rc1``): the list names what is wanted, it does not choose between
    candidates. Where a lock file has digests, keeps the files that have them. A file whose version cannot be
    told is left out, for nothing shows that it was asked for.

    ``demands`` is what the requirement files say, None where nobody read them yet. ``demanded`` is what was
    found that all of these require: of such a project it lets in the releases that a requirement admits, for
    the machines that need them. Installers take pre-releases where there is no final release (PEP 440), and
    upstream's count: where pre-releases are kept, so are the yanked finals that a requirement admits; and
    one final, whichever, where there were none.
    """

    section: ClassVar = ALLOWLIST
    stage: ClassVar = Stage.RELEASES

    packages: tuple[ReleaseRule, ...] = option(
        parse_package,
        "The only projects to mirror, one a line; with versions (example>=2), only those releases.",
        "Names may be spelled in any way (Foo.Bar is foo-bar); * stands for any part of a name. Versions are "
        "PEP 440 specifiers; several lines for a project add up, and prereleases match like any other. A "
        "marker (; sys_platform == 'win32') leaves a line out where no environment needs it. Extras "
        "(example[tests]) decide what [dependencies] follows. Without this list and without requirements, "
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
    demanded: Demanded = field(default=NOTHING_DEMANDED, repr=False)
    dependencies: Dependencies = field(default_factory=Dependencies, repr=False)
    environments: tuple[Environment, ...] = field(default=(), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(
            self,
            environments=served_by(others),
            dependencies=find(Dependencies, others) or Dependencies(),
        )

    @property
    def marker_environments(self) -> tuple[Environment, ...]:
        """The environments that markers of the allowlist are about; none where every marker counts."""
        return () if self.dependencies.for_all_machines else self.environments

    @property
    def projects(self) -> frozenset[NormalizedName]:
        """The projects that are named, not those that patterns match."""
        return self.roots.projects

    @cached_property
    def roots(self) -> Roots:
        if self.requirements and self.demands is None:
            raise ValueError("the files of [allowlist] requirements were not read; see settings.requirements")
        all_releases = self.requirements_releases == "all"
        packages = (rule for rule in self.packages if can_hold(rule.marker, self.marker_environments))
        return Roots(packages, self.demands or (), all_releases=all_releases)

    def reject_project(self, project: NormalizedName) -> str | None:
        if not (self.packages or self.requirements) or self.roots.of(project):
            return None
        if project in self.demanded:
            stops = self.dependencies.stops_at(project)
            return f"[dependencies] stop-at lists {project}" if stops else None
        if not self.requirements:
            return f"{PACKAGES} does not list {project}"
        return f"no file of {REQUIREMENTS} asks for {project}" + (
            f", and {PACKAGES} does not list it" if self.packages else ""
        )

    def reason_to_admit(self, project: NormalizedName) -> str:
        """Return why a ``project`` is mirrored that no filter rejects."""
        if not (self.packages or self.requirements):
            return f"{PACKAGES} is empty, which lets every project in"
        root = next(iter(self.roots.of(project)), None)
        if root is None:
            return f"what [allowlist] names requires {project}"
        return f"{PACKAGES} lists {root.project}" if root.by == PACKAGES else f"{root.by} asks for {project}"

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        if project not in self.demanded or not self.is_partial(project):
            return super().reject_files(project, files, context)
        admitted = AdmittedReleases(project, files, self.demanded.of(project))
        needless = self._needless_prereleases(admitted)
        reasons = {
            file.filename: reason
            for file in files
            if (reason := self._reason(project, file, admitted.machines(file), needless)) is not None
        }
        if reasons and self.machines.foreign:
            wanted = [
                file
                for file in files
                if file.filename not in needless
                if file.filename not in reasons or admitted.machines(file) & self.machines.foreign
            ]
            keep_for_others(project, wanted, reasons, oldest_python(self.environments))
        if reasons:
            self._keep_finals(project, files, admitted, reasons)
        return reasons

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if not self.is_partial(project):
            return None
        demands = self.demanded.of(project)
        admitted = AdmittedReleases(project, [file], demands)
        return self._reason(project, file, admitted.machines(file), frozenset())

    def _needless_prereleases(self, admitted: AdmittedReleases) -> frozenset[str]:
        if self.dependencies.prerelease == "all":
            return frozenset()
        return admitted.needless(self.machines.bits, self._strict_machines.bits)

    def _reason(
        self, project: NormalizedName, file: RemoteFile, wanting: int, needless: frozenset[str]
    ) -> str | None:
        """Why the file is left out of a partial project, which machines that are ``wanting`` require."""
        if self.admitted_by(project, file) is not None:
            return None
        if file.filename in needless and wanting & self.machines.bits(file):
            return "[dependencies] prerelease = if-necessary, and no requirement needs this pre-release"
        if wanting & self._served(file):
            return None
        if wanting & self.machines.foreign:
            return "[dependencies] markers = any keeps other files of this release for other machines"
        if not self.roots.of(project):
            return self._unusable(project) if wanting else self._unrequired(project)
        required = ", nor does anything here require it" if project in self.demanded else ""
        return f"{self.roots.rejection(project, file)}{required}"

    def is_partial(self, project: NormalizedName) -> bool:
        """Whether only some files of ``project`` are meant."""
        if project in self.demanded and self.dependencies.is_whole(project):
            return False
        return self.roots.is_partial(project) or (project in self.demanded and not self.roots.of(project))

    def setting_for(self, project: NormalizedName, reason: str = "") -> str:
        if reason == self._unusable(project) and self.environments:
            return ServedEnvironments.setting()
        if reason in (self._unusable(project), self._unrequired(project)):
            return Dependencies.setting()
        return self.roots.sources(project)

    def _unusable(self, project: NormalizedName) -> str:
        return f"no machine that requires {project} can install this file"

    def _unrequired(self, project: NormalizedName) -> str:
        return f"nothing here requires this release of {project}"

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> Root | None:
        """Return the rule that asks for the file, None where no rule has to or does."""
        return next(self.roots.admitting(project, file), None)

    def is_required(self, project: NormalizedName, file: RemoteFile) -> bool:
        """Whether the file meets a requirement of another project, on a machine that can use it."""
        return next(self.requiring(project, file), None) is not None

    def requiring(self, project: NormalizedName, file: RemoteFile) -> Iterator[ReleaseDemand]:
        """Yield the demands of other projects that the file meets."""
        if project in self.demanded:
            yield from self.demanded.admitting(project, file, self.machines.bits(file))

    @cached_property
    def machines(self) -> Machines:
        return Machines(self.environments, ignore_ceilings=True, foreign=self.dependencies.for_all_machines)

    @cached_property
    def _strict_machines(self) -> Machines:
        """As pip has it, to which an end of Requires-Python counts."""
        return Machines(self.environments, foreign=self.dependencies.for_all_machines)

    def _served(self, file: RemoteFile) -> int:
        """The served machines that can use the file."""
        return self.machines.bits(file) & ~self.machines.foreign

    def _keep_finals(
        self,
        project: NormalizedName,
        files: Sequence[RemoteFile],
        admitted: AdmittedReleases,
        reasons: dict[str, str],
    ) -> None:
        """Take finals out of ``reasons`` whose absence would have installers take pre-releases."""
        if not any(file.filename not in reasons and is_prerelease(project, file) for file in files):
            return
        for file in files:
            hides = file.yanked is not None and not is_prerelease(project, file)
            if hides and admitted.machines(file, even_yanked=True) & self.machines.bits(file):
                reasons.pop(file.filename, None)
        keep_witness(project, files, reasons)

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
