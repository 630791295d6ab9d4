"""``[versions_count_project_metadata]``: no project with too few or too many versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage
from pypi_mirror.options import Section, option
from pypi_mirror.options.packages import parse_project_name
from pypi_mirror.options.parsers import integer
from pypi_mirror.policy.filter import Filter, Stage
from pypi_mirror.release_files import version_in
from pypi_mirror.wording import count


@dataclass(frozen=True, kw_only=True)
class NumberOfVersions(Filter):
    """Leaves out projects with fewer or more versions, whatever other filters leave of them.

    Versions are those that the page lists (PEP 700), without files too; those of the file names where an
    index lists none.
    """

    section: ClassVar = Section(
        name="versions_count_project_metadata",
        doc="No projects with too few or too many versions.",
        see="[Filters](filters.md#filters-of-bandersnatch)",
    )
    stage: ClassVar = Stage.RELEASES

    min_versions: int = option(
        integer(0, 1_000_000),
        "The least number of versions of a project to mirror.",
        "A project is mirrored once it has so many.",
        key="min_versions",
        default="0",
        example=("2",),
    )
    max_versions: int = option(
        integer(0, 1_000_000),
        "The largest number of versions of a project to mirror; 0: any number.",
        "A project that gets more leaves the pages with its next event.",
        key="max_versions",
        default="0",
        example=("2000",),
    )
    exempt_packages: tuple[NormalizedName, ...] = option(
        parse_project_name,
        "Projects that are mirrored with any number of versions, one a line.",
        key="exempt_packages",
        many=True,
        empty=True,
        example=("certifi",),
    )

    @property
    def takes_part(self) -> bool:
        return bool(self.min_versions or self.max_versions)

    def reject_page(self, page: ProjectPage) -> str | None:
        if page.name in self.exempt_packages:
            return None
        number = len(
            set(page.versions) or {version_in(page.name, file.filename) for file in page.files} - {None}
        )
        has = f"{page.name} has {count(number, 'version')}"
        if number < self.min_versions:
            return f"[versions_count_project_metadata] min_versions is {self.min_versions}, {has}"
        if 0 < self.max_versions < number:
            return f"[versions_count_project_metadata] max_versions is {self.max_versions}, {has}"
        return None

    def sentences(self) -> Iterator[str]:
        if self.min_versions:
            yield f"No project with fewer than {count(self.min_versions, 'version')}."
        if self.max_versions:
            yield f"No project with more than {count(self.max_versions, 'version')}."
