"""The filters of one mirror, composed: which projects, and which files of them, are mirrored."""

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror.model import ProjectPage, RemoteFile
from pypi_mirror.policy.blocked_platforms import BlockedPlatforms
from pypi_mirror.policy.environments import ServedEnvironments
from pypi_mirror.policy.excluded_filenames import ExcludedFilenames
from pypi_mirror.policy.file_filter import FileFilter
from pypi_mirror.policy.projects import ProjectFilter
from pypi_mirror.policy.releases import AllowedReleases, BlockedReleases
from pypi_mirror.settings.values import Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedFile:
    """A file that is not mirrored; ``reason`` names the setting that says so."""

    file: RemoteFile
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What speaks against a file: the setting (``[blocklist] platforms``), and half a sentence."""

    setting: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Every file of a project page, in the page's order, on one side or the other."""

    kept: tuple[RemoteFile, ...]
    dropped: tuple[DroppedFile, ...]


class Selector:
    """Decides over projects and files. Pure: the same selection and page always give the same decision."""

    def __init__(
        self,
        *,
        projects: ProjectFilter,
        files: Sequence[FileFilter],
        allowed_releases: AllowedReleases | None = None,
    ) -> None:
        """``allowed_releases`` is one of ``files``, where one of them asks for releases by rules."""
        self._projects = projects
        self._files = tuple(files)
        self._allowed_releases = allowed_releases

    def why_not(self, project: NormalizedName) -> str | None:
        """Why ``project`` is not mirrored, for people; None when it is."""
        return self._projects.reason_to_drop(project)

    def why(self, project: NormalizedName) -> str:
        """Why ``project`` is mirrored, or why not, for people."""
        return self.why_not(project) or self._projects.reason_to_keep(project)

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

    def refusals(self, project: NormalizedName, file: RemoteFile) -> tuple[Refusal, ...]:
        """All that speaks against ``file`` of a selected project; the first is why it is not mirrored."""
        reasons = ((f.setting, f.reason_to_drop(project, file)) for f in self._files)
        return tuple(Refusal(setting=setting, reason=reason) for setting, reason in reasons if reason)

    def admitted_by(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """The rule of ``[allowlist] packages`` that asks for the file's version; None where none has to."""
        if self._allowed_releases is None:
            return None
        return self._allowed_releases.admitted_by(project, file)


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
    allowed_releases = None
    if selection.allowed_releases:
        allowed_releases = AllowedReleases(selection.allowed_releases)
        files.append(allowed_releases)
    projects = ProjectFilter(allowed=selection.allowed_projects, blocked=selection.blocked_projects)
    return Selector(projects=projects, files=files, allowed_releases=allowed_releases)
