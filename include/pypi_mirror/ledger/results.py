"""What became of planned projects, recorded a group at a time in one transaction."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import force_setattr
from packaging.utils import NormalizedName
from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from pypi_mirror.catalogue import Entry
from pypi_mirror.clock import Clock
from pypi_mirror.digests import remembered
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger import backlog
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.catalogue import Confirmed, confirm_entries, note_selection, write_entries
from pypi_mirror.ledger.facts import put_facts
from pypi_mirror.ledger.held_files import HeldRow, replace_held
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.projects import QUARANTINED, REMOVED, REMOVING, KnownFile, KnownProject, is_listed
from pypi_mirror.ledger.tables import files, left_out, orphans, plan, projects
from pypi_mirror.ledger.to_do import note_done
from pypi_mirror.ledger.writing import update_each, upsert
from pypi_mirror.model import (
    Action,
    Loss,
    MirroredPage,
    PlannedProject,
    PlanState,
    PooledFile,
    Refused,
    Tally,
)
from pypi_mirror.plain_text import plain
from pypi_mirror.wording import count

# PEP 792.
STATUSES: Final = frozenset({"active", "archived", "quarantined", "deprecated"})
# Failed files that a reason names; parts left out of one page that the ledger names.
_NAMED: Final = 3
_MOST_LEFT_OUT: Final = 100


class FailedPart(Struct, frozen=True, kw_only=True):
    """A part of a project that could not be downloaded, most often the file of the name ``part``.

    ``error`` is the error's class, ``reason`` its sentence. ``is_kept`` says that the page goes on listing
    the copy of the file that was here; ``is_document`` that the file is there, and its metadata or provenance
    is not; ``is_unavailable`` that upstream gave no usable answer.
    """

    part: str
    error: str
    reason: str
    is_kept: bool = False
    is_document: bool = False
    is_unavailable: bool = False


class Synced(Struct, frozen=True, kw_only=True):
    """A project that was synced.

    ``page`` is what it shows from now on, None when nothing of it changed; ``page_digest`` is that of the
    files that were written for it. ``known`` and ``known_files``
    are what the ledger had before. ``removed`` says that upstream, or a filter, has taken it out; ``missing``
    that upstream gave no page though its last word was that there is such a project; ``waits`` that its page
    has lost something since the plan was made, so that the next plan has to weigh it.
    ``seconds`` is how long upstream's page and the files took. ``entry`` is what the catalogue has of it from
    now on, ``confirmed`` that its entry still holds; ``made_entry`` and ``made_decision`` name what the page
    was made of, None where something of it could not be downloaded.

    Without ``only_forward`` a person has asked for it as upstream has it: then the serials that upstream has
    shown before mean nothing any more.

    ``changes_at`` is when the time alone takes the next file off its page (seconds since 1970).
    ``held`` are the files that wait from now on, None where those that the ledger has still do.
    ``failed`` are parts of it that could not be downloaded: the page is published without them, and the
    project is on the backlog for them. ``refused`` are parts of upstream's page that are left out for good.
    """

    planned: PlannedProject
    known: KnownProject | None
    known_files: dict[str, KnownFile] = field(default_factory=dict)
    page: MirroredPage | None = None
    page_digest: bytes | None = None
    locations: tuple[bytes, ...] = ()
    removed: bool = False
    missing: bool = False
    waits: Loss | None = None
    entry: Entry | None = None
    confirmed: Confirmed | None = None
    held: tuple[HeldRow, ...] | None = None
    made_entry: bytes | None = None
    made_decision: bytes | None = None
    serial: int | None = None
    only_forward: bool = True
    selection: str = ""
    changes_at: int | None = None
    dropped_files: int = 0
    dropped_bytes: int = 0
    legacy_json: bytes | None = None
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    failed: tuple[FailedPart, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def failure(self) -> "Failed | None":
        """What of it has to be tried again, None where nothing has."""
        if not self.failed:
            return None
        return Failed(
            planned=self.planned,
            error=self.failed[0].error,
            reason=_in_words(self.failed),
            files=tuple(part.part for part in self.failed),
        )

    @property
    def is_unavailable(self) -> bool:
        """Whether upstream gave no usable answer for a part of it."""
        return any(part.is_unavailable for part in self.failed)


class Failed(Struct, frozen=True, kw_only=True):
    """A project that could not be synced, or not all of it; ``error`` is the error's class, ``reason`` its
    plain sentence. ``files`` are the parts that are missing where all else was published.
    """

    planned: PlannedProject
    error: str
    reason: str
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # Not every error's words are ours: the system names files as upstream did.
        force_setattr(self, "reason", plain(self.reason))

    @property
    def failure(self) -> "Failed":
        return self

    @property
    def is_unavailable(self) -> bool:
        return False


Result = Synced | Failed


def _has_lost(loss: Loss) -> str:
    lost = count(loss.files, "file")
    what = f"upstream's page has gone, ours lists {lost}" if loss.project else f"upstream's page lost {lost}"
    return f"{what} after the plan was made; the next run decides about it"


def _in_words(failed: Sequence[FailedPart]) -> str:
    named = "; ".join(f"{part.part}: {part.reason}" for part in failed[:_NAMED])
    if more := len(failed) - _NAMED:
        named += f"; and {more:,} more" if more > 0 else ""
    kept = sum(part.is_kept for part in failed)
    without = "without it" if len(failed) == 1 else "without them"
    if kept:
        without = f"with the {'copies' if kept > 1 else 'copy'} from before" + (
            f" of {kept:,}, without the others" if kept < len(failed) else ""
        )
    documents = sum(part.is_document for part in failed)
    numbers = {"file": len(failed) - documents, "document": documents}
    what = " and ".join(count(number, noun) for noun, number in numbers.items() if number)
    return f"{what} could not be downloaded, the page is published {without}: {named}"


class Results:
    """Records results for one run."""

    def __init__(self, engine: Engine, clock: Clock, run_id: int) -> None:
        self._engine = engine
        self._clock = clock
        self._run_id = run_id

    def record(self, results: Sequence[Result]) -> None:
        """All of ``results``, or, when this raises, none of them.

        Raises LeaseLost when another run has taken the mirror over, also when there is nothing to record.
        """
        now = int(self._clock())
        synced = [r for r in results if isinstance(r, Synced)]
        with self._engine.begin() as connection:
            hold(connection, self._run_id)
            if not results:
                return
            changes = _change_pages(connection, synced)
            ids = self._projects(connection, [r for r in synced if not r.removed], now)
            self._files(connection, [r for r in synced if r.page is not None and not r.removed], ids, now)
            self._removals(connection, [r for r in synced if r.removed and r.known is not None], now)
            self._plan(connection, results)
            note_done(connection, [_done(r) for r in synced if not r.failed])
            self._left_out(connection, synced, ids)
            replace_held(connection, {r.planned.project: r.held for r in synced if r.held is not None})
            write_entries(connection, [r.entry for r in synced if r.entry is not None])
            confirm_entries(connection, [r.confirmed for r in synced if r.confirmed is not None], now=now)
            note_selection(
                connection,
                out=[r.planned.project for r in synced if r.planned.action is Action.REMOVE],
                back=[r.planned.project for r in synced if not r.removed],
                now=now,
            )
            failures = [failure for r in results if (failure := r.failure) is not None]
            backlog.settle(
                connection,
                [_synced_page(r) for r in synced if not r.failed and r.waits is None],
                run_id=self._run_id,
                now=now,
            )
            for r in synced:
                if r.waits is not None:
                    backlog.put_off(
                        connection,
                        run_id=self._run_id,
                        now=now,
                        project=r.planned.project,
                        display_name=r.planned.display_name,
                        serial=r.planned.serial,
                        exact=r.planned.exact,
                        gone=r.planned.gone,
                        reason=_has_lost(r.waits),
                    )
            add_failures(connection, failures, run_id=self._run_id, now=now)
            if any(_changes_index(r) for r in synced):
                put_facts(connection, [Facts.unpublished.to(str(self._run_id))])
            if changes:
                put_facts(connection, [Facts.changed_pages.to(self._run_id)])

    def _projects(
        self, connection: Connection, synced: Sequence[Synced], now: int
    ) -> dict[NormalizedName, int]:
        """Write the projects' rows; returns the ids of those with a new page."""
        upsert(
            connection,
            projects,
            [row for r in synced if r.page is not None for row in [_project_row(r, r.page, now)]],
            key=["name"],
        )
        # Of the others the page is as it was; only serials moved, and perhaps the name's spelling.
        unchanged = [
            {
                "id": r.known.id,
                "display_name": r.planned.display_name,
                "serial": _serial(r),
                "seen_serial": _seen(r),
                "selection": r.selection,
                "changes_at": r.changes_at,
                "synced_at": now,
            }
            for r in synced
            if r.page is None and r.known is not None
        ]
        update_each(connection, projects, unchanged, key=("id",))
        paged = [r.planned.project for r in synced if r.page is not None]
        return {NormalizedName(name): id_ for name, id_ in connection.execute(_IDS, {"names": paged})}

    def _files(
        self,
        connection: Connection,
        synced: Sequence[Synced],
        ids: dict[NormalizedName, int],
        now: int,
    ) -> None:
        new, changed, unlisted = [], [], []
        left: dict[str, int] = {}
        for r in synced:
            assert r.page is not None  # noqa: S101 - by the caller's choice
            project_id = ids[r.page.name]
            listed = set()
            for file, location in zip(r.page.files, r.locations, strict=True):
                row = _file_row(project_id, file, location, now)
                listed.add(file.remote.filename)
                known = r.known_files.get(file.remote.filename)
                if known is None:
                    new.append(row)
                elif known.removed_at is not None or r.planned.verify or _differs(known, row):
                    changed.append(row)
                    if known.location != location:
                        left |= dict.fromkeys(_paths(known), now)
            unlisted += [
                {"project_id": project_id, "filename": name, "removed_at": now}
                for name, known in r.known_files.items()
                if name not in listed and known.removed_at is None
            ]
        upsert(connection, files, new + changed)
        # No row knows a file any more whose name means other bytes from now on, which lie elsewhere.
        upsert(connection, orphans, [{"path": path, "found_at": at} for path, at in left.items()])
        update_each(connection, files, unlisted, key=("project_id", "filename"))

    def _removals(self, connection: Connection, removed: Sequence[Synced], now: int) -> None:
        rows = [
            {
                "id_": r.known.id,
                # A page from before the event that removed it does not bring it back.
                "seen_serial_": r.planned.serial if r.planned.gone and r.planned.exact else None,
            }
            for r in removed
            if r.known is not None and r.known.status != REMOVED
        ]
        if not rows:
            return
        ids = [row["id_"] for row in rows]
        connection.execute(
            update(projects)
            .where(projects.c.id == bindparam("id_"))
            .values(
                status=REMOVING, serial=None, seen_serial=bindparam("seen_serial_"), made_entry=None,
                made_decision=None, changes_at=None, synced_at=now, files=0, bytes=0, dropped_files=0,
                dropped_bytes=0,
            ),
            rows,
        )  # fmt: skip
        connection.execute(
            update(files)
            .where(files.c.project_id.in_(ids), files.c.removed_at.is_(None))
            .values(removed_at=now)
        )

    def _left_out(
        self, connection: Connection, synced: Sequence[Synced], ids: dict[NormalizedName, int]
    ) -> None:
        """Replace what is known of parts that pages lack; a page that did not change lacks what it lacked."""
        changed = [*ids.values(), *(r.known.id for r in synced if r.removed and r.known is not None)]
        if changed:
            connection.execute(_LEFT_OUT_OF, {"ids": changed})
        rows = [
            row
            for r in synced
            if r.page is not None and not r.removed and (r.refused or r.failed)
            for row in _left_out_rows(ids[r.page.name], self._run_id, r)
        ]
        if rows:
            connection.execute(insert(left_out), rows)

    def _plan(self, connection: Connection, results: Sequence[Result]) -> None:
        rows = [{"run_id": self._run_id, **_plan_row(result)} for result in results]
        update_each(connection, plan, rows, key=("run_id", "project"))


