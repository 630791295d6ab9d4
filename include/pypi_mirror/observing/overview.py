"""The mirror at a glance: how fresh, how full, what waits for a person."""

from datetime import datetime
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.changes.upstream_state import lag_of, upstream_state
from pypi_mirror.clock import utc, utc_or_none
from pypi_mirror.disk.room import reserved, room_of
from pypi_mirror.errors import Mistake
from pypi_mirror.facts.values import UnmetRule
from pypi_mirror.ledger.listings import AnyRow
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.observing.cooldown import InCooldown, in_cooldown
from pypi_mirror.observing.dependencies import DependencyCounts, count_dependencies
from pypi_mirror.observing.paging import Page, one_more, page_of, shown
from pypi_mirror.observing.progress import run_under_way
from pypi_mirror.observing.remembered import newest_run, remembered
from pypi_mirror.planning.pause import paused_until
from pypi_mirror.planning.removals import waiting_for_approval
from pypi_mirror.planning.to_do import Left, left
from pypi_mirror.planning.unknown_names import unknown_names
from pypi_mirror.planning.unmet_rules import unmet_rules
from pypi_mirror.run_label import RunName, run_name

__all__ = ["Disk", "InCooldown", "Left", "Overview", "Tombstones", "Waiting", "overview"]

_EXAMPLES: Final = 3


class PlannedRemoval(Struct, frozen=True, kw_only=True):
    """What readers lose of a project, and why; ``whole`` says that its page goes."""

    project: NormalizedName
    reason: str
    whole: bool
    files: int
    bytes: int


def removals_waiting(mirror: Mirror, after: str | None = None, limit: int = 50) -> Page[PlannedRemoval]:
    """By name after the project ``after``; empty when no plan waits. ``Overview.waiting`` has the sums."""
    removals = waiting_for_approval(mirror)
    found = []
    if removals is not None:
        found = list(mirror.ledger.listings.losing(removals.run_id, after, one_more(limit)))
    return page_of(found, limit, show=_shown, key=lambda row: str(row.project))


def _shown(row: AnyRow) -> PlannedRemoval:
    return PlannedRemoval(
        project=NormalizedName(row.project),
        reason=row.reason,
        whole=row.loses_project,
        files=row.loses_files,
        bytes=row.loses_bytes,
    )


class Waiting(Struct, frozen=True, kw_only=True):
    """A plan that waits for a person's approval: whose it is, what it removes, and which limits that exceeds.

    ``run`` is the label of its run, which began at ``started_at``. ``projects`` lose their page, ``touched``
    their page or some of their files; ``examples`` are the first of them. Removed files stay on the disk for
    ``grace_days``, None where they are never deleted. Without an answer the run fails after
    ``approval_hours``. ``would`` says all that it does, in words; it may only add, beyond the limits of
    [dependencies]: ``added_projects`` that others require, with ``added_bytes``.
    """

    plan: str
    run: str
    run_name: RunName
    started_at: datetime
    projects: int
    touched: int
    files: int
    bytes: int
    exceeded: tuple[str, ...]
    examples: tuple[PlannedRemoval, ...]
    grace_days: float | None
    approval_hours: float
    would: str
    added_projects: int = 0
    added_bytes: int = 0


class Tombstones(Struct, frozen=True, kw_only=True):
    """Files that no page lists and that are still on the disk."""

    count: int
    bytes: int


class Disk(Struct, frozen=True, kw_only=True):
    """The disk of the pool, in bytes: what this user may still write, and how much of it is kept free."""

    path: str
    total: int
    free: int
    reserve: int


