"""Pages that were read, recorded in groups."""

import time
from collections.abc import Callable
from typing import Final

from pypi_mirror.ledger.page_reads import PageRead, PageReads
from pypi_mirror.ledger.results import Failed

# A group is closed by whichever comes first; hostile pages are large.
_PROJECTS: Final = 200
_BYTES: Final = 16 * 1024 * 1024
_SECONDS: Final = 10.0


class ReadCommit:
    """Collects what was read and records it; ``on_recorded`` is told of each group the ledger has."""

    def __init__(self, reads: PageReads, on_recorded: Callable[[list[PageRead | Failed]], None]) -> None:
        self._reads = reads
        self._on_recorded = on_recorded
        self._group: list[PageRead | Failed] = []
        self._bytes = 0
        self._opened = time.monotonic()

    async def add(self, read: PageRead | Failed) -> None:
        self._group.append(read)
        if isinstance(read, PageRead) and read.entry is not None:
            self._bytes += len(read.entry.body)
        if len(self._group) >= _PROJECTS or self._bytes >= _BYTES:
            self._record()

    async def tick(self) -> None:
        if time.monotonic() - self._opened >= _SECONDS:
            self._record()

    async def finish(self) -> None:
        self._record()

    def _record(self) -> None:
        self._opened = time.monotonic()
        if not self._group:
            return
        self._reads.record(self._group)
        group, self._group, self._bytes = self._group, [], 0
        self._on_recorded(group)
