"""Projects: a search over all of them, one of them whole, and the backlog a page at a time."""

import re
from datetime import datetime
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.clock import utc, utc_or_none
from pypi_mirror.facts.values import UnmetRule
from pypi_mirror.ledger.left_out import LeftOut
from pypi_mirror.ledger.listings import AnyRow, ListedProject
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.asked_for_names import similar_names
from pypi_mirror.observing.cooldown import HeldFile, held_of
from pypi_mirror.observing.dependencies import chain_to, why_selected
from pypi_mirror.observing.paging import BadKey, Page, one_more, page_of, shown
from pypi_mirror.planning.unmet_rules import unmet_rules
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages

_EVENTS: Final = 20
_SIMILAR: Final = 5
_SEPARATORS: Final = re.compile(r"[-_.]+")
# The two groups of what a search finds, in their order.
_BEGINS: Final = "begins"
_CONTAINS: Final = "contains"


class Behind(Struct, frozen=True, kw_only=True):
    """A project that is not current. ``error`` is the error's class, ``reason`` its sentence.

    ``lagging`` says that it did not fail: upstream announced ``serial``, and its page is older.
    """

    project: NormalizedName
    display_name: str
    error: str
    reason: str
    serial: int | None
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    next_try_at: datetime
    parked: bool
    lagging: bool


def backlog_page(
    mirror: Mirror, after: str | None = None, limit: int = 50, parked: bool | None = None
) -> Page[Behind]:
    """Entries by name after the project ``after``; ``parked`` leaves only those that are, or are not."""
    found = mirror.ledger.listings.backlog(after, one_more(limit), parked=parked)
    return page_of(found, limit, show=shown_entry, key=lambda row: str(row.project))


def shown_entry(row: AnyRow) -> Behind:
    """A row of the backlog as people see it."""
    times = {name: utc(getattr(row, name)) for name in ("first_failed_at", "last_failed_at", "next_try_at")}
    return shown(Behind, row, **times)


class ProjectShown(Struct, frozen=True, kw_only=True):
    """A project as the mirror holds it.

    ``status`` is PEP 792's, or ``removing`` or ``removed`` of one that is gone and has tombstones left;
    ``serial`` is that of its page, ``synced_at`` when upstream was last asked for it.
    """

    project: NormalizedName
    display_name: str
    status: str
    serial: int | None
    files: int
    bytes: int
    dropped_files: int
    dropped_bytes: int
    synced_at: datetime


class FileShown(Struct, frozen=True, kw_only=True):
    """A file in the pool; ``path`` is relative to ``web/``, ``removed_at`` is set for a tombstone."""

    filename: str
    path: str
    size: int
    sha256: str
    uploaded_at: datetime | None
    verified_at: datetime | None
    metadata: bool
    provenance: bool
    removed_at: datetime | None


class EventShown(Struct, frozen=True, kw_only=True):
    """An event of upstream's changelog."""

    serial: int
    version: str | None
    at: datetime
    action: str


class ProjectWhole(Struct, frozen=True, kw_only=True):
    """All the ledger has of a project; ``held`` is None when that is no more than events or a failure.

    ``known`` is false of a name that neither the ledger nor the allow-list has; ``similar`` are then names
    that it may be a misspelling of.
    ``selected`` and ``why`` say whether the filters let it in and by which setting. ``left_out`` are parts of
    upstream's page that ours lacks: refused, or not downloaded. ``cooldown`` are files that no page lists
    yet, those due first, a page of them at most. ``events`` are the newest, newest first. ``unmet`` are rules
    of [allowlist] that upstream's page does not meet. ``chain`` is the shortest way to it from what
    [allowlist] names, empty where dependencies are not followed. ``partial``: only releases of it that are
    asked for are mirrored.
    """

    project: NormalizedName
    held: ProjectShown | None
    selected: bool
    why: str
    files: Page[FileShown]
    cooldown: tuple[HeldFile, ...]
    backlog: Behind | None
    left_out: tuple[LeftOut, ...]
    events: tuple[EventShown, ...]
    unmet: tuple[UnmetRule, ...] = ()
    known: bool = True
    similar: tuple[str, ...] = ()
    chain: tuple[NormalizedName, ...] = ()
    partial: bool = False


