"""One project, from upstream's page to files in the pool and a page ready to publish.

Nothing a reader sees changes here: files get names no page lists yet, and the page comes back as a value.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

from packaging.utils import NormalizedName
from packaging.version import Version

from pypi_mirror.disk import is_disk_fault, served_size_of
from pypi_mirror.errors import (
    FileBusy,
    FileRefused,
    FileReplaced,
    MirrorError,
    StalePage,
    UpstreamError,
    UpstreamUnavailable,
)
from pypi_mirror.filters import Decision, Selector
from pypi_mirror.ledger.projects import QUARANTINED, KnownFile, KnownProject
from pypi_mirror.ledger.results import FailedPart, Synced
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
from pypi_mirror.pool import Acquired, Pool
from pypi_mirror.pool.layout import location_of
from pypi_mirror.release_files import version_in
from pypi_mirror.sync.legacy_documents import LegacyDocuments
from pypi_mirror.sync.our_page import files_on_our_page
from pypi_mirror.sync.unforeseen import unforeseen_loss
from pypi_mirror.upstream.project_pages import Gone, NotModified, ProjectPages
from pypi_mirror.upstream.serials import is_absurd

log = logging.getLogger(__name__)

# As many as requests can be under way: more files of one project would only wait, and others behind them.
_FILES_AT_ONCE: Final = 256
# Bytes of a page in both formats with their compressed twins, about: of itself, and for each of its files.
_PAGE: Final = 4096
_PAGE_EACH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What the ledger has of a project before it is synced; ``past`` are the SHA-256 sums of files it had."""

    project: KnownProject | None
    files: Mapping[str, KnownFile]
    past: Mapping[str, bytes] = field(default_factory=dict)


