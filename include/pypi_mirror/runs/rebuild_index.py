"""Step 5: publish. Root index and name map, then what was removed, then the cursor."""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from pypi_mirror.disk.files import make_directories, remove_directory_if_empty, remove_file
from pypi_mirror.disk.writing import sweep_leftovers, write_atomically
from pypi_mirror.errors import MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, path_of
from pypi_mirror.pages.root_index import write_root_index
from pypi_mirror.planning.pause import pause_of
from pypi_mirror.planning.removals import require_approval
from pypi_mirror.planning.stray_pages import remove_old_names, remove_stray_pages
from pypi_mirror.publishing.grace import grace_ended_before
from pypi_mirror.publishing.site import note_found_layout, note_layout
from pypi_mirror.upstream.index_snapshot import remove_snapshots
from pypi_mirror.webserver.name_map import is_current, write_name_map
from pypi_mirror.webserver.render import name_map_path

# For each the ledger goes through all files once; so many take some 30 MB.
_SWEPT_AT_ONCE: Final = 50_000
# Seconds: what is younger may be a file that `pypi-mirror nginx` is writing right now.
_UNDER_WAY: Final = 60.0
_DAY: Final = 24 * 3600
# Events are kept for backfills this long, and in any case until a run has planned with them.
_KEEP_EVENTS: Final = 90 * _DAY


class Rebuilt(Struct, frozen=True, kw_only=True):
    """``changed`` says whether readers see another root index; ``strays`` counts pages removed of projects
    that the ledger does not hold, ``swept`` files deleted.
    """

    changed: bool
    cursor: int | None
    strays: int
    swept: int