def project_page(
    mirror: Mirror, query: str = "", after: str | None = None, limit: int = 50
) -> Page[ProjectShown]:
    """Projects whose name begins with ``query``, in any spelling, then those that have it elsewhere.

    Each by name; ``after`` is the ``next`` of the page before. Raises BadKey for another ``after``.
    """
    part, wanted = _normalized(query), one_more(limit)
    group, name = _read_key(after)
    found: list[tuple[str, ListedProject]] = []
    if group == _BEGINS:
        found = [(_BEGINS, each) for each in mirror.ledger.listings.projects_beginning(part, name, wanted)]
        name = None
    if part and len(found) < wanted:
        more = mirror.ledger.listings.projects_containing(part, name, wanted - len(found))
        found += [(_CONTAINS, each) for each in more]
    return page_of(
        found, limit, show=lambda each: _project(each[1]), key=lambda each: f"{each[0]}:{each[1].name}"
    )


def similar_projects(mirror: Mirror, query: str) -> tuple[str, ...]:
    """What may be meant by ``query`` where no project has it in its name."""
    part = _normalized(query)
    return similar_names(mirror, part, most=_SIMILAR) if part else ()


def project(
    mirror: Mirror, name: NormalizedName, *, after: str | None = None, limit: int = 200
) -> ProjectWhole:
    """One project, its files after the filename ``after``."""
    listings = mirror.ledger.listings
    held = listings.project(name)
    entry = listings.entry(name)
    events = listings.events(name, _EVENTS)
    asked_for = name in mirror.policy.of(AllowedPackages).projects
    chain = chain_to(mirror, name)
    known = held is not None or entry is not None or bool(events) or asked_for or bool(chain)
    found = [] if held is None else listings.files(held[0], after, one_more(limit))
    return ProjectWhole(
        project=name,
        held=None if held is None else _project(held[1]),
        selected=mirror.policy.rejection_reason(name) is None,
        why=why_selected(mirror, name),
        files=page_of(found, limit, show=_file, key=lambda each: each[0].filename),
        cooldown=held_of(mirror, name),
        backlog=None if entry is None else shown_entry(entry),
        left_out=tuple(mirror.ledger.left_out.of([name]).get(name, ())),
        events=tuple(map(_event, events)),
        unmet=tuple(each for each in unmet_rules(mirror) if each.project == name),
        known=known,
        chain=chain,
        partial=mirror.policy.allowed.is_partial(name),
        similar=() if known else similar_names(mirror, name, most=_SIMILAR),
    )


def _normalized(query: str) -> str:
    """A part of a name as names are written in the ledger (PEP 503)."""
    return _SEPARATORS.sub("-", query.strip()).lower()


def _read_key(key: str | None) -> tuple[str, str | None]:
    """(group, name) of the last project that was seen; groups come one after the other."""
    if key is None:
        return _BEGINS, None
    group, colon, name = key.partition(":")
    if group not in (_BEGINS, _CONTAINS) or not colon:
        raise BadKey(key)
    return group, name


def _project(each: ListedProject) -> ProjectShown:
    return shown(ProjectShown, each, project=each.name, synced_at=utc(each.synced_at))


def _file(found: tuple[KnownFile, int]) -> FileShown:
    file, verified_at = found
    return shown(
        FileShown,
        file,
        sha256=file.sha256.hex(),
        uploaded_at=utc_or_none(file.uploaded_at),
        # A ledger that was made from the tree has not read it.
        verified_at=utc(verified_at) if verified_at else None,
        metadata=file.metadata_sha256 is not None,
        removed_at=utc_or_none(file.removed_at),
    )


def _event(row: AnyRow) -> EventShown:
    return EventShown(serial=row.serial, version=row.version, at=utc(row.timestamp), action=row.action)
