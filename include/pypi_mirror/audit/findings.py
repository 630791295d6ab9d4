"""What an audit finds, one value a fault."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from packaging.utils import NormalizedName


class Kind(StrEnum):
    """The faults an audit knows."""

    MISSING = "missing file"
    SIZE = "file of the wrong size"
    CORRUPT = "corrupt file"
    UNREADABLE = "unreadable"
    CLOSED = "not readable by the web server"
    METADATA = "wrong metadata"
    PROVENANCE = "wrong provenance"
    TOMBSTONE = "wrong tombstone"
    ROW = "wrong row in the ledger"
    UNLISTED = "file that no page lists"
    PAGE = "wrong page"
    TWIN = "wrong compressed twin"
    STRAY_PAGE = "page of no project"
    ROOT_INDEX = "wrong root index"
    NAME_MAP = "wrong name map"
    ORPHAN = "file in no row"
    LEFTOVER = "temporary file"
    CLASH = "two files for one place"
    BEHIND = "page behind an event"

    @property
    def words(self) -> str:
        """For people. The values are labels of a metric and keys of JSON, which do not change."""
        return _WORDS.get(self, self.value)


_WORDS: Final = {
    Kind.STRAY_PAGE: "page of an unknown project",
    Kind.ORPHAN: "file unknown to the ledger",
    Kind.CLASH: "two files claim one path",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault. ``path`` is relative to the mirror's directory; ``detail`` tells people what is wrong."""

    kind: Kind
    path: str
    project: NormalizedName | None = None
    detail: str = ""

    def __str__(self) -> str:
        owner = "" if self.project is None else f"{self.project}: "
        detail = f" ({self.detail})" if self.detail else ""
        return f"{owner}{self.kind.words}: {self.path}{detail}"
