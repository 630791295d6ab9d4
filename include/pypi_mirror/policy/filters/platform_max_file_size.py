"""``[platform] max-file-size``: no file that is larger."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.sizes import format_size, parse_size_with_unit
from pypi_mirror.policy.filter import PLATFORM, Filter
from pypi_mirror.wording import size


@dataclass(frozen=True, kw_only=True)
class LargestFile(Filter):
    """Leaves out files whose stated size is larger. A file without a stated size stays."""

    section: ClassVar = PLATFORM

    max_file_size: int | None = option(
        parse_size_with_unit,
        "The size of the largest file to mirror (500 MB, 2 GB); empty: any.",
        "Upstream's page states sizes; a file without one is mirrored.",
        format=lambda value: "" if value is None else format_size(value),
        empty=True,
        example=("500 MB",),
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        if self.max_file_size is None or file.size is None or file.size <= self.max_file_size:
            return None
        return f"[platform] max-file-size is {size(self.max_file_size)}, the file has {size(file.size)}"

    def sentences(self) -> Iterator[str]:
        if self.max_file_size is not None:
            yield f"No file of more than {size(self.max_file_size)}."
