"""``[platform] exclude-formats``: kinds of files that no installer takes any more."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.parsers import choice
from pypi_mirror.policy.filenames import Kind, describe_other
from pypi_mirror.policy.filter import PLATFORM, Filter

_FORMATS: Final = ("egg", "exe", "msi", "dmg", "rpm", "deb", "dumb")


@dataclass(frozen=True, kw_only=True)
class ExcludedFormats(Filter):
    """Leaves out files of these formats, known by their names; wheels and source archives stay."""

    section: ClassVar = PLATFORM

    exclude_formats: tuple[str, ...] = option(
        choice(*_FORMATS),
        "Old formats not to mirror: egg exe msi dmg rpm deb dumb (bdist_dumb).",
        "pip and uv install none of them.",
        many=True,
        words=True,
        empty=True,
        example=("egg exe msi dmg rpm deb dumb",),
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        kind = describe_other(file.filename).kind
        found = "dumb" if kind is Kind.DUMB else file.filename.rpartition(".")[2].lower()
        if found in self.exclude_formats and kind in (Kind.DUMB, Kind.EGG, Kind.INSTALLER):
            return f"[platform] exclude-formats lists {found}"
        return None

    def sentences(self) -> Iterator[str]:
        yield f"No files of these formats: {', '.join(self.exclude_formats)}."
