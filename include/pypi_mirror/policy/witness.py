"""Final releases that stay because others are pre-releases: installers choose by whether there are any."""

from collections.abc import Sequence

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.policy.releases import parsed
from pypi_mirror.release_files import version_in


def is_prerelease(project: NormalizedName, file: RemoteFile) -> bool:
    version = parsed(version_in(project, file.filename) or "")
    return version is not None and version.is_prerelease


def keep_witness(project: NormalizedName, files: Sequence[RemoteFile], reasons: dict[str, str]) -> None:
    """Take one final release out of ``reasons`` where only pre-releases would be left without it.

    uv takes no pre-release of a project that has a final release, even one that is yanked, or that no
    requirement admits, or that it cannot install.
    """
    kept = [file for file in files if file.filename not in reasons]
    if not kept or not all(is_prerelease(project, file) for file in kept):
        return
    finals = [
        (file.yanked is None, version, -(file.size or 0), file.filename)
        for file in files
        if (version := parsed(version_in(project, file.filename) or "")) and not version.is_prerelease
    ]
    if finals:
        del reasons[max(finals)[-1]]
