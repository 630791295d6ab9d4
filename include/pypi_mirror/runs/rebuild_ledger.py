"""A ledger rebuilt from the tree: what pages list and the pool holds, without asking upstream.

What the tree does not tell, the next run finds out: it compares every project with upstream's root index
(so there is no cursor, which a lost backlog would contradict), and looks again at each page, since nothing
says under which filters it was made. Files that are there are not downloaded again.
"""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.chunks import chunks
from pypi_mirror.clock import Clock, SystemClock
from pypi_mirror.digests import remembered
from pypi_mirror.disk.files import remove_file, sha256_of, size_of
from pypi_mirror.errors import LedgerError, MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.replacement import (
    Condition,
    RestoredProject,
    examine,
    replacing,
    restore_display_names,
    restore_projects,
)
from pypi_mirror.ledger.results import upload_seconds
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import IndexEntry, ProjectPage, RemoteFile
from pypi_mirror.pages.formats import HTML_NAME, JSON_NAME
from pypi_mirror.pool.layout import listed_place
from pypi_mirror.publishing.site import note_found_layout
from pypi_mirror.settings.values import Settings
from pypi_mirror.upstream import simple_html, simple_json

log = logging.getLogger(__name__)

_GROUP: Final = 200
_OWNER: Final = "pypi-mirror ledger rebuild"
# Where links of our pages start; nothing is asked of it. The mirror itself often has an internal address.
_SITE: Final = "http://localhost"
# A line of a root index in HTML, ours or bandersnatch's.
_ANCHOR: Final = re.compile(r"<a [^>]*>([^<]*)</a>")
# Of a page that may be wrong, so that the next run makes it again.
_UNKNOWN: Final = ""


class RebuiltLedger(Struct, frozen=True, kw_only=True):
    """``missing`` counts files that pages list and the pool does not hold as they say, ``unreadable`` pages
    that are none; the next run mends both. ``aside`` is where the old ledger went, None without one.
    """

    projects: int = 0
    files: int = 0
    bytes: int = 0
    missing: int = 0
    unreadable: int = 0
    aside: str | None = None


def rebuild_ledger(
    settings: Settings,
    *,
    force: bool = False,
    verify: bool = False,
    same_filters: bool = False,
    on_progress: Callable[[RebuiltLedger], None] = lambda _: None,
    clock: Clock | None = None,
) -> RebuiltLedger:
    """Put a ledger made from the tree in place of the one there is, which is kept aside.

    ``verify`` reads every file, and removes those whose bytes are not what their page says, so that the next
    run downloads them. ``same_filters`` says that the pages were made under the settings in force, so that
    the next run looks only at projects that changed. Raises LedgerError for a ledger that is whole, unless
    ``force`` is set, MirrorBusy while a run is under way, and LeaseLost when one has begun meanwhile.
    """
    clock = clock or SystemClock()
    if not settings.web.is_dir():
        raise MirrorError(f"{settings.directory}: no mirror is here to make a ledger from")
    condition = examine(settings.ledger, clock)
    if condition.present and condition.fault is None:
        _refuse_unless(force, condition)
        _keep_others_out(settings, clock)
    stamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%dT%H%M%SZ")
    with replacing(settings.ledger, stamp=stamp) as replacement:
        with Ledger.open(replacement.url, clock) as ledger:
            mirror = Mirror(settings=settings, ledger=ledger, clock=clock)
            rebuilt = _Rebuilding(mirror, verify=verify, same_filters=same_filters).run(on_progress)
        if condition.present and condition.fault is None:
            _require_nobody_came(settings, clock)
    return replace(rebuilt, aside=replacement.aside)


def _refuse_unless(force: bool, condition: Condition) -> None:
    if not force:
        raise LedgerError(
            f"the ledger is whole and holds {condition.projects:,} projects; with --force it is moved aside "
            "and rebuilt from the tree, without its backlog, events and history"
        )


def _keep_others_out(settings: Settings, clock: Clock) -> None:
    """Take the lease of the ledger there is."""
    with Ledger.open(settings.ledger, clock) as ledger:
        ledger.lease.take(_OWNER)


def _require_nobody_came(settings: Settings, clock: Clock) -> None:
    """Raises LeaseLost when a run has begun meanwhile, be it that it has ended: what it did is in the old
    ledger and may not be in the new one. A rebuild can take longer than a lease lasts.
    """
    with Ledger.open(settings.ledger, clock) as ledger:
        ledger.lease.renew(_OWNER)