def rebuild_index(mirror: Mirror, run_id: int) -> Rebuilt:
    """Publish what the run's batches did, and move the cursor if it is a sync that has left nothing.

    Raises MirrorError while a batch is
    unfinished: the cursor would pass projects nobody looked at.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    if run.request.kind is not RunKind.AUDIT:
        require_approval(mirror, run_id)
    unfinished = mirror.ledger.plan.unfinished(run_id)
    if unfinished and pause_of(mirror, run_id) is None:
        raise MirrorError(
            f"{unfinished} planned projects were not looked at; their batches have to run first"
        )
    mirror.claim_tree()
    paused = unfinished > 0 or mirror.ledger.plan.left(run_id) > 0
    changed = False
    _sweep_leftovers(mirror)
    if (paused or run.request.kind is not RunKind.SYNC) and _is_taken_over(mirror):
        if run.request.kind is RunKind.SYNC:
            mirror.ledger.to_do.published(run_id)
        remove_snapshots(mirror.state)
        return Rebuilt(changed=False, cursor=mirror.ledger.facts.cursor, strays=0, swept=0)
    due = _is_due(mirror)
    adopted = _is_taken_over(mirror)
    if due:
        serial = mirror.ledger.facts.cursor if paused else run.cursor_to
        changed = write_root_index(
            mirror.settings.web,
            mirror.ledger.projects.listed(),
            serial=serial,
            simple_format=mirror.settings.simple_format,
        )
        # The audit writes it once more, to compare.
        mirror.ledger.facts.put(Facts.stated_serial.to(str(serial or "")))
        _remove_pages(mirror)
    _write_name_map(mirror, due=due)
    strays = remove_stray_pages(mirror, run) if run.request.kind is RunKind.SYNC else 0
    if adopted:
        strays += remove_old_names(mirror, run)
        if any(mirror.pages.is_in_other_layout(each.project) for each in mirror.ledger.projects.all()):
            # They go once the web server serves ours.
            note_found_layout(mirror, hashed=not mirror.settings.hash_index)
    swept = _sweep_tombstones(mirror, run) if mirror.settings.delete_packages else 0
    changed_any = changed or mirror.ledger.plan.progress(run_id).planned > unfinished
    cursor = run.cursor_to if run.request.kind is RunKind.SYNC and not paused else None
    # A run that was stopped for long has lost the mirror: another's cursor stands.
    mirror.ledger.lease.renew(run.request.label)
    _write_dates(mirror, cursor, changed=changed_any)
    _record(mirror, run, cursor, paused=paused)
    return Rebuilt(changed=changed, cursor=mirror.ledger.facts.cursor, strays=strays, swept=swept)


def _is_due(mirror: Mirror) -> bool:
    """Whether the root index on the disk may be older than the projects.

    A cursor that moved past other people's projects is no reason to write a hundred megabytes.
    """
    return mirror.ledger.facts.unpublished is not None or not _has_index(mirror)


def _is_taken_over(mirror: Mirror) -> bool:
    """Whether the root index on the disk is not the ledger's: another tool's, or that of a lost ledger.

    It lists projects that no run has looked at yet, and serves them until one has looked at all.
    """
    return mirror.ledger.facts.stated_serial is None and _has_index(mirror)


def _has_index(mirror: Mirror) -> bool:
    return any((mirror.settings.web / "simple").glob("index.*"))


def _sweep_leftovers(mirror: Mirror) -> None:
    """Remove what a run that was killed left of the files of the whole mirror; a root index is large.

    In ``simple`` and ``state`` only runs write, and this is the only one. What is left beside a project's
    page or file goes when that project is synced.
    """
    directory, web = mirror.settings.directory, mirror.settings.web
    for place, older_than in (
        (directory, _UNDER_WAY),
        (web, _UNDER_WAY),
        (name_map_path(mirror.settings).parent, _UNDER_WAY),
        (directory / "state", 0.0),
        (web / "simple", 0.0),
    ):
        sweep_leftovers(place, older_than=older_than, recursive=False)


def _remove_pages(mirror: Mirror) -> None:
    """No index lists them any more: the pages of removed projects, empty since the sync, go."""
    names = mirror.ledger.projects.being_removed()
    for name in names:
        mirror.pages.remove(name)
    if names:
        # Where a power cut brought a page back that the ledger has forgotten, nobody would look for it.
        mirror.flush()
        mirror.ledger.projects.removed(names)


def _write_name_map(mirror: Mirror, *, due: bool) -> None:
    """It holds what the root index does, so it is due with it."""
    path = name_map_path(mirror.settings)
    if due or not is_current(path):
        make_directories(str(path.parent))
        write_name_map(path, mirror.ledger.projects.listed(), serial=mirror.ledger.facts.index_serial)


def _sweep_tombstones(mirror: Mirror, run: Run) -> int:
    """Delete files that no page has listed for the grace period; return how many.

    A place that another project's page lists keeps its file, and only the tombstone is forgotten. What a lock
    file names stays: a client that installs from the lock asks for the file, and not for its page.
    """
    before = grace_ended_before(mirror, lambda time: bool(_due(mirror, time, 1)))
    swept = 0
    while before and (tombstones := _due(mirror, before, _SWEPT_AT_ONCE)):
        mirror.ledger.lease.renew(run.request.label)
        spared = mirror.ledger.projects.still_listed([file for _, file in tombstones])
        # Two projects can have listed one file, too.
        gone = {(file.location, file.filename) for _, file in tombstones} - spared
        for place in gone:
            path = mirror.settings.web / path_of(*place)
            for suffix in ("", ".metadata", ".provenance"):
                remove_file(f"{path}{suffix}")
            for parent in path.parents[:3]:
                if not remove_directory_if_empty(parent):
                    break
        mirror.flush()
        mirror.ledger.projects.forget_files([(id_, file.filename) for id_, file in tombstones])
        swept += len(gone)
    return swept


def _due(mirror: Mirror, before: int, limit: int) -> list[tuple[int, KnownFile]]:
    """Up to ``limit`` tombstones (project id, file) of before ``before`` that no lock file names."""
    wanted = limit
    while True:
        found = mirror.ledger.projects.tombstones(before, wanted)
        due = [
            (id_, file)
            for id_, file in found
            if not mirror.policy.keeps_removed(file.filename, file.sha256.hex())
        ]
        if due or len(found) < wanted:
            return due[:limit]
        wanted *= 2


def _write_dates(mirror: Mirror, cursor: int | None, *, changed: bool) -> None:
    """What others read of the mirror's age: the new ``cursor``, if it moves, and when pages changed."""
    if cursor is not None:
        write_atomically(mirror.settings.directory / "status", f"{cursor}".encode(), durable=True)
    if changed:
        now = datetime.fromtimestamp(mirror.clock(), UTC)
        stamp = now.strftime("%Y%m%dT%H:%M:%S\n").encode()
        write_atomically(mirror.settings.web / "last-modified", stamp, durable=True)


def _record(mirror: Mirror, run: Run, cursor: int | None, *, paused: bool) -> None:
    """Everything is on the disk: now the ledger may say so."""
    changes = [Facts.unpublished.to(None)]
    if run.request.kind is RunKind.SYNC and not paused:
        mirror.ledger.catalogue.forget_unselected(now=int(mirror.clock()))
        changes += [Facts.another_upstream.to(None), Facts.read_serial.to(None), Facts.pause.to(None)]
        if cursor is not None:
            changes.append(Facts.cursor.to(cursor))
    mirror.ledger.facts.put(*changes, held_by=run.id)
    note_layout(mirror)
    if run.cursor_from != run.cursor_to and not paused:
        # Upstream dated them: a clock that jumps ahead does not make them older than they are to each other.
        newest = mirror.ledger.events.newest()
        if newest is not None:
            mirror.ledger.events.forget_before(min(int(mirror.clock()), newest) - _KEEP_EVENTS)
    if run.request.kind is RunKind.SYNC:
        mirror.ledger.to_do.published(run.id)
    remove_snapshots(mirror.state)
