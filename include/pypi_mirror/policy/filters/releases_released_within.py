"""``[releases] released-within``: of each project the releases of the last years, and always the newest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Self

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.durations import duration_of_days, format_duration
from pypi_mirror.policy.filter import RELEASES, Context, Filter, Stage
from pypi_mirror.policy.filters.cooldown_exclude_newer import uploaded_at
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from pypi_mirror.policy.releases import Release, public_release, release_in
from pypi_mirror.wording import moment_of


@dataclass(frozen=True, kw_only=True)
class RecentReleases(Filter):
    """Leaves out releases that are too old, but for what ``keep-latest = 1`` keeps: a quiet project stays.

    A release is as old as the first of its files that earlier filters keep: a wheel that is added years later
    makes no old release new. One of which no file has an upload time stays, and so does a file that names no
    version.
    """

    section: ClassVar = RELEASES
    stage: ClassVar = Stage.AGES

    released_within: int | None = option(
        duration_of_days(1, 36_500),
        "How old releases may be (730 days, 104 weeks); empty: any age.",
        "By the upload of a release's first file and upstream's clock. Whatever its age, the newest release "
        "stays, for each Python of [platform] environments by itself, and so does what the allow-list pins. "
        "Releases that get too old leave the pages with the next sync, and their files go after the grace "
        "period.",
        format=lambda seconds: "" if seconds is None else format_duration(seconds),
        empty=True,
        example=("730 days",),
    )
    newest: NewestReleases = field(default=NewestReleases(keep_latest=1), repr=False)

    def beside(self, others: Sequence[Filter]) -> Self:
        return replace(self, newest=self.newest.beside(others))

    def reject_files(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Mapping[str, str]:
        return {
            file.filename: f"{self._said}, this release is of {moment_of(released - 1)}"
            for file, released in self._passing(project, files, context)
            if released + self._seconds <= context.planned_at
        }

    def changes_at(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> int | None:
        ends = (released + self._seconds for _, released in self._passing(project, files, context))
        return min((end for end in ends if end > context.planned_at), default=None)

    def sentences(self) -> Iterator[str]:
        yield f"Releases of the last {format_duration(self._seconds)}, and the newest of each project."

    @property
    def _seconds(self) -> int:
        return self.released_within or 0

    @cached_property
    def _said(self) -> str:
        return f"[releases] released-within = {format_duration(self._seconds)}"

    def _passing(
        self, project: NormalizedName, files: Sequence[RemoteFile], context: Context
    ) -> Iterator[tuple[RemoteFile, int]]:
        """The files that leave when their release is too old, each with when that came."""
        releases = [
            None if release is None else public_release(release)
            for release in (release_in(project, file.filename) for file in files)
        ]
        if len(set(releases)) < 2:
            # The newest stays, and there is no other.
            return
        first: dict[Release | None, int] = {}
        for file, release in zip(files, releases, strict=True):
            at = uploaded_at(file.upload_time)
            if at is not None:
                first[release] = min(at, first.get(release, at))
        others = self.newest.reject_files(project, files, context)
        for file, release in zip(files, releases, strict=True):
            if file.filename in others and release in first:
                yield file, first[release]
