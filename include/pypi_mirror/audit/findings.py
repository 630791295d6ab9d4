"""What an audit finds, one value a fault."""

from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import NormalizedName


class Kind(StrEnum):
    """The faults an audit knows; the values are for people."""

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
        return f"{owner}{self.kind}: {self.path}{detail}"