class Overview(Struct, frozen=True, kw_only=True):
    """How full and how fresh the mirror is at ``at``.

    ``cursor`` is the serial it is complete up to, ``upstream_serial`` the newest that upstream was seen at,
    ``behind`` their difference. ``lag_seconds`` is how long the mirror has been behind: 0 while upstream has
    no event after the cursor that can change what the mirror holds, None while that cannot be told (before
    the first complete sync; an upstream without serials). ``upstream_silent_since`` is since when upstream
    could not be asked. ``updated_at`` is when the last complete run ended, ``checked_at`` when upstream last
    said what is new. ``backlog`` counts projects that failed, ``parked`` those of them that failed too often.
    ``cooldown`` counts the files that wait before pages list them. ``dependencies`` counts what was followed,
    None where nothing is.
    ``running`` is the label of the run under way, ``left`` what syncs have still to do.
    ``unknown_names`` are those that [allowlist] packages asks for and upstream does not have, ``unmet_rules``
    its releases and files that upstream's pages lack. ``last_reason``
    says why the last run failed or paused. ``configuration_warnings`` are lines of the configuration that
    have no effect, or another one than in bandersnatch.
    """

    at: datetime
    cursor: int | None
    upstream_serial: int | None
    behind: int | None
    lag_seconds: int | None
    upstream_silent_since: datetime | None
    updated_at: datetime | None
    checked_at: datetime | None
    projects: int
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    backlog: int
    parked: int
    tombstones: Tombstones
    cooldown: InCooldown
    waiting: Waiting | None
    disk: Disk
    running: str | None
    left: Left | None
    last_run: RunState | None
    paused_until: datetime | None
    clock_ahead: int | None
    unknown_names: tuple[NormalizedName, ...]
    unmet_rules: tuple[UnmetRule, ...] = ()
    configuration_warnings: tuple[Mistake, ...] = ()
    last_reason: str | None = None
    dependencies: DependencyCounts | None = None


def overview(mirror: Mirror) -> Overview:
    """The mirror as its ledger and its disk have it now.

    Of a large mirror sums over all of it may be some seconds old (``remembered``).
    """
    ledger, settings = mirror.ledger, mirror.settings
    # An audit asks upstream for some pages, not for what is new.
    latest = next(iter(ledger.runs.latest(audits=False)), None)
    success = ledger.runs.last_success()
    upstream = upstream_state(mirror)
    cursor = ledger.facts.cursor
    upstream_serial = upstream.serial if latest is None else _newest(upstream.serial, latest.cursor_to)
    run = newest_run(mirror)
    totals = remembered(ledger.engine.url, "totals", ledger.projects.totals, run)
    running = run_under_way(mirror)
    pool = settings.web / "packages"
    room = room_of(pool)
    number, size = remembered(ledger.engine.url, "tombstones", ledger.listings.tombstone_sums, run)
    return shown(
        Overview,
        totals,
        at=utc(mirror.clock()),
        cursor=cursor,
        upstream_serial=upstream_serial,
        behind=None if cursor is None or upstream_serial is None else max(0, upstream_serial - cursor),
        lag_seconds=lag_of(mirror),
        upstream_silent_since=utc_or_none(upstream.silent_since),
        updated_at=utc_or_none(None if success is None else success.finished_at),
        checked_at=utc_or_none(_newest(upstream.asked_at, _answered(latest))),
        backlog=ledger.backlog.count(),
        parked=ledger.backlog.count_parked(),
        tombstones=Tombstones(count=number, bytes=size),
        cooldown=remembered(ledger.engine.url, "cooldown", lambda: in_cooldown(mirror), run),
        dependencies=remembered(
            ledger.engine.url, "dependencies", lambda: count_dependencies(mirror), run, mirror.selection
        ),
        waiting=_waiting(mirror),
        disk=Disk(
            path=str(pool),
            total=room.size,
            free=room.free,
            reserve=reserved(settings.disk_reserve, room.size),
        ),
        running=None if running is None else running.request.label,
        left=left(mirror),
        last_run=None if latest is None else latest.state,
        paused_until=paused_until(mirror),
        clock_ahead=ledger.facts.clock_ahead,
        unknown_names=unknown_names(mirror),
        unmet_rules=unmet_rules(mirror),
        configuration_warnings=settings.warnings,
        last_reason=None if latest is None or latest.outcome is None else latest.outcome.reason,
    )


def _waiting(mirror: Mirror) -> Waiting | None:
    removals = waiting_for_approval(mirror)
    if removals is None:
        return None
    run = mirror.ledger.runs.get(removals.run_id)
    return shown(
        Waiting,
        removals,
        run=run.request.label,
        run_name=run_name(run.request.label),
        started_at=utc(run.started_at),
        examples=removals_waiting(mirror, limit=_EXAMPLES).items,
        grace_days=mirror.settings.grace_days if mirror.settings.delete_packages else None,
        approval_hours=mirror.settings.guard.approval_hours,
        would=removals.would(),
    )


def _answered(run: Run | None) -> int | None:
    """When a run was told by upstream what has changed; None when it never was."""
    return run.started_at if run is not None and run.source in ("changelog", "index") else None


def _newest(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)