class ProjectSync:
    """Syncs projects under one selection; ``fingerprint`` names that selection.

    ``before_write`` is told how large a new page is about to be; what it raises ends the try. ``pool`` is
    None where files are not mirrored (``release-files = false``): then pages list what upstream lists, and
    their links lead elsewhere.
    ``highest`` is the serial that upstream is believed to be at. Without ``only_forward``, a page older than
    ours is taken as it is.
    """

    def __init__(
        self,
        *,
        web: Path,
        upstream: ProjectPages,
        selector: Selector,
        pool: Pool | None,
        pages: PageStore,
        fingerprint: str,
        legacy_json: bool,
        before_write: Callable[[int], None] = lambda _size: None,
        highest: int | None = None,
        only_forward: bool = True,
    ) -> None:
        self._web = web
        self._upstream = upstream
        self._selector = selector
        self._pool = pool
        self._pages = pages
        self._fingerprint = fingerprint
        self._legacy = LegacyDocuments(upstream, pages, before_write) if legacy_json else None
        self._before_write = before_write
        self._highest = highest
        self._only_forward = only_forward

    async def sync(self, planned: PlannedProject, before: Before) -> Synced:
        """Raises MirrorError or OSError when the project cannot be brought up to date."""
        known = before.project
        held = known is not None and known.present
        if planned.action is Action.REMOVE:
            return self._removed(planned, before)
        answer = await self._upstream.fetch(
            planned.project,
            etag=known.etag if known is not None and self._is_reusable(planned, known, before) else None,
            serial=planned.serial,
            exact=planned.exact,
            gone=planned.gone,
            held=held,
            not_before=_not_before(known) if known is not None and self._only_forward else None,
        )
        if not isinstance(answer, Gone) and answer.serial is not None and self._is_absurd(answer.serial):
            log.warning("%s: the page's serial %d is absurd; it is refused", planned.project, answer.serial)
            serial = planned.serial if known is None else known.serial
            answer = replace(answer, serial=serial)
        if isinstance(answer, Gone):
            return replace(
                self._removed(planned, before),
                loss=self._loss(planned, before, page=None),
                missing=not planned.gone and (held or planned.serial is not None),
            )
        if not held and not isinstance(answer, NotModified):
            self._check_is_listed(planned, answer)
        if isinstance(answer, NotModified):
            return Synced(
                planned=planned,
                known=known,
                serial=answer.serial,
                only_forward=self._only_forward,
                tally=Tally(projects_done=1, files_kept=0 if known is None else known.files),
            )
        return await self._synced(planned, before, answer)

    def _is_absurd(self, serial: int) -> bool:
        return self._highest is not None and is_absurd(serial, self._highest)

    def _is_reusable(self, planned: PlannedProject, known: KnownProject, before: Before) -> bool:
        """Whether our page would still be right if upstream says that its own has not changed."""
        return (
            known.present
            and known.selection == self._fingerprint
            and not planned.verify
            and self._pages.is_complete(known.project)
            and (self._pool is None or all(map(self._is_in_pool, before.files.values())))
        )

    def _is_in_pool(self, file: KnownFile) -> bool:
        """Whether the disk has what the ledger says, as far as its directories tell."""
        path = f"{self._web}/{file.path}"
        return file.removed_at is not None or (
            served_size_of(path) == file.size
            and (file.metadata_sha256 is None or served_size_of(f"{path}.metadata") is not None)
            and (not file.provenance or served_size_of(f"{path}.provenance") is not None)
        )

    async def _synced(self, planned: PlannedProject, before: Before, page: ProjectPage) -> Synced:
        decision = self._selector.decide(page)
        project = planned.project
        acquired, failed = await self._acquire(project, decision.kept, before, verify=planned.verify)
        refused = tuple(part for each in acquired for part in each.refused)
        files = tuple(a.file for a in acquired)
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
        return Synced(
            planned=planned,
            known=before.project,
            known_files=dict(before.files),
            page=mirrored,
            locations=tuple(a.location for a in acquired),
            # Without one the page is read whole the next time, and what could not be had is tried again. What
            # the page itself says wrongly, it says until it changes.
            etag=None if failed or refused else page.etag,
            serial=page.serial,
            only_forward=self._only_forward,
            selection=self._fingerprint,
            dropped_files=len(decision.dropped),
            dropped_bytes=dropped_bytes,
            legacy_json=legacy_json,
            loss=self._loss(planned, before, page),
            tally=Tally(
                projects_done=1,
                files_downloaded=sum(a.files_downloaded for a in acquired),
                bytes_downloaded=sum(a.bytes_downloaded for a in acquired),
                files_kept=len(files),
                files_dropped=len(decision.dropped),
                bytes_dropped=dropped_bytes,
            ),
            failed=tuple(failed),
            refused=page.refused + refused,
        )

    def _loss(self, planned: PlannedProject, before: Before, page: ProjectPage | None) -> Loss | None:
        return unforeseen_loss(
            planned,
            before.project,
            before.files.values(),
            self._selector,
            upstream=None if page is None else {file.filename for file in page.files},
            status="" if page is None else page.status.status,
        )

    async def _acquire(
        self, project: NormalizedName, files: tuple[RemoteFile, ...], before: Before, *, verify: bool
    ) -> tuple[list[Acquired], list[FailedPart]]:
        """``files`` as they are in the pool now, those that are, and those that could not be had.

        Raises the error of the first where nothing of a project that is new can be had: a page without files
        would say that upstream has none.
        """
        acquired: list[Acquired | None] = [None] * len(files)
        errors: dict[int, MirrorError | OSError] = {}
        remaining = iter(enumerate(files))
        our_page = cache(lambda: files_on_our_page(self._pages.path_of(project), project))

        async def acquire_next() -> None:
            for number, file in remaining:
                known = before.files.get(file.filename)
                try:
                    acquired[number] = await self._acquire_one(project, file, before, verify=verify)
                except (MirrorError, OSError) as error:
                    if not _is_files_own(error):
                        raise
                    errors[number] = error
                    if known is not None and self._pool is not None:
                        said = _as_before(file, our_page()) if _is_replaced(error) else file
                        acquired[number] = await self._pool.kept(said, known, verify=verify)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(files), _FILES_AT_ONCE)):
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
                f"{each.file.path.rpartition('/')[2]}: a document beside it", each.trouble, is_kept=True
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
        return await self._pool.acquire(
            project,
            file,
            before.files.get(file.filename),
            verify=verify,
            past=before.past.get(file.filename),
        )

    def _check_is_listed(self, planned: PlannedProject, page: ProjectPage) -> None:
        """StalePage for an old copy that would bring back what upstream's index does not list any more."""
        if not planned.gone or planned.serial is None or page.status.status == QUARANTINED:
            return
        if page.serial is None or page.serial <= planned.serial:
            raise StalePage(
                url=self._upstream.url(planned.project), serial=page.serial, wanted=planned.serial
            )

    def _removed(self, planned: PlannedProject, before: Before) -> Synced:
        # Readers see an empty page from now on, until the root index no longer lists the project and the
        # page goes too.
        known = before.project
        present = known is not None and known.present
        return Synced(
            planned=planned,
            known=known,
            removed=True,
            page=(
                MirroredPage(name=planned.project, serial=None, status=ProjectStatus(), versions=(), files=())
                if present
                else None
            ),
            tally=Tally(projects_done=1, projects_removed=1 if present else 0),
        )


def _not_before(known: KnownProject) -> int | None:
    """The serial that a page must have reached: of our page, or of the event that removed the project."""
    return known.serial if known.present else known.seen_serial


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


def _failed_part(part: str, error: MirrorError | OSError, *, is_kept: bool = False) -> FailedPart:
    return FailedPart(
        part=part,
        error=type(error).__name__,
        reason=str(error),
        is_kept=is_kept,
        is_unavailable=isinstance(error, UpstreamUnavailable),
    )


def _versions_left(page: ProjectPage, decision: Decision) -> tuple[str, ...]:
    """Upstream's versions (PEP 700) without those of which the filters left no file.

    A version that upstream itself lists without files stays, and so does one whose files cannot be told:
    what to leave out is known only where a dropped file names it.
    """
    if not decision.dropped:
        return page.versions
    kept = {_version_of(page, file) for file in decision.kept}
    emptied = {_version_of(page, d.file) for d in decision.dropped} - kept
    return tuple(v for v in page.versions if _parsed(v) not in emptied)


def _version_of(page: ProjectPage, file: RemoteFile) -> Version | str:
    return _parsed(version_in(page.name, file.filename) or "")


def _parsed(version: str) -> Version | str:
    try:
        return Version(version)
    except ValueError:
        # InvalidVersion is one; so is what Python says of a number of thousands of digits.
        return version


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
