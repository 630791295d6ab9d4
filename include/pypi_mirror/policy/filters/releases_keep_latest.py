"""``[releases] keep-latest``: of each project only the newest releases, as each served machine sees them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Final, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import BadValue, option
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import parse_project_name
from pypi_mirror.options.parsers import integer
from pypi_mirror.policy.admitted import AdmittedReleases
from pypi_mirror.policy.filter import RELEASES, Context, Filter, Stage, find
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.platform_environments import served_by
from pypi_mirror.policy.machines import Machines
from pypi_mirror.policy.releases import Release, public_release, release_in
from pypi_mirror.wording import count

_MOST: Final = 1_000_000
_parse_number: Final = integer(1, _MOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOfProject:
    """How many releases of one project are kept; None keeps all."""

    project: NormalizedName
    number: int | None


def parse_kept(text: str) -> KeptOfProject:
    """``certifi 10``, ``requests all``."""
    name, _, number = text.partition(" ")
    if not number:
        raise BadValue(f"{text!r}: write a project and how many of its releases to keep, like `certifi 10`")
    kept = None if number.strip() == "all" else _parse_number(number.strip())
    return KeptOfProject(project=parse_project_name(name), number=kept)


@dataclass(frozen=True, kw_only=True)
class NewestReleases(Filter):
    """Keeps the newest releases of each project, and all that earlier filters left of each.

    Each served machine counts for itself the releases that it can install (tags and Requires-Python), so one
    with an old Python keeps the newest releases that still run there. What differs in its local version alone
    (``2.0+cpu``, ``2.0+cu121``) is one release.

    - Final releases count. Of the pre-releases that are newer than all of them, as many are kept besides.
    - A yanked release does not count, and is kept where it is newer than the oldest that does.
    - What the allow-list asks for by one version, or by digests, is kept besides, however old.
    - Versions outside PEP 440 are older than all others. A file that names no version is kept.
    """

    section: ClassVar = RELEASES
    stage: ClassVar = Stage.COUNTS

    keep_latest: int | None = option(
        _parse_number,
        "How many of the newest releases of each project to mirror; empty: all.",
        "Counted for each Python of [platform] environments by itself, among the releases that the other "
        "filters keep. Pre-releases newer than the newest final release come on top, as many at most. Older "
        "releases leave the pages, and their files go after the grace period.",
        empty=True,
        example=("3",),
    )
    keep_latest_package: tuple[KeptOfProject, ...] = option(
        parse_kept,
        "The same for single projects, one a line: certifi 10, requests all.",
        format=lambda kept: f"{kept.project} {'all' if kept.number is None else kept.number}",
        many=True,
        empty=True,
        example=("certifi 10", "requests all"),
    )
    environments: tuple[Environment, ...] = field(default=(), repr=False)
    allowed: AllowedPackages | None = field(default=None, repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, environments=served_by(others), allowed=find(AllowedPackages, others))

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        number = self._numbers.get(project, self.keep_latest)
        if number is None:
            return {}
        releases = [
            (file, None if release is None else public_release(release))
            for file in files
            for release in (release_in(project, file.filename),)
        ]
        kept = self._kept(releases, number)
        for required in self._required(project, releases):
            kept |= self._kept(required, number)
        newest = max((each for each in kept if each is not None), default=None)
        reason = f"{self.setting_for(project)} keeps the newest {count(number, 'release')}"
        return {
            # A release that is newer than all that are kept can only be one that no machine installs.
            file.filename: f"{reason} that served machines can install, not this one"
            if newest is not None and release > newest
            else f"{reason}, this one is older"
            for file, release in releases
            if release is not None and release not in kept and not self._is_pinned(project, file)
        }

    def sentences(self) -> Iterator[str]:
        if self.keep_latest is not None:
            yield f"Only the newest {count(self.keep_latest, 'release')} of each project."
        if self.keep_latest_package:
            kept = (
                f"{each.project} {'all' if each.number is None else each.number}"
                for each in self.keep_latest_package
            )
            yield f"Newest releases of single projects: {', '.join(sorted(kept))}."

    def setting_for(self, project: NormalizedName, reason: str = "") -> str:
        return f"[releases] {'keep-latest-package' if project in self._numbers else 'keep-latest'}"

    def _required(
        self, project: NormalizedName, releases: Sequence[tuple[RemoteFile, Release | None]]
    ) -> Iterator[list[tuple[RemoteFile, Release | None]]]:
        """What each requirement of other projects admits: of that, the newest are kept, too."""
        if self.allowed is None or project not in self.allowed.demanded:
            return
        allowed = self.allowed
        files = [file for file, _ in releases]
        admitted = AdmittedReleases(project, files, allowed.demanded.of(project))
        for met in admitted.by_specifier(allowed.machines.bits):
            yield [each for each in releases if each[0].filename in met]

    def _is_pinned(self, project: NormalizedName, file: RemoteFile) -> bool:
        return self.allowed is not None and self.allowed.roots.is_pinned(project, file)

    @cached_property
    def _numbers(self) -> dict[NormalizedName, int | None]:
        return {each.project: each.number for each in self.keep_latest_package}

    @cached_property
    def _machines(self) -> Machines:
        foreign = self.allowed is not None and self.allowed.dependencies.for_all_machines
        return Machines(self.environments, foreign=foreign)

    def _kept(
        self, releases: Sequence[tuple[RemoteFile, Release | None]], number: int
    ) -> set[Release | None]:
        """The union of what each machine keeps, and what names no release; where no machine can install
        anything, all files count for one.
        """
        usable: defaultdict[int, dict[Release, bool]] = defaultdict(dict)
        every: dict[Release, bool] = {}
        for file, release in releases:
            if release is None:
                continue
            is_yanked = file.yanked is not None
            # Yanked is a release only as a whole.
            every[release] = is_yanked and every.get(release, True)
            for machine in self._machines.that_use(file):
                usable[machine][release] = is_yanked and usable[machine].get(release, True)
        kept: set[Release | None] = {None}
        for of_machine in list(usable.values()) or [every]:
            kept |= _newest(of_machine, number)
        return kept


def _newest(releases: Mapping[Release, bool], number: int) -> set[Release]:
    """What of ``releases``, each with whether it is yanked, is kept by the rules of ``NewestReleases``."""
    counted = sorted(release for release, is_yanked in releases.items() if not is_yanked)
    finals = [release for release in counted if not _is_prerelease(release)][-number:]
    others = [release for release in counted if not finals or release > finals[-1]][-number:]
    kept = {*finals, *others}
    oldest = min(kept, default=None)
    yanked = (release for release, is_yanked in releases.items() if is_yanked)
    return kept | {release for release in yanked if oldest is None or release > oldest}


def _is_prerelease(release: Release) -> bool:
    version = release[1]
    return not isinstance(version, str) and version.is_prerelease
