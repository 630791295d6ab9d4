"""Why a project's files are here or not: upstream's page, decided by the real filters, beside the ledger."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from packaging.utils import NormalizedName

from pypi_mirror.mirror import Mirror

TIMEOUT = 10.0


class FileState(StrEnum):
    """What the mirror has of a file.

    ``HELD``: a page of ours lists it. ``TOMBSTONE``: it is on the disk, no page lists it. ``MISSING``: it is
    to be mirrored and is not here yet. ``ABSENT``: it is not here, and is not to be.
    """

    HELD = "held"
    TOMBSTONE = "tombstone"
    MISSING = "missing"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What speaks against a file: the setting (``[blocklist] platforms``) and half a sentence."""

    setting: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileExplained:
    """A file of upstream's page, or, with ``upstream`` false, one that only the ledger has.

    ``mirrored`` is the filters' verdict, ``refusals`` all that speaks against it, ``admitted_by`` the rule of
    [allowlist] that asks for this version where one has to. ``version`` is None where the name has none.
    """

    filename: str
    version: str | None
    size: int | None
    upstream: bool
    mirrored: bool
    refusals: tuple[Refusal, ...]
    admitted_by: str | None
    state: FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A project, and each of its files.

    ``selected`` says whether the filters let the project in, ``why`` by which setting. ``found`` says whether
    upstream has it, None when upstream could not be asked: then ``trouble`` says why, and ``files`` are the
    ledger's. ``serial`` is that of our page, ``upstream_serial`` that of upstream's.
    """

    project: NormalizedName
    at: datetime
    selected: bool
    why: str
    found: bool | None
    trouble: str | None
    status: str | None
    serial: int | None
    upstream_serial: int | None
    files: tuple[FileExplained, ...]

    @property
    def mirrored(self) -> int:
        """How many of the files are to be mirrored."""
        return sum(file.mirrored for file in self.files)


def explain(mirror: Mirror, name: NormalizedName, *, timeout: float = TIMEOUT) -> Explanation:
    """Ask upstream for the page of ``name``, ``timeout`` seconds at most, and decide over its files."""
    raise NotImplementedError
