"""Facts that are more than a number or a text. Times are seconds since 1970."""

import msgspec
from msgspec import Struct, field
from packaging.utils import NormalizedName

from pypi_mirror.model import RunKind
from pypi_mirror.wording import count, size


class UpstreamState(Struct, frozen=True, kw_only=True):
    """What is known of upstream.

    ``serial`` is the newest upstream was seen at, ``asked_at`` when it last answered. ``missed_serial`` is
    the first event after the cursor of then that can change what the mirror holds, ``missed_at`` when it
    happened, or else when it was first heard of; both None when there was none. ``silent_since`` is when
    upstream first did not answer any more, ``trouble`` what went wrong; both None while it answers.
    ``selection`` names the filters that decided; ``index_etag`` is that of the root index that was looked
    through, where upstream has no changelog.
    """

    serial: int | None = None
    asked_at: int | None = None
    missed_serial: int | None = None
    missed_at: int | None = None
    silent_since: int | None = None
    trouble: str | None = None
    selection: str | None = None
    index_etag: str | None = None


class UpstreamIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What tells an upstream from others; ``sample`` has serials by project."""

    master: str
    sample: dict[str, int] = {}


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``, by download-window, ``until`` then."""

    run_id: int
    until: int | None = None


class Closure(msgspec.Struct, frozen=True, kw_only=True):
    """How far dependencies are followed: again from ``began`` on, under rules that ``fingerprint`` names.
    What nothing requires any more is known once that is ``complete``: since ``undemanded_since`` at the
    earliest, None where there is nothing of that kind.
    """

    fingerprint: str
    began: int
    complete: bool = False
    undemanded_since: int | None = None


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``: ``is_full`` says that gigabytes-per-run, not projects-per-run, leaves the rest
    of its plan to later runs.
    """

    run_id: int
    is_full: bool = False


class Removals(Struct, frozen=True, kw_only=True):
    """What the plan of a run removes, and, where that needs approval too, what it adds for others.

    ``plan`` is its id, empty where there is neither. ``touched`` counts the projects that lose their page or
    files. ``exceeded`` says in words which limits it is over; without any, it needs no approval. ``approved``
    says that it had it: from ``approved_by``, at ``approved_at``.
    """

    run_id: int
    kind: RunKind = RunKind.SYNC
    plan: str = ""
    projects: int = 0
    files: int = 0
    bytes: int = 0
    touched: int = 0
    exceeded: tuple[str, ...] = field(default=())
    approved: bool = False
    approved_by: str = ""
    approved_at: int | None = None
    added_projects: int = 0
    added_bytes: int = 0

    def would(self) -> str:
        """``remove 12 projects, 340 files (1.2 GB) and add 40 required projects (2 GB)``."""
        removes = f"remove {self.described()}" if self.touched else ""
        new = self.added_projects
        required = "1 required project" if new == 1 else f"{new:,} required projects"
        adds = f"add {required} ({size(self.added_bytes)})" if self.added_projects else ""
        return " and ".join(filter(None, (removes, adds)))

    def described(self) -> str:
        """What it removes: ``12 projects, 340 files (1.2 GB)``."""
        return f"{count(self.projects, 'project')}, {count(self.files, 'file')} ({size(self.bytes)})"


class SilentLoss(Struct, frozen=True, kw_only=True):
    """What our page of a project lost since upstream's has it no more, without any event that says so.

    ``is_gone`` says that upstream has no page of it, or one without files. ``at`` is when the run ``run_id``
    found it.
    """

    run_id: int
    at: int
    project: NormalizedName
    is_gone: bool
    files: int
    bytes: int

    def __str__(self) -> str:
        lost = f"{count(self.files, 'file')} ({size(self.bytes)})"
        what = (
            f"upstream no longer has any of its files, {lost}"
            if self.is_gone
            else f"upstream's page no longer lists {lost}"
        )
        return f"{self.project}: {what}; no event announced it; the mirror's page follows upstream"


class UnmetRule(Struct, frozen=True, kw_only=True):
    """A ``rule`` of [allowlist] (``example==1.0``) that no file upstream meets; ``by`` is who asks."""

    project: NormalizedName
    rule: str
    by: str


class AuditFindings(msgspec.Struct, frozen=True, kw_only=True):
    """Of the run ``run_id``: faults by kind, and how many of them were repaired, or not."""

    run_id: int
    found: dict[str, int]
    repaired: int
    unrepaired: int
