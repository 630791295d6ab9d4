"""One project, from upstream's page to files in the pool and a page ready to publish.

Nothing a reader sees changes here: files get names no page lists yet, and the page comes back as a value.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.disk.files import is_disk_fault, served_size_of
from pypi_mirror.errors import (
    FileBusy,
    FileRefused,
    FileReplaced,
    MirrorError,
    UpstreamError,
    UpstreamUnavailable,
)
from pypi_mirror.fetching.deciding import Before, Decider
from pypi_mirror.fetching.legacy_documents import LegacyDocuments
from pypi_mirror.fetching.our_page import files_on_our_page
from pypi_mirror.fetching.page_reader import PageReader, Reading
from pypi_mirror.ledger.held_files import HeldRow
from pypi_mirror.ledger.projects import KnownFile, KnownProject
from pypi_mirror.ledger.results import FailedPart, Synced, held_file
from pypi_mirror.model import (
    Action,
    Loss,
    MirroredPage,
    PlannedProject,
    PooledFile,
    ProjectPage,
    ProjectStatus,
    RemoteFile,
    Tally,
    path_of,
)
from pypi_mirror.pages.page_store import PageStore
from pypi_mirror.policy import Decision
from pypi_mirror.policy.releases import release_in, release_of
from pypi_mirror.pool import Acquired, Pool
from pypi_mirror.pool.held import discard, release
from pypi_mirror.pool.layout import location_of
from pypi_mirror.upstream.project_pages import ProjectPages

log = logging.getLogger(__name__)

# As many as requests can be under way: more files of one project would only wait, and others behind them.
_FILES_AT_ONCE: Final = 256
# Bytes of a page in both formats with their compressed twins, about: of itself, and for each of its files.
_PAGE: Final = 4096
_PAGE_EACH: Final = 1000


class ProjectSync:
    """Syncs projects under one policy; ``fingerprint`` names it.

    ``before_write`` is told how large a new page is about to be; what it raises ends the try. ``pool`` is
    None where files are not mirrored (``release-files = false``): then pages list what upstream lists, and
    their links lead elsewhere. ``held_pool`` is for files in cooldown.
    """

    def __init__(
        self,
        *,
        web: Path,
        upstream: ProjectPages,
        reader: PageReader,
        decider: Decider,
        pool: Pool | None,
        held_pool: Pool | None,
        pages: PageStore,
        fingerprint: str,
        legacy_json: bool,
        before_write: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._web = web
        self._reader = reader
        self._decider = decider
        self._pool = pool
        self._held_pool = held_pool
        self._pages = pages
        self._fingerprint = fingerprint
        self._legacy = LegacyDocuments(upstream, pages, before_write) if legacy_json else None
        self._before_write = before_write

    async def sync(self, planned: PlannedProject, before: Before) -> Synced:
        """Raises MirrorError or OSError when the project cannot be brought up to date.

        What upstream's page has lost since the plan was made is not weighed: such a project waits for the
        next plan, with the page it has.
        """
        if planned.action is Action.REMOVE:
            return self._removed(planned, before, None)
        began = time.monotonic()
        reading = await self._reader.read(planned, before.project, before.entry)
        if self._reader.only_forward and reading.is_news:
            loss = self._decider.silent_loss(planned, before, reading.page())
            if loss is not None:
                return self._unchanged(planned, before, reading, waits=loss)
        synced = await self._synced(planned, before, reading)
        return replace(synced, seconds=time.monotonic() - began)

    async def _synced(self, planned: PlannedProject, before: Before, reading: Reading) -> Synced:
        known = before.project
        if known is not None and self._is_whole(planned, known, before, reading):
            if known.selection == self._fingerprint and not self._decider.follows:
                return self._unchanged(planned, before, reading)
            decision = self._decided_alike(known, before, reading)
            if decision is not None:
                return replace(self._unchanged(planned, before, reading), changes_at=decision.changes_at)
        page = reading.page()
        if page is not None:
            return await self._made(planned, before, reading, page)
        held = known is not None and known.present
        missing = not planned.gone and (held or planned.serial is not None)
        if missing and planned.exact:
            log.warning(
                "%s: upstream has no page of it, but its event %s says that there is one; the mirror's page "
                "stays, and upstream is asked again",
                planned.project,
                planned.serial,
            )
            return self._unchanged(planned, before, reading, missing=True)
        return replace(self._removed(planned, before, reading), missing=missing)

    def _is_whole(
        self, planned: PlannedProject, known: KnownProject, before: Before, reading: Reading
    ) -> bool:
        """Whether our page is made from what upstream has, and all of it is here."""
        return (
            known.present
            and known.made_entry == reading.digest
            and not planned.verify
            and not before.is_due
            and self._pages.is_complete(known.project)
            and (self._pool is None or all(map(self._is_in_pool, before.files.values())))
            and (self._held_pool is None or all(row.file is not None for row in before.held.values()))
        )

    def _decided_alike(self, known: KnownProject, before: Before, reading: Reading) -> Decision | None:
        """The decision by the policy in force, where it is the one that our page was made by."""
        page = reading.page()
        if page is None:
            return None
        decision = self._decider.decide(page, before, reading.seen)
        held = {each.file.filename for each in decision.held}
        alike = held == before.held.keys() and known.made_decision == self._decider.digest(decision)
        return decision if alike else None

    def _is_in_pool(self, file: KnownFile) -> bool:
        """Whether the disk has what the ledger says, as far as its directories tell."""
        path = f"{self._web}/{file.path}"
        return file.removed_at is not None or (
            served_size_of(path) == file.size
            and (file.metadata_sha256 is None or served_size_of(f"{path}.metadata") is not None)
            and (not file.provenance or served_size_of(f"{path}.provenance") is not None)
        )

    def _unchanged(
        self,
        planned: PlannedProject,
        before: Before,
        reading: Reading,
        *,
        missing: bool = False,
        waits: Loss | None = None,
    ) -> Synced:
        """The project keeps its page, current or not."""
        known = before.project
        return Synced(
            planned=planned,
            known=known,
            missing=missing,
            waits=waits,
            entry=reading.entry,
            confirmed=reading.confirmed,
            serial=None if missing or waits is not None else reading.serial,
            only_forward=self._reader.only_forward,
            selection=self._fingerprint if known is None or not (missing or waits) else known.selection,
            changes_at=None if known is None else known.changes_at,
            tally=Tally(projects_done=1, files_kept=0 if known is None else known.files),
        )

    async def _made(
        self, planned: PlannedProject, before: Before, reading: Reading, page: ProjectPage
    ) -> Synced:
        decision = self._decider.decide(page, before, reading.seen)
        if decision.rejected is not None:
            return self._removed(planned, before, reading)
        project = planned.project
        waiting = {each.file.filename for each in decision.held}
        wanted = (*decision.kept, *(each.file for each in decision.held if self._pool is not None))
        had, failed = await self._acquire(project, wanted, before, waiting=waiting, verify=planned.verify)
        acquired = [each for each in had if each.file.remote.filename not in waiting]
        refused = tuple(part for each in had for part in each.refused)
        files = tuple(a.file for a in acquired)
        held = self._held(project, decision, had, before)
        # What was dropped and of unknown size counts as a file without bytes.
        dropped_bytes = sum(d.file.size or 0 for d in decision.dropped)
        mirrored = MirroredPage(
            name=page.name,
            serial=page.serial,
            status=page.status,
            versions=_versions_left(page, decision),
            files=files,
            extra=page.extra,
            meta_extra=page.meta_extra,
        )
        legacy_json = await self._legacy.bring(mirrored, verify=planned.verify) if self._legacy else None
        if before.project is None or any(file.filename not in before.files for file in decision.kept):
            # What only takes something off a page may be what makes room.
            self._before_write(_PAGE + _PAGE_EACH * len(files) + len(legacy_json or b""))
        # What could not be downloaded is tried again the next time. What the page itself says wrongly, it
        # says until it changes.
        is_whole = not failed and not refused
        return Synced(
            planned=planned,
            known=before.project,
            known_files=dict(before.files),
            page=mirrored,
            locations=tuple(a.location for a in acquired),
            entry=reading.entry,
            confirmed=reading.confirmed,
            made_entry=reading.digest if is_whole else None,
            made_decision=self._decider.digest(decision) if is_whole else None,
            serial=page.serial,
            only_forward=self._reader.only_forward,
            selection=self._fingerprint,
            changes_at=decision.changes_at,
            dropped_files=len(decision.dropped),
            dropped_bytes=dropped_bytes,
            legacy_json=legacy_json,
            held=held,
            tally=Tally(
                projects_done=1,
                files_downloaded=sum(a.files_downloaded for a in had),
                bytes_downloaded=sum(a.bytes_downloaded for a in had),
                files_kept=len(files),
                files_dropped=len(decision.dropped),
                bytes_dropped=dropped_bytes,
            ),
            failed=tuple(failed),
            refused=page.refused + refused,
        )

    def _held(
        self, project: NormalizedName, decision: Decision, had: Sequence[Acquired], before: Before
    ) -> tuple[HeldRow, ...] | None:
        """What waits from now on, None where nothing does or did. The files of what neither waits nor is
        listed any more are deleted.
        """
        if not decision.held and not before.held:
            return None
        fetched = {each.file.remote.filename: held_file(each.file, each.location) for each in had}
        kept = {file.filename for file in decision.kept}
        rows = [
            HeldRow(
                project=project,
                filename=each.file.filename,
                since=each.since,
                due_at=each.due,
                # Where upstream speaks of other bytes by now, those that were held before stay.
                file=fetched.get(each.file.filename) or before.held_file(each.file.filename),
            )
            for each in decision.held
        ]
        # What a person has released stays so until it is here.
        rows += [
            row
            for row in before.held.values()
            if row.lifted_at is not None and row.filename in kept and row.filename not in fetched
        ]
        self._discard_held(before, wanted=kept | {row.filename for row in rows})
        return tuple(rows)

    def _discard_held(self, before: Before, *, wanted: Collection[str]) -> None:
        for row in before.held.values():
            if row.file is not None and row.filename not in wanted:
                discard(str(self._web), row.file)

    async def _acquire(
        self,
        project: NormalizedName,
        files: Sequence[RemoteFile],
        before: Before,
        *,
        waiting: Collection[str] = (),
        verify: bool,
    ) -> tuple[list[Acquired], list[FailedPart]]:
        """``files`` as they are in the pool now, those that are, and those that could not be downloaded; the
        names ``waiting`` are held.

        Raises the error of the first where nothing of a project that is new can be downloaded: a page without
        files would say that upstream has none.
        """
        acquired: list[Acquired | None] = [None] * len(files)
        errors: dict[int, MirrorError | OSError] = {}
        remaining = iter(enumerate(files))
        our_page = cache(lambda: files_on_our_page(self._pages.directory_of(project), project))

        async def acquire_next() -> None:
            for number, file in remaining:
                known = before.files.get(file.filename)
                try:
                    acquire = self._hold_one if file.filename in waiting else self._acquire_one
                    acquired[number] = await acquire(project, file, before, verify=verify)
                except (MirrorError, OSError) as error:
                    if not _is_files_own(error):
                        raise
                    errors[number] = error
                    if known is not None and self._pool is not None:
                        said = _as_before(file, our_page()) if _is_replaced(error) else file
                        acquired[number] = await self._pool.kept(said, known, verify=verify)

        at_once = 1 if self._pool is None else min(len(files), _FILES_AT_ONCE)
        if at_once <= 1:
            await acquire_next()
        else:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(acquire_next())
        had = [each for each in acquired if each is not None]
        is_new = before.project is None or not before.project.present
        if errors and not had and is_new:
            raise errors[min(errors)]
        failed = [
            _failed_part(files[number].filename, error, is_kept=acquired[number] is not None)
            # Of many the first are named: other bytes under a known name before what merely did not come.
            for number, error in sorted(errors.items(), key=lambda each: (not _is_replaced(each[1]), each[0]))
        ]
        failed += [
            _failed_part(
                f"{each.file.path.rpartition('/')[2]}: a document beside it", each.trouble, is_document=True
            )
            for each in had
            if each.trouble is not None
        ]
        return had, failed

    async def _acquire_one(
        self, project: NormalizedName, file: RemoteFile, before: Before, *, verify: bool
    ) -> Acquired:
        if self._pool is None:
            return _elsewhere(project, file)
        known = before.files.get(file.filename)
        held = before.held_file(file.filename)
        if known is None and held is not None:
            known = held
            release(str(self._web), held)
        past = before.past.get(file.filename)
        return await self._pool.acquire(project, file, known, verify=verify, past=past)

    async def _hold_one(
        self, project: NormalizedName, file: RemoteFile, before: Before, *, verify: bool
    ) -> Acquired:
        assert self._held_pool is not None  # noqa: S101 - or nothing would be downloaded
        held = before.held_file(file.filename)
        past = before.past.get(file.filename)
        return await self._held_pool.acquire(project, file, held, verify=verify, past=past)

    def _removed(self, planned: PlannedProject, before: Before, reading: Reading | None) -> Synced:
        # Readers see an empty page from now on, until the root index no longer lists the project and the
        # page goes too.
        known = before.project
        present = known is not None and known.present
        self._discard_held(before, wanted=())
        return Synced(
            planned=planned,
            known=known,
            removed=True,
            held=() if before.held else None,
            entry=None if reading is None else reading.entry,
            confirmed=None if reading is None else reading.confirmed,
            page=(
                MirroredPage(name=planned.project, serial=None, status=ProjectStatus(), versions=(), files=())
                if present
                else None
            ),
            tally=Tally(projects_done=1, projects_removed=1 if present else 0),
        )


def _is_files_own(error: MirrorError | OSError) -> bool:
    """Whether an error is one file's alone, and not of upstream, the disk or the run as a whole."""
    if isinstance(error, OSError):
        return not is_disk_fault(error)
    return isinstance(error, UpstreamError | FileBusy)