def add_failures(connection: Connection, failures: Sequence[Failed], *, run_id: int, now: int) -> None:
    """Within another subject's transaction: put what failed on the backlog."""
    for failure in failures:
        backlog.add_failure(
            connection,
            run_id=run_id,
            now=now,
            project=failure.planned.project,
            display_name=failure.planned.display_name,
            serial=failure.planned.serial,
            exact=failure.planned.exact,
            # Where only files are missing, upstream has a page.
            gone=failure.planned.gone and not failure.files,
            error=failure.error,
            reason=failure.reason,
        )


_IDS: Final = select(projects.c.name, projects.c.id).where(among(projects.c.name, "names"))
_PAGE_DIGESTS: Final = select(projects.c.name, projects.c.page_digest).where(among(projects.c.name, "names"))
_LEFT_OUT_OF: Final = delete(left_out).where(among(left_out.c.project_id, "ids"))


def _plan_row(result: Result) -> dict[str, Any]:
    tally = result.tally if isinstance(result, Synced) else Tally()
    return {
        "project": result.planned.project,
        "state": (PlanState.DONE if result.failure is None else PlanState.FAILED).value,
        "files_downloaded": tally.files_downloaded,
        "bytes_downloaded": tally.bytes_downloaded,
        "files_kept": tally.files_kept,
        "files_dropped": tally.files_dropped,
        "bytes_dropped": tally.bytes_dropped,
        # A project that was never here is not removed by finding it gone upstream.
        "removed": tally.projects_removed > 0,
    }


