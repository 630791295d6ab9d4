"""What every filter of files is."""

from typing import ClassVar, Protocol

from packaging.utils import NormalizedName

from pypi_mirror.model import RemoteFile


class FileFilter(Protocol):
    """A rule over single files; it knows nothing of the disk, the ledger or the other filters.

    ``setting`` names what asks for it, as in ``[blocklist] platforms``.
    """

    setting: ClassVar[str]

    def reason_to_drop(self, project: NormalizedName, file: RemoteFile) -> str | None:
        """Why ``file`` is not mirrored, as half a sentence for people; None when this rule keeps it."""
