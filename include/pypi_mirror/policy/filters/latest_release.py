"""``[latest_release]``: of each project only the newest releases."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import ClassVar, Literal, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import Section, option
from pypi_mirror.options.parsers import choice, integer
from pypi_mirror.policy.filter import Context, Filter, Stage, find
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.releases import Release, release_in
from pypi_mirror.wording import count

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_Releases = Mapping[Release, Sequence[RemoteFile]]


@dataclass(frozen=True, kw_only=True)
class LatestReleases(Filter):
    """Keeps the newest releases of each project, by version or by the time of their first file.

    Counted among what all other filters keep. The release that clients install without being asked for
    another, which is the newest final that is not yanked, is one of them: where it is older, it takes the
    place of the oldest. By version, what names no version of PEP 440 is left out, for nothing says how new it
    is; by time, a file that names no version is a release of its own. What the allow-list asks for by one
    version, or by digests, is kept besides.
    """

    section: ClassVar = Section(
        name="latest_release",
        doc="The newest releases alone.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )
    stage: ClassVar = Stage.COUNTS

    keep: int = option(
        integer(0, 1_000_000),
        "How many of the newest releases of each project to mirror; 0: all.",
        "Counted among the releases that the other filters keep. The newest final release that is not yanked "
        "is always one of them. [releases] keep-latest counts for each served Python by itself.",
        default="0",
        example=("3",),
    )
    sort_by: Literal["version", "time"] = option(
        choice("version", "time"),
        "Whether the newest releases are those of the highest version, or those that were uploaded last.",
        key="sort_by",
        default="version",
    )

    allowed: AllowedPackages | None = field(default=None, repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, allowed=find(AllowedPackages, others))

    @property
    def takes_part(self) -> bool:
        return self.keep > 0

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        releases: defaultdict[Release, list[RemoteFile]] = defaultdict(list)
        for file in files:
            releases[release_in(project, file.filename) or (False, file.filename)].append(file)
        kept = self._kept(releases)
        reason = f"[latest_release] keep = {self.keep} keeps the newest {count(self.keep, 'release')}"
        return {
            file.filename: f"{reason}, this one is {'older' if release[0] else 'of no version of PEP 440'}"
            for release, of_release in releases.items()
            if release not in kept
            for file in of_release
            if self.allowed is None or not self.allowed.roots.is_pinned(project, file)
        }

    def sentences(self) -> Iterator[str]:
        yield f"Only the newest {count(self.keep, 'release')} of each project."

    def _kept(self, releases: _Releases) -> list[Release]:
        if self.sort_by == "time":
            ordered = sorted(releases, key=lambda each: (_first_upload(releases[each]), each), reverse=True)
        else:
            ordered = sorted((each for each in releases if each[0]), reverse=True)
        kept = ordered[: self.keep]
        current = _current(releases)
        if current is not None and current not in kept:
            kept[-1] = current
        return kept


def _current(releases: _Releases) -> Release | None:
    """Return what clients install: the newest final that is not yanked, else the newest that there is."""
    return max(
        (each for each in releases if each[0]),
        key=lambda each: (
            any(file.yanked is None for file in releases[each]),
            not isinstance(each[1], str) and not each[1].is_prerelease,
            each,
        ),
        default=None,
    )


def _first_upload(files: Sequence[RemoteFile]) -> datetime:
    """Return when the first file of a release came; one without a time counts as old."""
    return min(map(_uploaded, files))


def _uploaded(file: RemoteFile) -> datetime:
    # RFC 3339, checked where the page was read (PEP 700); an index may leave the zone out.
    moment = datetime.fromisoformat(file.upload_time) if file.upload_time else _LONG_AGO
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
