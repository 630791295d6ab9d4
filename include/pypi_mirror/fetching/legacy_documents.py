"""Brings a project's legacy JSON: its own document as a value, those of its releases onto the disk.

There is a document a release, and upstream is asked for those that are new or whose files changed. A
release's document is written at once: the files that it lists are here by then. Those of releases that we no
longer list go when the project's document is published.

A document that upstream refuses or garbles costs nobody the page: the one that is here stays, cut to what the
page lists.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.errors import UpstreamMalformed, UpstreamRefused
from pypi_mirror.model import MirroredPage
from pypi_mirror.pages.legacy_json import (
    Document,
    Entries,
    LegacyJson,
    decode,
    described,
    is_same_release,
    newest,
)
from pypi_mirror.pages.page_store import PageStore
from pypi_mirror.upstream.project_pages import ProjectPages

_AT_ONCE: Final = 16
_log = logging.getLogger(__name__)


class LegacyDocuments:
    """``before_write`` is told how many bytes a document that is new takes; it may raise DiskFull."""

    def __init__(self, upstream: ProjectPages, pages: PageStore, before_write: Callable[[int], None]) -> None:
        self._upstream = upstream
        self._pages = pages
        self._before_write = before_write

    async def bring(self, page: MirroredPage, *, verify: bool) -> bytes | None:
        """The document of the project whose page is to be ``page``; None where upstream has none, or nothing
        is left of it. ``verify`` trusts no document that is here.
        """
        document = await self._asked(page.name)
        if not document:
            return None
        legacy = self._pages.legacy(page)
        releases = legacy.releases(document)
        if not releases:
            return None
        before = {} if verify else decode(self._pages.read_legacy_json(page.name)).get("releases", {})
        remaining = iter(releases.items())

        async def bring_next() -> None:
            for version, entries in remaining:
                await self._bring_release(page, legacy, version, entries, before.get(version))

        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(releases), _AT_ONCE)):
                group.create_task(bring_next())
        about: Document = document
        if described(document) not in releases:
            version = newest(releases)
            about = decode(self._pages.read_legacy_json(page.name, version))
            if described(about) != version:
                # Upstream has no document of it: what it says of another release is not true of this one.
                about = {"info": {"name": document["info"]["name"], "version": version}}
        return legacy.project(document, releases, about)

    async def _bring_release(
        self, page: MirroredPage, legacy: LegacyJson, version: str, entries: Entries, before: Entries | None
    ) -> None:
        document: Document | None = None
        if before is not None and is_same_release(before, entries):
            document = decode(self._pages.read_legacy_json(page.name, version))
            if document and before == entries:
                return
        if not document:
            document = await self._asked(page.name, version)
        if document:
            content = legacy.release(document, entries)
            if before is None:
                self._before_write(len(content))
            self._pages.write_release_json(page.name, version, content)

    async def _asked(self, project: NormalizedName, version: str | None = None) -> Document | None:
        """Upstream's document; the one that is here where upstream has none that can be used."""
        try:
            body = await self._upstream.legacy_json(project, version)
        except (UpstreamMalformed, UpstreamRefused) as error:
            _log.warning("the legacy JSON of %s is not updated: %s", project, error)
            return decode(self._pages.read_legacy_json(project, version))
        return None if body is None else decode(body)