def _is_replaced(error: MirrorError | OSError) -> bool:
    return isinstance(error, FileReplaced)


def _as_before(file: RemoteFile, ours: Mapping[str, RemoteFile]) -> RemoteFile:
    """``file`` as our page, ``ours``, has it: upstream speaks of other bytes, except where it yanks them.

    As upstream has it where our page cannot be read.
    """
    before = ours.get(file.filename)
    return file if before is None else replace(before, url=file.url, yanked=file.yanked)


def _failed_part(
    part: str, error: MirrorError | OSError, *, is_kept: bool = False, is_document: bool = False
) -> FailedPart:
    return FailedPart(
        part=part,
        error=type(error).__name__,
        reason=str(error),
        is_kept=is_kept,
        is_document=is_document,
        is_unavailable=isinstance(error, UpstreamUnavailable),
    )


def _versions_left(page: ProjectPage, decision: Decision) -> tuple[str, ...]:
    """Upstream's versions (PEP 700) without those of which the filters left no file.

    A version that upstream itself lists without files stays, and so does one whose files are unknown:
    what to leave out is known only where a dropped file names it.
    """
    unlisted = [each.file for each in decision.dropped] + [each.file for each in decision.held]
    if not unlisted:
        return page.versions
    kept = {release_in(page.name, file.filename) for file in decision.kept}
    emptied = {release_in(page.name, file.filename) for file in unlisted} - kept
    return tuple(version for version in page.versions if release_of(version) not in emptied)


def _elsewhere(project: NormalizedName, file: RemoteFile) -> Acquired:
    """A file that a page lists and the mirror does not hold."""
    location = None if file.sha256 is None else location_of(project, file, file.sha256)
    if file.sha256 is None or location is None:
        raise FileRefused(
            "the page gives no SHA-256, and release-files = false leaves no file to take it from",
            url=file.url,
        )
    listed = PooledFile(
        remote=file,
        path=path_of(location, file.filename),
        size=file.size or 0,
        sha256=file.sha256,
        metadata_sha256=dict(file.core_metadata or ()).get("sha256"),
    )
    return Acquired(file=listed, location=location)