def _left_out_rows(project_id: int, run_id: int, r: Synced) -> list[dict[str, Any]]:
    parts: list[tuple[str | None, str | None, str | None, str]]
    parts = [(part.part, None, part.error, part.reason) for part in r.failed]
    parts += [(part.filename, part.field, None, part.reason) for part in r.refused]
    if (more := len(parts) - _MOST_LEFT_OUT) > 0:
        parts[_MOST_LEFT_OUT:] = [(None, None, None, f"and {more:,} more")]
    return [
        {
            "project_id": project_id,
            "position": position,
            "run_id": run_id,
            "filename": filename,
            "field": field,
            "error": error,
            "reason": reason,
        }
        for position, (filename, field, error, reason) in enumerate(parts)
    ]


def _project_row(r: Synced, page: MirroredPage, now: int) -> dict[str, Any]:
    return {
        "name": page.name,
        "display_name": r.planned.display_name,
        "serial": _serial(r),
        "seen_serial": _seen(r),
        "made_entry": r.made_entry,
        "made_decision": r.made_decision,
        "status": _status(page),
        "selection": r.selection,
        "changes_at": r.changes_at,
        "files": len(page.files),
        "bytes": sum(file.size for file in page.files),
        "dropped_files": r.dropped_files,
        "dropped_bytes": r.dropped_bytes,
        "synced_at": now,
        "page_digest": r.page_digest,
    }


