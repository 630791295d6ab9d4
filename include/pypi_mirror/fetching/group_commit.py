"""Finishing projects in groups, in the order that lets nothing be lost and nothing be served too early.

A group goes through three states: *staged* (its files are in the pool and its pages beside their places,
all perhaps only in memory), *paged* (its pages have their names), *recorded* (the ledger calls it done). One
``syncfs`` serves two groups: it makes the bytes of the newer one durable, files and pages, so that its pages
may get their names, and the names of the older one, so that it may be recorded. A crash loses at most the
record of two groups; the next try finds their files.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from pypi_mirror.disk.faults import said_of
from pypi_mirror.disk.files import is_disk_fault
from pypi_mirror.disk.writing import flush_filesystem
from pypi_mirror.ledger.results import Failed, Result, Results, Synced
from pypi_mirror.pages.page_store import PageStore, StagedPage, page_digest

# A group is closed by whichever comes first. A thousand files make a flush's cost small beside their own;
# ten seconds bound what a crash makes the next try look at again.
_PROJECTS: Final = 200
_FILES: Final = 1_000
_SECONDS: Final = 10.0


class GroupCommit:
    """Collects results and finishes them; ``on_recorded`` is told of each group the ledger has."""

    def __init__(
        self,
        web: Path,
        pages: PageStore,
        results: Results,
        on_recorded: Callable[[list[Result]], None],
    ) -> None:
        self._web = web
        self._pages = pages
        self._results = results
        self._on_recorded = on_recorded
        self._acquired: list[Result] = []
        self._staged: list[tuple[Result, list[StagedPage]]] = []
        self._paged: list[Result] = []
        self._files = 0
        self._opened = time.monotonic()
        self._finishing = asyncio.Lock()
        self._fault: OSError | None = None

    async def add(self, result: Result) -> None:
        """Take one result; closes the group when it is large or old enough."""
        self._acquired.append(result)
        if isinstance(result, Synced):
            self._files += result.tally.files_downloaded
        if len(self._acquired) >= _PROJECTS or self._files >= _FILES or self._is_old():
            await self._advance()

    async def tick(self) -> None:
        """Called now and then: what waits is finished although no result comes (large files take hours)."""
        if self._is_old():
            await self._advance()

    async def finish(self) -> None:
        """Bring everything that was added to the end: twice, for a group moves one state a time."""
        await self._advance()
        await self._advance()

    def _is_old(self) -> bool:
        return time.monotonic() - self._opened >= _SECONDS

    async def _advance(self) -> None:
        """Move both groups on by one state.

        Whatever ends this half-way, a cancelled task or a full disk, no result is lost: each is in one of the
        lists, and the next call does what is left.
        """
        async with self._finishing:
            self._opened = time.monotonic()
            self._files = 0
            while self._acquired:
                self._staged.append(self._stage(self._acquired[0]))
                del self._acquired[0]
            if not self._staged and not self._paged:
                return
            await self._flush_in_thread()
            recorded = self._paged
            self._results.record(recorded)
            self._paged = []
            if recorded:
                self._on_recorded(recorded)
            while self._staged:
                self._paged.append(self._publish(*self._staged[0]))
                del self._staged[0]

    async def _flush_in_thread(self) -> None:
        """Raises OSError, and from then on at each call: the kernel tells of a write that failed only once,
        and another flush after it would look as if all were well."""
        if self._fault is not None:
            raise self._fault
        flushing = asyncio.ensure_future(asyncio.to_thread(self._flush))
        try:
            await asyncio.shield(flushing)
        finally:
            # Even who is cancelled waits for it, or nobody would hear of its error.
            await asyncio.wait([flushing])
            error = flushing.exception()
            if isinstance(error, OSError):
                self._fault = error

    def _flush(self) -> None:
        """Pages and files; the administrator may keep the pool on another disk."""
        flush_filesystem(self._web)
        pool = self._web / "packages"
        if pool.is_symlink() or pool.is_mount():
            flush_filesystem(pool)

    def _stage(self, result: Result) -> tuple[Result, list[StagedPage]]:
        """``result`` and its pages, staged; Failed when they cannot be, for a reason of its own alone."""
        staged: list[StagedPage] = []
        if isinstance(result, Failed):
            return result, staged
        try:
            return self._stage_pages(result, staged), staged
        except OSError as error:
            return self._failed(result, staged, error), []

    def _stage_pages(self, synced: Synced, staged: list[StagedPage]) -> Synced:
        name = synced.planned.project
        if synced.page is not None:
            rendered = self._pages.render(synced.page)
            staged.append(self._pages.stage(name, rendered))
            legacy = () if synced.legacy_json is None else (synced.legacy_json,)
            synced = replace(synced, page_digest=page_digest((*rendered.values(), *legacy)))
        if synced.legacy_json is not None:
            staged.append(self._pages.stage_legacy_json(name, synced.legacy_json))
        return synced

    def _publish(self, result: Result, staged: list[StagedPage]) -> Result:
        """``result``, its pages in their places; Failed as above."""
        if isinstance(result, Failed):
            return result
        try:
            for page in staged:
                page.publish()
            if result.legacy_json is None and (result.removed or result.page is not None):
                # Upstream has none (any more), or ``json`` was switched off.
                self._pages.remove_legacy_json(result.planned.project)
        except OSError as error:
            if is_disk_fault(error):
                # What is staged stays: the next call goes on with it.
                raise
            return self._failed(result, staged, error)
        return result

    def _failed(self, synced: Synced, staged: list[StagedPage], error: OSError) -> Failed:
        """Raises ``error`` when the disk is at fault, not the project."""
        for page in staged:
            page.discard()
        if is_disk_fault(error):
            raise error
        return Failed(planned=synced.planned, error=type(error).__name__, reason=said_of(error))
