"""The filters of one mirror, composed: which projects, and which files of them, are mirrored."""

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.filters.blocked_platforms import BlockedPlatforms
from pypi_mirror.filters.environments import ServedEnvironments
from pypi_mirror.filters.excluded_filenames import ExcludedFilenames
from pypi_mirror.filters.file_filter import FileFilter
from pypi_mirror.filters.projects import ProjectFilter
from pypi_mirror.filters.releases import AllowedReleases, BlockedReleases
from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.settings.values import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedFile:
    """A file that is not mirrored; ``reason`` names the setting that says so."""

    file: RemoteFile
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Every file of a project page, in the page's order, on one side or the other."""

    kept: tuple[RemoteFile, ...]
    dropped: tuple[DroppedFile, ...]


class Selector:
    """Decides over projects and files. Pure: the same selection and page always give the same decision."""

    def __init__(self, *, projects: ProjectFilter, files: Sequence[FileFilter]) -> None:
        self._projects = projects
        self._files = tuple(files)

    def why_not(self, project: NormalizedName) -> str | None:
        """Why ``project`` is not mirrored, for people; None when it is."""
        return self._projects.reason_to_drop(project)

    def why_not_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """Why ``file`` of a selected project is not mirrored, for people; None when it is."""
        for file_filter in self._files:
            reason = file_filter.reason_to_drop(project, file)
            if reason is not None:
                return reason
        return None

    def decide(self, page: ProjectPage) -> Decision:
        """Which files of ``page`` are mirrored; of a project that is not selected, none."""
        unselected = self.why_not(page.name)
        kept: list[RemoteFile] = []
        dropped: list[DroppedFile] = []
        for file in page.files:
            reason = unselected or self.why_not_file(page.name, file)
            if reason is None:
                kept.append(file)
            else:
                dropped.append(DroppedFile(file=file, reason=reason))
        return Decision(kept=tuple(kept), dropped=tuple(dropped))

    def explain(self, project: NormalizedName, file: RemoteFile) -> str:
        """One sentence for people: whether ``file`` is mirrored, and everything that speaks against it."""
        reasons = [reason for f in self._files if (reason := f.reason_to_drop(project, file)) is not None]
        unselected = self.why_not(project)
        if unselected is not None:
            reasons.insert(0, unselected)
        if not reasons:
            return f"{file.filename} is mirrored: no filter drops it."
        return f"{file.filename} is not mirrored: {'; '.join(reasons)}."


def build_selector(selection: Selection) -> Selector:
    """The filters that ``selection`` asks for, cheapest first; filters without settings take no part."""
    files: list[FileFilter] = []
    if selection.exclude_filename is not None:
        files.append(ExcludedFilenames(selection.exclude_filename))
    if selection.blocked_platforms:
        files.append(BlockedPlatforms(selection.blocked_platforms))
    if selection.environments:
        files.append(ServedEnvironments(selection.environments))
    if selection.blocked_releases:
        files.append(BlockedReleases(selection.blocked_releases))
    if selection.allowed_releases:
        files.append(AllowedReleases(selection.allowed_releases))
    projects = ProjectFilter(allowed=selection.allowed_projects, blocked=selection.blocked_projects)
    return Selector(projects=projects, files=files)
