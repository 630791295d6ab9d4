"""``[dependencies]``: what projects of the allowlist require is mirrored too."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

from packaging.utils import NormalizedName

from pypi_mirror.demands.core_metadata import CoreMetadata
from pypi_mirror.demands.demand import Demand
from pypi_mirror.demands.overrides import Override
from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule, format_package, parse_project_pattern
from pypi_mirror.options.parsers import choice, integer, number, parse_text
from pypi_mirror.policy.filter import DEPENDENCIES, Filter, Stage
from pypi_mirror.policy.filters.platform_environments import served_by
from pypi_mirror.policy.releases import Release, contains, release_of
from pypi_mirror.policy.roots import Roots
from pypi_mirror.policy.served_markers import ServedMarkers
from pypi_mirror.release_files import version_in

CONSTRAINTS: Final = "[dependencies] constraints"
METADATA: Final = "[dependencies] metadata"
APPROVE_BEYOND: Final = "[dependencies] approve-beyond"


@dataclass(frozen=True, kw_only=True)
class Dependencies(Filter):
    """Says how dependencies are followed; ``AllowedPackages`` lets in what is found so.

    ``ceilings`` are what the constraints files say and ``overrides`` what those of metadata do, None where
    nobody read them yet.
    """

    section: ClassVar = DEPENDENCIES
    stage: ClassVar = Stage.RELEASES

    follow: str = option(
        choice("no", "yes"),
        "Whether everything that [allowlist] requires is mirrored too: yes or no.",
        "Of each project that is required, all releases that a requirement admits, and what these require in "
        "turn, for the machines of [platform] environments; so installers find the same solutions as "
        "upstream. Cut it by keep-latest, constraints or stop-at. `pypi-mirror explain PROJECT` says who "
        "requires it.",
        default="no",
    )
    extras: str = option(
        choice("demanded", "all"),
        "Whose optional dependencies are followed: those of demanded extras (example[tests]), or of all.",
        default="demanded",
        decides=False,
    )
    markers: str = option(
        choice("environments", "any"),
        "On which machines requirements count: those of [platform] environments, or any.",
        "With any, also what only other systems and Pythons require, and a file of each release even if no "
        "environment can install it: then tools that lock for all platforms (uv lock, uv pip compile "
        "--universal, Poetry) find what they find upstream. Without environments, it is always so.",
        default="environments",
    )
    prerelease: str = option(
        choice("all", "if-necessary"),
        "Which pre-releases that a requirement admits are mirrored: all, or only if-necessary.",
        "If-necessary are those that installers take without being asked for any: where a requirement names "
        "one (>=2.0rc1), or the requirements admit no final release.",
        default="all",
    )
    stop_at: tuple[ReleaseRule, ...] = option(
        parse_project_pattern,
        "Projects that are not mirrored only because others require them, one a line; * as in [allowlist].",
        "What [allowlist] names itself stays.",
        format=format_package,
        many=True,
        empty=True,
        example=("torch", "nvidia-*"),
    )
    whole: tuple[ReleaseRule, ...] = option(
        parse_project_pattern,
        "Projects of which all releases are mirrored once they are required, one a line.",
        format=format_package,
        many=True,
        empty=True,
        example=("setuptools", "wheel"),
    )

    build: str = option(
        choice("no", "needed"),
        "Whether what source archives need to be built is followed too: no, or needed.",
        "With needed, of each release that a served machine has no wheel of, what its pyproject.toml names, "
        "and what its build backend is known to ask for. That is read from the archive, so it comes with the "
        "sync after it. Nothing is ever built.",
        default="no",
        decides=False,
    )
    constraints: tuple[str, ...] = option(
        parse_text,
        "Files of versions that are admitted at all (requirements.txt, lock files), one a line; * as in "
        "[allowlist] requirements.",
        "They name no project to mirror: of those that are mirrored anyway, only the releases stay that the "
        "files admit. Paths begin where those of requirements do, and the files are read again by every run.",
        many=True,
        empty=True,
        example=("constraints-3.12.txt",),
        decides=False,
    )
    metadata: tuple[str, ...] = option(
        parse_text,
        "Files that say what releases require where these do not, one a line; * as in [allowlist] "
        "requirements.",
        "TOML in the format of uv: [[tool.uv.dependency-metadata]], as in pyproject.toml, or "
        "[[dependency-metadata]]. As for uv, what they say counts instead of what the release says itself. "
        "Paths begin where those of requirements do, and the files are read again by every run.",
        many=True,
        empty=True,
        example=("pyproject.toml",),
        decides=False,
    )
    approve_beyond_projects: int | None = option(
        integer(0, 10_000_000),
        "A sync that adds more required projects than this needs approval, 0 to 10000000; empty: none does.",
        "As for removals: in Airflow under Required Actions, or by `pypi-mirror sync --approve PLAN`.",
        empty=True,
        example=("500",),
        decides=False,
    )
    approve_beyond_gigabytes: float | None = option(
        number(0.001, 1_000_000, "gigabytes"),
        "The same for the gigabytes of new files that are only required, 0.001 to 1000000.",
        empty=True,
        example=("200",),
        decides=False,
    )
    ceilings: tuple[Demand, ...] | None = field(default=None, repr=False)
    overrides: tuple[Override, ...] | None = field(default=None, repr=False)
    environments: tuple[Environment, ...] = field(default=(), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, environments=served_by(others))

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        ceilings = self._ceilings.get(project)
        version = version_in(project, file.filename) if ceilings else None
        if ceilings is None or version is None:
            return None
        for ceiling in ceilings:
            if not contains(ceiling.specifier, version):
                return f"{ceiling.place} admits {project}{ceiling.specifier} alone"
        return None

    def inputs(self, *, of_files: bool) -> Mapping[str, Sequence[str]]:
        ceilings = self.ceilings or ()
        texts = sorted({f"{each.project}{each.specifier}; {each.marker}" for each in ceilings})
        return {CONSTRAINTS: texts} if texts else {}

    def stated(self, project: NormalizedName, release: Release) -> CoreMetadata | None:
        """Return what the overrides say of a release, None without one.

        As uv has it: that of its version comes before one of all versions, and the first counts.
        """
        found = self._overrides.get(project, {})
        return found.get(release) or found.get(None)

    @property
    def follows(self) -> bool:
        return self.follow == "yes"

    @property
    def for_all_machines(self) -> bool:
        """Whether releases are kept, and followed, for all machines beside those that are served."""
        return self.follows and self.markers == "any"

    def stops_at(self, project: NormalizedName) -> bool:
        """Whether ``project`` is not mirrored for others alone."""
        return self._stops.whole(project) is not None

    def is_whole(self, project: NormalizedName) -> bool:
        return self._whole.whole(project) is not None

    def sentences(self) -> Iterator[str]:
        if self.follows:
            yield "With what these require."

    @property
    def takes_part(self) -> bool:
        return self.follows or bool(self.constraints)

    @cached_property
    def _ceilings(self) -> Mapping[NormalizedName, Sequence[Demand]]:
        """Those that hold on all machines: what one of them may have, all keep."""
        if self.constraints and self.ceilings is None:
            raise ValueError(f"the files of {CONSTRAINTS} were not read; see settings.requirements")
        markers = ServedMarkers(self.environments, foreign=self.for_all_machines)
        found: defaultdict[NormalizedName, list[Demand]] = defaultdict(list)
        for each in self.ceilings or ():
            if markers.hold_everywhere(each.marker):
                found[each.project].append(each)
        return found

    @cached_property
    def _overrides(self) -> Mapping[NormalizedName, Mapping[Release | None, CoreMetadata]]:
        if self.metadata and self.overrides is None:
            raise ValueError(f"the files of {METADATA} were not read; see settings.requirements")
        found: defaultdict[NormalizedName, dict[Release | None, CoreMetadata]] = defaultdict(dict)
        for each in self.overrides or ():
            release = None if each.version is None else release_of(each.version)
            found[each.project].setdefault(release, each.stated)
        return found

    @cached_property
    def _stops(self) -> Roots:
        return Roots(self.stop_at)

    @cached_property
    def _whole(self) -> Roots:
        return Roots(self.whole)
