"""The engine's data: frozen values that travel between upstream, plan, pool, pages and ledger.

Parsing is tolerant and lives at the edges (``upstream/``); whatever has one of these types was checked.
Sizes are bytes, times are UTC, digests are lower-case hexadecimal, serials count upstream's events.
"""

from enum import StrEnum

from msgspec import Struct, field
from packaging.utils import NormalizedName


class Event(Struct, frozen=True, kw_only=True):
    """One row of upstream's changelog; ``name`` is the display name, ``timestamp`` is in seconds."""

    serial: int
    name: str
    project: NormalizedName
    version: str | None
    timestamp: int
    action: str


class ProjectStatus(Struct, frozen=True, kw_only=True):
    """PEP 792: ``active``, ``archived``, ``quarantined`` or ``deprecated``, with upstream's reason."""

    status: str = "active"
    reason: str | None = None


# Keys of an object on a page that this program does not know, each with its JSON text as upstream wrote it.
# A later PEP's keys pass through the mirror by these; PEP 833 freezes HTML, so they are in JSON alone.
Extra = tuple[tuple[str, bytes], ...]


class Refused(Struct, frozen=True, kw_only=True):
    """A part of upstream's page that is left out because it is invalid or unsafe; its project goes on.

    ``filename`` is printable text: upstream's name, or a description where there is no usable name. It is
    None for a part of the page itself. ``field`` is the key that is dropped, None for a whole file.
    """

    filename: str | None
    field: str | None
    reason: str

    @property
    def is_file(self) -> bool:
        """Whether a whole file is left out, not a value of one."""
        return self.field is None

    def __str__(self) -> str:
        named = " of ".join(part for part in (self.field, self.filename) if part is not None)
        return f"{named or 'the page'}: {self.reason}"


class RemoteFile(Struct, frozen=True, kw_only=True):
    """A file as a project page announces it (PEP 503, 592, 658/714, 691, 700, 740).

    ``yanked`` is None for a file that is not yanked and the reason, maybe empty, for one that is.
    ``core_metadata`` holds the digests of ``<url>.metadata`` (may be empty), None when there is none.
    ``upload_time`` is upstream's RFC 3339 string, kept as given.
    """

    filename: str
    url: str
    hashes: tuple[tuple[str, str], ...] = ()
    size: int | None = None
    upload_time: str | None = None
    requires_python: str | None = None
    yanked: str | None = None
    core_metadata: tuple[tuple[str, str], ...] | None = None
    provenance: str | None = None
    gpg_sig: bool | None = None
    extra: Extra = ()

    @property
    def sha256(self) -> str | None:
        return dict(self.hashes).get("sha256")


class ProjectPage(Struct, frozen=True, kw_only=True):
    """The PEP 691 document of one project, whatever format it came in.

    ``serial`` is the highest upstream serial the page shows (body or header), None where upstream has none.
    ``extra`` are keys of the page that we do not know, ``meta_extra`` such keys of its ``meta``. ``refused``
    is what of upstream's page is not in here, and why.
    """

    name: NormalizedName
    serial: int | None
    etag: str | None
    status: ProjectStatus = field(default_factory=ProjectStatus)
    versions: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()
    extra: Extra = ()
    meta_extra: Extra = ()
    refused: tuple[Refused, ...] = ()


def path_of(location: bytes, filename: str) -> str:
    """Where the pool has a file, relative to ``web/``; ``location`` is 32 bytes, the directory's name."""
    digest = location.hex()
    return f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}"


class PooledFile(Struct, frozen=True, kw_only=True):
    """A file that is in the pool, verified: what a page may list.

    ``path`` is relative to ``web/`` (``packages/aa/bb/<60 hex>/<filename>``). ``metadata_sha256`` is that of
    ``<path>.metadata``, ``provenance_sha256`` that of ``<path>.provenance``; None where there is none.
    """

    remote: RemoteFile
    path: str
    size: int
    sha256: str
    metadata_sha256: str | None = None
    provenance_sha256: str | None = None

    @property
    def has_provenance(self) -> bool:
        return self.provenance_sha256 is not None


class MirroredPage(Struct, frozen=True, kw_only=True):
    """What our own page of a project shows: upstream's page after the filters, over pooled files."""

    name: NormalizedName
    serial: int | None
    status: ProjectStatus
    versions: tuple[str, ...]
    files: tuple[PooledFile, ...]
    extra: Extra = ()
    meta_extra: Extra = ()


class IndexEntry(Struct, frozen=True, kw_only=True):
    """A project in a root index; ``name`` is the display name, ``serial`` None where there is none."""

    name: str
    project: NormalizedName
    serial: int | None


class RunKind(StrEnum):
    """What a run is for: only ``SYNC`` moves the cursor. ``COOLDOWN`` lists files whose time is over."""

    SYNC = "sync"
    BACKFILL = "backfill"
    SELECTED = "selected"
    AUDIT = "audit"
    COOLDOWN = "cooldown"


class RunState(StrEnum):
    """``PAUSED`` has ended, too: the rest of its plan is left to a later run, and the cursor where it was."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    PAUSED = "paused"


class Action(StrEnum):
    """What a plan does to a project."""

    SYNC = "sync"
    REMOVE = "remove"


class PlanState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class PlannedProject(Struct, frozen=True, kw_only=True):
    """A row of the plan.

    ``serial`` is the serial the project's page must have reached, None where upstream has no serials;
    ``exact`` says that an older page is a stale one (the changelog named a content event), not merely
    a page that a role event left behind (the root index counts those too). ``gone`` says that upstream
    is expected to have no such project any more. ``verify`` asks for every file to be hashed again on
    the disk. ``reason`` is for people. ``loses_project`` says that readers find its page gone afterwards,
    ``loses_files`` and ``loses_bytes`` what goes off the pages by it.

    ``unread`` says that upstream's page has to be asked for; without, the catalogue's entry serves if it is
    as new as ``serial``. Of a page that was read, ``new_files`` are not in the mirror yet: ``new_bytes`` as
    far as it states sizes, and ``unsized_files`` of those whose it does not.
    """

    project: NormalizedName
    display_name: str
    action: Action
    reason: str
    serial: int | None = None
    exact: bool = False
    gone: bool = False
    verify: bool = False
    unread: bool = True
    new_files: int = 0
    new_bytes: int = 0
    unsized_files: int = 0
    loses_project: bool = False
    loses_files: int = 0
    loses_bytes: int = 0


class Loss(Struct, frozen=True, kw_only=True):
    """What readers would lose by a project's new page and nothing has announced.

    ``project`` says that upstream has no page any more, or one without any file.
    """

    project: bool
    files: int
    bytes: int


class Tally(Struct, frozen=True, kw_only=True):
    """Counts of what was done; adds up over projects, batches and runs."""

    projects_done: int = 0
    projects_failed: int = 0
    projects_removed: int = 0
    files_downloaded: int = 0
    bytes_downloaded: int = 0
    files_kept: int = 0
    files_dropped: int = 0
    bytes_dropped: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(**{f: getattr(self, f) + getattr(other, f) for f in self.__struct_fields__})


class Failure(Struct, frozen=True, kw_only=True):
    """A project that is not as upstream has it: ``error`` is the error's class, ``reason`` its sentence.

    ``files`` are the names of files that could not be downloaded where the page was published all the same,
    without them or with the copies that were here; empty where the project's page is as it was.
    """

    project: NormalizedName
    error: str
    reason: str
    new: bool = True
    files: tuple[str, ...] = ()
