"""The mirror's status for people and monitors: ``web/mirror.json``."""

from datetime import datetime

import msgspec
from msgspec import Struct

from pypi_mirror.model import RunState


class WaitingPlan(Struct, frozen=True, kw_only=True):
    """A plan that waits for a person: what it would remove, and, in words, all that it ``would`` do and which
    limits that exceeds.
    """

    plan: str
    projects: int
    files: int
    bytes: int
    would: str
    exceeded: tuple[str, ...]


class LeftToDo(Struct, frozen=True, kw_only=True):
    """What syncs in parts have left to later ones; ``bytes`` is an estimate, None before there is any."""

    projects: int
    bytes: int | None


class FollowedDependencies(Struct, frozen=True, kw_only=True):
    """How many projects [allowlist] names, how many others these require, and how many requirements nothing
    here meets; ``complete`` says whether all was followed by the rules in force.
    """

    named: int
    required: int
    complete: bool
    unmet: int


class Unannounced(Struct, frozen=True, kw_only=True):
    """What our page of a project lost because upstream's did, without any event; ``is_gone``: all of it."""

    project: str
    files: int
    bytes: int
    is_gone: bool
    at: datetime


class MirrorStatus(Struct, frozen=True, kw_only=True):
    """How full and how fresh the mirror is.

    ``cursor`` is the serial the mirror is complete up to, ``upstream_serial`` the newest one upstream was
    seen at; both None where upstream has no serials or nothing ran yet. ``updated_at`` is when the last
    complete run ended, ``checked_at`` when upstream was last asked; both with a time zone. ``projects``,
    ``files`` and ``bytes`` are what the mirror holds; ``dropped_files`` and ``dropped_bytes`` what the
    filters left out of it, ``held_files`` new files in cooldown. ``last_run`` is the newest run's state;
    ``paused_until`` is when the download window opens for what is left to do, None where nothing waits for
    that. ``backlog`` counts projects that failed and will be tried again, ``parked`` those of them that
    failed so often that they are tried once a week.
    ``waiting`` is the last plan, where it needs approval and has none. ``clock_ahead`` is by how many seconds
    this machine's clock runs ahead of upstream's, None while the two agree.
    ``lag_seconds`` is how long the mirror has lacked something that upstream has, 0 while it lacks nothing,
    None where that cannot be told; ``upstream_silent_since`` is since when upstream could not be asked.
    ``left`` is what syncs have left to later ones. ``disk_free`` is the room on the pool's disk,
    ``disk_full_at`` when only disk-reserve of it will be left if it goes on filling as it did in the last
    week, None where it does not.
    ``unknown_names`` are in [allowlist] packages or requirements, but upstream does not list them;
    ``unmet_rules`` are releases (``example==1.0``) that these name and upstream does not have.
    ``refused_files`` and ``refused_fields`` count files and values of upstream's pages that are left out
    because they are invalid or unsafe; ``silent_losses`` are what pages lost in the last seven days and no
    event announced.
    ``dependencies`` is None where none are followed.
    """

    cursor: int | None
    upstream_serial: int | None
    updated_at: datetime | None
    checked_at: datetime | None
    projects: int
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    held_files: int = 0
    last_run: RunState | None
    paused_until: datetime | None = None
    backlog: int
    parked: int
    waiting: WaitingPlan | None = None
    clock_ahead: int | None = None
    lag_seconds: int | None = None
    upstream_silent_since: datetime | None = None
    left: LeftToDo | None = None
    disk_free: int | None = None
    disk_full_at: datetime | None = None
    unknown_names: tuple[str, ...] = ()
    unmet_rules: tuple[str, ...] = ()
    refused_files: int = 0
    refused_fields: int = 0
    silent_losses: tuple[Unannounced, ...] = ()
    dependencies: FollowedDependencies | None = None

    @property
    def events_behind(self) -> int | None:
        """How many events upstream is ahead, None if unknown."""
        if self.cursor is None or self.upstream_serial is None:
            return None
        return max(0, self.upstream_serial - self.cursor)


def render_status(status: MirrorStatus) -> bytes:
    """``mirror.json``: the fields under their names, times in RFC 3339."""
    return msgspec.json.format(msgspec.json.encode(status), indent=2) + b"\n"
