"""``[platform] exclude-filename``: a plain regular expression over file names."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile
from pypi_mirror.options import option
from pypi_mirror.options.parsers import parse_regex
from pypi_mirror.policy.filter import PLATFORM, Filter


@dataclass(frozen=True, kw_only=True)
class ExcludedFilenames(Filter):
    """Leaves out every file whose name the pattern is found in: wheels, sdists and all else alike."""

    section: ClassVar = PLATFORM

    exclude_filename: str | None = option(
        parse_regex,
        "A regular expression; files are left out if it is found in their names.",
        "The line below has no semicolon: it leaves out all files for Windows and macOS. To mirror these, "
        "too, delete the line.",
        empty=True,
        preset="macosx|win32|win_amd64|win_arm64",
    )

    def reject_file(self, project: NormalizedName, file: RemoteFile) -> str | None:
        found = self._search(file.filename)
        if found is None:
            return None
        return (
            f"[platform] exclude-filename = {self.exclude_filename} finds {found.group()!r} in the filename"
        )

    def sentences(self) -> Iterator[str]:
        yield f"No files whose name matches {self.exclude_filename}."

    @cached_property
    def _search(self) -> Callable[[str], re.Match[str] | None]:
        return re.compile(self.exclude_filename or "").search
