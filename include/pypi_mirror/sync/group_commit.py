"""Finishing projects in groups, in the order that lets nothing be lost and nothing be served too early.

A group goes through three states: *acquired* (its files are in the pool, perhaps only in memory), *paged*
(its pages are written), *recorded* (the ledger calls it done). One ``syncfs`` serves two groups: it makes
the files of the newer one durable, so that its pages may be written, and the pages of the older one, so
that it may be recorded. A crash loses at most the record of two groups; the next try finds their files.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pypi_mirror.disk import flush_filesystem, is_disk_fault
from pypi_mirror.ledger.results import Failed, Result, Results, Synced
from pypi_mirror.pages.page_store import PageStore, page_digest

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
        self._closing: list[Result] = []
        self._paged: list[Result] = []
        self._files = 0
        self._opened = time.monotonic()
        self._finishing = asyncio.Lock()

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
            self._closing += self._acquired
            self._acquired, self._files = [], 0
            if not self._closing and not self._paged:
                return
            await asyncio.to_thread(self._flush)
            recorded = self._paged
            self._results.record(recorded)
            self._paged = []
            if recorded:
                self._on_recorded(recorded)
            self._paged = [self._with_pages(result) for result in self._closing]
            self._closing = []

    def _flush(self) -> None:
        """Pages and files; the administrator may keep the pool on another disk."""
        flush_filesystem(self._web)
        pool = self._web / "packages"
        if pool.is_symlink() or pool.is_mount():
            flush_filesystem(pool)

    def _with_pages(self, result: Result) -> Result:
        """``result``, its pages written; Failed when they cannot be, for a reason that is its own alone."""
        if isinstance(result, Failed):
            return result
        try:
            return self._write_pages(result)
        except OSError as error:
            if is_disk_fault(error):
                raise
            return Failed(planned=result.planned, error=type(error).__name__, reason=str(error))

    def _write_pages(self, synced: Synced) -> Synced:
        name = synced.planned.project
        if synced.page is not None:
            rendered = self._pages.render(synced.page)
            self._pages.write_rendered(name, rendered)
            legacy = () if synced.legacy_json is None else (synced.legacy_json,)
            synced = replace(synced, page_digest=page_digest((*rendered.values(), *legacy)))
        if synced.legacy_json is not None:
            self._pages.write_legacy_json(name, synced.legacy_json)
        elif synced.removed or synced.page is not None:
            # Upstream has none (any more), or ``json`` was switched off.
            self._pages.remove_legacy_json(name)
        return synced
