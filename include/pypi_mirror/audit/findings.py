"""What an audit finds: a fault, all of one project, and the report for people and programs."""

import logging
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct, field
from packaging.utils import NormalizedName

from pypi_mirror.ledger.projects import KnownProject
from pypi_mirror.model import Failure, ProjectPage
from pypi_mirror.pages.page_store import Rendered

log = logging.getLogger(__name__)

_MOST_EXAMPLES: Final = 200


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


class Finding(Struct, frozen=True, kw_only=True):
    """One fault. ``path`` is relative to the mirror's directory; ``detail`` tells people what is wrong."""

    kind: Kind
    path: str
    project: NormalizedName | None = None
    detail: str = ""

    def __str__(self) -> str:
        owner = "" if self.project is None else f"{self.project}: "
        detail = f" ({self.detail})" if self.detail else ""
        return f"{owner}{self.kind.words}: {self.path}{detail}"


class ProjectCheck(Struct, kw_only=True):
    """What a look at a project found.

    ``listed`` are the SHA-256 sums of the files that its page lists, by name, empty where it cannot be read.
    ``page`` is what the page says, None where nothing readable is left of it; ``again`` the files to write to
    have it right again, None where there are none or only upstream can tell. ``digest`` is the page's, to be
    noted where nobody did.

    ``wrong_files`` are the listed files, by name, that are not on the disk as they should be, each with its
    path and the SHA-256 of what lies there instead (None: nothing that can be read). ``wrong_rows`` are names
    of files whose rows go: they contradict a page that is as it was written, or the disk and the page;
    ``dead_tombstones`` of tombstones that nothing can be restored from. ``damaged``, ``closed`` and
    ``orphans`` are paths relative to ``web/``; what is ``closed`` the web server may not read. ``verified``
    are the files that were hashed and right. ``complete`` is false where the budget ended before the last
    file.
    """

    known: KnownProject
    findings: list[Finding] = field(default_factory=list)
    listed: dict[str, str] = field(default_factory=dict)
    page: ProjectPage | None = None
    again: Rendered | None = None
    digest: bytes | None = None
    wrong_files: dict[str, tuple[str, bytes | None]] = field(default_factory=dict)
    wrong_rows: set[str] = field(default_factory=set)
    dead_tombstones: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    needs_upstream: bool = False
    files: int = 0
    bytes_read: int = 0
    complete: bool = True

    @property
    def reason(self) -> str:
        """Why the project has to be made again, for people."""
        faults = [str(f) for f in self.findings if f.kind is not Kind.TOMBSTONE]
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        return f"the audit found damage: {faults[0] if faults else 'a wrong row'}{more}"

    def add(self, kind: Kind, path: str, detail: str = "") -> None:
        self.findings.append(Finding(kind=kind, path=path, project=self.known.project, detail=detail))


class AuditCoverage(Struct, frozen=True, kw_only=True):
    """How far back audits reach, of the window of ``days``.

    ``oldest`` is when the project that was audited longest ago was (seconds since 1970; 0: never), None in an
    empty mirror; the shares are of projects and bytes audited within the window. ``needed_bytes`` is
    what a run has to read to audit all in time, at the pace of the last runs, None before there are
    two; ``suffices`` whether the budget allows as much.
    """

    days: float
    oldest: int | None
    share_of_projects: float
    share_of_bytes: float
    needed_bytes: int | None
    suffices: bool | None


class AuditReport(Struct, frozen=True, kw_only=True):
    """What an audit looked at, found, and repaired.

    ``found`` counts by kind of fault; ``repaired`` and ``unrepaired`` add up to all of them but those
    ``waiting``: orphans that no audit found before; their grace period begins. ``withheld`` are files that
    pages no longer list because they are damaged and could not be downloaded again; their projects are in
    ``failures`` and on the backlog. ``examples`` are the first findings. ``rechecked`` projects were asked
    for upstream, ``changed`` of them had changed without an event, ``removed`` are gone. ``swept`` orphans
    were deleted. ``beside`` is the run that was at work during a dry run: what it has not finished was not
    looked at. ``refused`` parts of upstream's pages of these projects are left out, for they are invalid or
    unsafe. ``behind`` are those that are on the backlog, with the reason: not as upstream has them,
    whatever the disk has.
    """

    dry_run: bool
    projects: int
    files: int
    bytes: int
    directories: int
    found: dict[Kind, int]
    repaired: int
    waiting: int
    unrepaired: int
    withheld: tuple[str, ...]
    swept: int
    rechecked: int
    changed: int
    removed: int
    failures: tuple[Failure, ...]
    examples: tuple[Finding, ...]
    coverage: AuditCoverage
    reason: str | None = None
    beside: str | None = None
    refused: int = 0
    behind: tuple[Failure, ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong any more, as far as this audit looked."""
        return not self.unrepaired and not self.failures and self.reason is None

    def as_json(self) -> str:
        """One JSON object, indented, with ``clean`` beside the fields."""
        document = {"clean": self.is_clean, **msgspec.to_builtins(self)}
        return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


class Tallying(Struct, kw_only=True):
    """Counts while an audit runs; memory does not grow with what is found."""

    projects: int = 0
    files: int = 0
    bytes: int = 0
    directories: int = 0
    found: dict[Kind, int] = field(default_factory=dict)
    repaired: int = 0
    waiting: int = 0
    withheld: list[str] = field(default_factory=list)
    swept: int = 0
    rechecked: int = 0
    changed: int = 0
    removed: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    examples: list[Finding] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    behind: dict[str, Failure] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        log.warning("%s", finding)
        self.found[finding.kind] = self.found.get(finding.kind, 0) + 1
        if len(self.examples) < _MOST_EXAMPLES:
            self.examples.append(finding)

    def report(self, *, dry_run: bool, coverage: AuditCoverage, reason: str | None) -> AuditReport:
        counted = {name: getattr(self, name) for name in self.__struct_fields__}
        return AuditReport(
            **counted
            | {
                "dry_run": dry_run,
                "unrepaired": sum(self.found.values()) - self.repaired - self.waiting,
                "withheld": tuple(self.withheld),
                "failures": tuple(self.failures.values()),
                "examples": tuple(self.examples),
                "coverage": coverage,
                "reason": reason,
                "refused": sum(self.refused.values()),
                "behind": tuple(each for name, each in self.behind.items() if name not in self.failures),
            }
        )