def _file_row(project_id: int, file: PooledFile, location: bytes, now: int) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "filename": file.remote.filename,
        "location": location,
        "sha256": bytes.fromhex(file.sha256),
        "size": file.size,
        "metadata_sha256": _raw(file.metadata_sha256),
        "provenance": file.has_provenance,
        "provenance_sha256": _raw(file.provenance_sha256),
        "uploaded_at": upload_seconds(file.remote.upload_time),
        "verified_at": now,
        "stated": remembered(file.remote.hashes),
        "removed_at": None,
    }


def held_file(file: PooledFile, location: bytes) -> KnownFile:
    """What the ledger keeps of a file that waits."""
    row = _file_row(0, file, location, 0)
    return KnownFile(**{name: row[name] for name in KnownFile.__struct_fields__})


def _paths(known: KnownFile) -> list[str]:
    """Where the file is, and what is beside it, relative to ``web/``."""
    beside = ((".metadata", known.metadata_sha256 is not None), (".provenance", known.provenance))
    return [known.path, *(f"{known.path}{suffix}" for suffix, is_there in beside if is_there)]


def _raw(digest: str | None) -> bytes | None:
    return None if digest is None else bytes.fromhex(digest)


def _differs(known: KnownFile, row: dict[str, Any]) -> bool:
    return any(
        getattr(known, name) != row[name]
        for name in (
            "location",
            "sha256",
            "size",
            "metadata_sha256",
            "provenance",
            "provenance_sha256",
            "uploaded_at",
            "stated",
        )
    )


