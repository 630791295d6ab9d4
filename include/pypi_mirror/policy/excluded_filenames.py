"""``[platform] exclude-filename``: a plain regular expression over filenames."""

import re
from typing import ClassVar

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile


class ExcludedFilenames:
    """Drops every file whose name the pattern is found in: wheels, sdists and all else alike."""

    setting: ClassVar = "[platform] exclude-filename"

    def __init__(self, pattern: str) -> None:
        self._search = re.compile(pattern).search
        self._pattern = pattern

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        found = self._search(file.filename)
        if found is None:
            return None
        return f"[platform] exclude-filename = {self._pattern} finds {found.group()!r} in the filename"