class _Rebuilding:
    def __init__(self, mirror: Mirror, *, verify: bool, same_filters: bool) -> None:
        self._mirror = mirror
        self._web = mirror.settings.web
        self._verify = verify
        self._selection = mirror.page_selection if same_filters else _UNKNOWN
        self._so_far = RebuiltLedger()

    def run(self, on_progress: Callable[[RebuiltLedger], None]) -> RebuiltLedger:
        ledger = self._mirror.ledger
        for group in chunks(self._projects(), _GROUP):
            # A name can be in both layouts; the first is that of the settings.
            restore_projects(ledger.engine, list({each.project: each for each in group}.values()))
            on_progress(self._so_far)
        restore_display_names(ledger.engine, _root_index(self._web / "simple"))
        # The index on the disk may be older than the pages.
        ledger.facts.put(Facts.unpublished.to(_OWNER))
        totals = ledger.projects.totals()
        return replace(self._so_far, projects=totals.projects, files=totals.files, bytes=totals.bytes)

    def _projects(self) -> Iterator[RestoredProject]:
        hashed = self._mirror.settings.hash_index
        for name in self._mirror.pages.names():
            for layout in (hashed, not hashed):
                directory = self._web / "simple" / (f"{name[0]}/{name}" if layout else name)
                page = self._page(directory, name)
                if page is not None:
                    if layout != hashed:
                        note_found_layout(self._mirror, hashed=layout)
                    yield self._project(page, directory, in_place=layout == hashed)
                    break

    def _page(self, directory: Path, name: NormalizedName) -> ProjectPage | None:
        url = f"{_SITE}/simple/{name}/"
        fault: Exception | None = None
        for filename, parser in (
            (JSON_NAME, simple_json.parse_project_page),
            (HTML_NAME, simple_html.parse_project_page),
        ):
            try:
                body = (directory / filename).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            try:
                return parser(body, url=url, project=name, header_serial=None, etag=None)
            except MirrorError as error:
                fault = fault or error
                log.warning("%s: cannot be read: %s", directory / filename, error)
        if fault is not None:
            self._so_far = replace(self._so_far, unreadable=self._so_far.unreadable + 1)
        return None

    def _project(self, page: ProjectPage, directory: Path, *, in_place: bool) -> RestoredProject:
        found = [self._file(file) for file in page.files]
        files = tuple(file for file, _ in found if file is not None)
        missing = sum(file is None for file, _ in found)
        whole = not page.refused and all(whole for _, whole in found)
        complete = in_place and whole and self._mirror.pages.is_complete(page.name)
        so_far = self._so_far
        self._so_far = replace(
            so_far,
            projects=so_far.projects + 1,
            files=so_far.files + len(files),
            bytes=so_far.bytes + sum(file.size for file in files),
            missing=so_far.missing + missing,
        )
        return RestoredProject(
            project=page.name,
            serial=page.serial,
            status=page.status.status,
            selection=self._selection if complete else _UNKNOWN,
            synced_at=int(directory.stat().st_mtime),
            verified_at=int(self._mirror.clock()) if self._verify else 0,
            files=files,
        )

    def _file(self, remote: RemoteFile) -> tuple[KnownFile | None, bool]:
        """The row of a file, None where the pool does not hold it, and whether all that is beside it is."""
        if remote.sha256 is None:
            return None, False
        file = KnownFile(
            filename=remote.filename,
            location=listed_place(remote),
            sha256=bytes.fromhex(remote.sha256),
            size=remote.size or 0,
            metadata_sha256=None,
            provenance=False,
            provenance_sha256=None,
            uploaded_at=upload_seconds(remote.upload_time),
            removed_at=None,
            stated=remembered(remote.hashes),
        )
        if not self._mirror.settings.release_files:
            return replace(file, metadata_sha256=_announced_metadata(remote)), True
        path = f"{self._web}/{file.path}"
        size = size_of(path)
        if size is None or remote.size not in (None, size) or not self._is_right(path, remote.sha256):
            log.warning("%s: is not in the pool as the page lists it", file.path)
            return None, False
        metadata = self._metadata(path, remote)
        provenance = bool(remote.provenance and size_of(f"{path}.provenance"))
        whole = (metadata is None) == (remote.core_metadata is None) and provenance == bool(remote.provenance)
        return replace(file, size=size, metadata_sha256=metadata, provenance=provenance), whole

    def _is_right(self, path: str, sha256: str) -> bool:
        if not self._verify or sha256_of(path) == sha256:
            return True
        log.warning("%s: removed, for its SHA-256 is not %s; the next run downloads it", path, sha256)
        remove_file(path)
        return False

    def _metadata(self, path: str, remote: RemoteFile) -> bytes | None:
        if remote.core_metadata is None or not size_of(f"{path}.metadata"):
            return None
        announced = _announced_metadata(remote)
        if announced is not None and not self._verify:
            return announced
        found = bytes.fromhex(sha256_of(f"{path}.metadata"))
        return found if announced in (None, found) else None


def _announced_metadata(remote: RemoteFile) -> bytes | None:
    digest = dict(remote.core_metadata or ()).get("sha256")
    return None if digest is None else bytes.fromhex(digest)


def _root_index(simple: Path) -> Iterator[IndexEntry]:
    """What the root index on the disk lists, as far as there is one that can be read."""
    try:
        body = (simple / JSON_NAME).read_bytes()
        yield from simple_json.parse_root_index(body, url=f"{_SITE}/simple/")[1]
    except FileNotFoundError:
        yield from _html_index(simple / HTML_NAME)
    except MirrorError as error:
        log.warning("%s: cannot be read, the next run spells the projects: %s", simple / JSON_NAME, error)


def _html_index(path: Path) -> Iterator[IndexEntry]:
    """Line by line: a parser of HTML would take gigabytes for all of PyPI."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                for text in _ANCHOR.findall(line):
                    name = unescape(text).strip()
                    yield IndexEntry(name=name, project=canonicalize_name(name), serial=None)
    except FileNotFoundError:
        return