def _serial(r: Synced) -> int | None:
    return r.serial if r.serial is not None or r.known is None else r.known.serial


def _seen(r: Synced) -> int | None:
    """The highest serial upstream has shown for the project, on its page or in an index or event."""
    before = None if r.known is None or not r.only_forward else r.known.seen_serial
    # An index that does not list the project shows no serial of it.
    named = None if r.planned.gone and not r.planned.exact else r.planned.serial
    return max((s for s in (r.serial, named, before) if s is not None), default=None)


def _done(r: Synced) -> tuple[NormalizedName, int, bool]:
    """The serial that the project has reached, -1 without any, and whether it was found gone."""
    reached = max((s for s in (r.planned.serial, _seen(r)) if s is not None), default=-1)
    return r.planned.project, reached, r.removed or r.planned.gone


def _synced_page(r: Synced) -> backlog.SyncedPage:
    """What the backlog has to know: how old the page is, and how old it should not be.

    A serial that upstream had shown before is not news: the backlog waits for it, or has given up on it.
    That a page we had was newer always is, and so is that there is none.
    """
    planned = r.planned
    seen = None if r.known is None else r.known.seen_serial
    news = planned.serial if r.missing or seen is None or (planned.serial or 0) > seen else None
    had = None if r.known is None else r.known.serial
    reached: float | None
    if r.missing:
        reached = -1
    elif r.removed or (planned.gone and _is_quarantined(r)):
        # What is gone cannot be older than any event. What is quarantined is in no index either.
        reached = math.inf
    else:
        reached = _serial(r)
    return backlog.SyncedPage(
        project=planned.project,
        display_name=planned.display_name,
        reached=reached,
        announced=max((s for s in (news, had) if s is not None), default=None),
        exact=planned.exact and planned.serial is not None and planned.serial >= (had or 0),
        gone=planned.gone,
        missing=r.missing,
    )


def _is_quarantined(r: Synced) -> bool:
    status = r.known.status if r.page is None and r.known is not None else r.page and _status(r.page)
    return status == QUARANTINED


def _status(page: MirroredPage) -> str:
    """One of PEP 792's words: the ledger has words of its own for removed projects, and upstream's are
    not trusted to be others, or to be short.
    """
    return page.status.status if page.status.status in STATUSES else "active"


def _change_pages(connection: Connection, synced: Sequence[Synced]) -> bool:
    """Whether readers see another page of any; the page itself may be on the disk since an earlier try."""
    if any(r.removed and r.known is not None and r.known.present for r in synced):
        return True
    paged = {r.planned.project: r.page_digest for r in synced if r.page is not None}
    before = dict(connection.execute(_PAGE_DIGESTS, {"names": list(paged)}).all()) if paged else {}
    return any(before.get(project) != digest for project, digest in paged.items())


def _changes_index(r: Synced) -> bool:
    """Whether the root index has to be written again, or a page has to go once it was."""
    if r.removed:
        return r.known is not None and r.known.present
    before = None
    if r.known is not None and is_listed(r.known.status):
        before = (r.known.display_name, r.known.serial)
    status = _status(r.page) if r.page is not None else r.known.status if r.known is not None else REMOVED
    return before != ((r.planned.display_name, _serial(r)) if is_listed(status) else None)


def upload_seconds(upload_time: str | None) -> int | None:
    """RFC 3339 to seconds, None for what is no time: the page carries it on, only backfills look at it."""
    # A page can have ten thousand files; parsers of all formats take eighty times as long.
    try:
        parsed = datetime.fromisoformat(upload_time or "")
    except ValueError:
        return None
    return int((parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp())
