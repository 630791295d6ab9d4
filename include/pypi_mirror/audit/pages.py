"""A project's page against the ledger: its bytes, what it lists, its twins, and what lies beside it."""

import os
import zlib
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from packaging.utils import NormalizedName, canonicalize_name

from pypi_mirror.audit.files import content_of
from pypi_mirror.audit.findings import Kind, ProjectCheck
from pypi_mirror.disk.writing import TEMPORARY_PREFIX
from pypi_mirror.errors import UpstreamError
from pypi_mirror.ledger.audits import AuditedProject
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import MirroredPage, PooledFile, ProjectPage, RemoteFile
from pypi_mirror.pages.formats import GZIP_WINDOW, INDEX_FILES, JSON_NAME, TWIN_SUFFIX, names_of
from pypi_mirror.pages.page_store import PageStore, Rendered, page_digest
from pypi_mirror.settings.values import Settings
from pypi_mirror.upstream import simple_json

IN_BOTH_LAYOUTS: Final = "also in the other layout"
# Stands for the digest of a provenance object of which only the being there is known.
_UNKNOWN_DIGEST: Final = "0" * 64


class PageAudit:
    """Looks at pages as ``settings`` want them. ``one_layout`` says that pages of the other layout of
    ``hash-index`` are served to nobody any more.
    """

    def __init__(self, settings: Settings, pages: PageStore, *, one_layout: bool) -> None:
        self._settings = settings
        self._pages = pages
        self._names = names_of(settings.simple_format)
        self._one_layout = one_layout
        # Absolute links lead there, and relative ones are meant from there.
        self._base = settings.root_uri or settings.site.public_url
        self._site = urlsplit(self._base).path.rstrip("/")

    def check(self, audited: AuditedProject, check: ProjectCheck) -> None:
        """Compare the page of a project that the mirror holds with its rows. Raises OSError for what cannot
        be read.
        """
        name = audited.project.project
        directory = self._pages.directory_of(name)
        contents = {file: content_of(f"{directory}/{file}") for file in self._names}
        legacy = content_of(f"{self._settings.web}/pypi/{name}/json") if self._settings.json else None
        rows = {a.file.filename: a.file for a in audited.files if a.file.removed_at is None}
        whole = {file: content for file, content in contents.items() if content is not None}
        is_right = self._is_as_written(check, audited, whole, legacy, rows)
        if check.page is not None:
            check.listed = {file.filename: file.sha256 or "" for file in check.page.files}
        if is_right:
            self._compare_rows(check, audited, rows)
            self._look_at_twins(check, directory, whole)
        else:
            self._restore(check, audited, directory, contents, legacy, rows)
            if check.again is None:
                # Upstream's page gets new ones; an old one that ends as they do would be kept.
                check.damaged += [self._relative(_twin(directory, file)) for file in self._names]
            else:
                self._look_at_twins(check, directory, check.again)
        self._look_around(check, directory, name)

    def served(self, name: NormalizedName) -> list[str]:
        """The page's directory, that above it, its files with their twins, and its legacy JSON."""
        directory = self._pages.directory_of(name)
        files = [f"{directory}/{file}{suffix}" for file in self._names for suffix in ("", TWIN_SUFFIX)]
        legacy = f"{self._settings.web}/pypi/{name}"
        # With hash-index there is another directory above it.
        above = directory.rpartition("/")[0]
        if not self._settings.json:
            return [above, directory, *files]
        return [above, directory, *files, legacy, f"{legacy}/json", *self._pages.release_json_paths(name)]

    def _is_as_written(
        self,
        check: ProjectCheck,
        audited: AuditedProject,
        whole: Mapping[str, bytes],
        legacy: bytes | None,
        rows: Mapping[str, KnownFile],
    ) -> bool:
        """Whether the page's files are those that the ledger noted, or, where it did not, would write."""
        source = whole.get(self._names[-1])
        check.page = None if source is None else self._parsed(audited.project.project, source)
        if len(whole) < len(self._names):
            return False
        digest = page_digest((*whole.values(), *(() if legacy is None else (legacy,))))
        if audited.page_digest is not None:
            return digest == audited.page_digest
        mirrored = None if check.page is None else mirrored_page(check.page, rows)
        if mirrored is None or self._pages.render(mirrored) != whole:
            return False
        check.digest = digest
        return True

    def _compare_rows(
        self, check: ProjectCheck, audited: AuditedProject, rows: Mapping[str, KnownFile]
    ) -> None:
        """The page is as it was written, so where the rows say something else they are wrong."""
        known, page = audited.project, check.page
        wrong: dict[str, str] = {}
        if page is None:
            wrong["projects"] = "the page cannot be read, though it is as it was written"
        else:
            on_page = {file.filename: file for file in page.files}
            for filename in sorted(on_page.keys() | rows.keys()):
                problem = self._contradiction(on_page.get(filename), rows.get(filename))
                if problem is not None:
                    check.wrong_rows.add(filename)
                    check.add(Kind.ROW if filename in on_page else Kind.UNLISTED, filename, problem)
            if page.status.status != known.status:
                wrong["status"] = f"{known.status}, on the page {page.status.status}"
            if known.serial is not None and page.serial is not None and known.serial < page.serial:
                wrong["serial"] = f"{known.serial}, on the page {page.serial}"
        if not check.wrong_rows and known.files != len(rows):
            wrong["files"] = f"{known.files}, there are {len(rows)}"
        if not check.wrong_rows and known.bytes != sum(row.size for row in rows.values()):
            wrong["bytes"] = f"{known.bytes}, they are {sum(row.size for row in rows.values())}"
        if canonicalize_name(known.display_name) != known.project:
            wrong["display_name"] = known.display_name
        for column, detail in wrong.items():
            check.add(Kind.ROW, f"projects.{column}", detail)
        check.needs_upstream = bool(check.wrong_rows or wrong)

    def _contradiction(self, file: RemoteFile | None, row: KnownFile | None) -> str | None:
        if row is None:
            return "the page lists it, the ledger has it in no row"
        if file is None:
            return "the ledger has it, the page does not list it"
        if file.sha256 != row.sha256.hex():
            return f"the row says SHA-256 {row.sha256.hex()}, the page {file.sha256}"
        if file.size is not None and file.size != row.size:
            return f"the row says {row.size} bytes, the page {file.size}"
        links_to_it = unquote(urlsplit(file.url).path) == f"{self._site}/{row.path}"
        if not self._settings.links_upstream and not links_to_it:
            return f"the row says {row.path}, the page {file.url}"
        metadata = None if row.metadata_sha256 is None else row.metadata_sha256.hex()
        if metadata != dict(file.core_metadata or ()).get("sha256"):
            return "row and page say different things of its metadata"
        if row.provenance != (file.provenance is not None):
            return "row and page say different things of its provenance"
        return None

    def _restore(
        self,
        check: ProjectCheck,
        audited: AuditedProject,
        directory: str,
        contents: Mapping[str, bytes | None],
        legacy: bytes | None,
        rows: Mapping[str, KnownFile],
    ) -> None:
        """The page is not what was written: find a copy of it from which all of it can be made again."""
        name = audited.project.project
        self._found(check, Kind.PAGE, directory, _said(contents))
        if JSON_NAME in self._names:
            for copy in (contents[JSON_NAME], _unpacked(_twin(directory, JSON_NAME))):
                page = None if copy is None else self._parsed(name, copy)
                mirrored = None if page is None else mirrored_page(page, rows)
                if mirrored is None:
                    continue
                rendered = self._pages.render(mirrored)
                digest = page_digest((*rendered.values(), *(() if legacy is None else (legacy,))))
                if digest == audited.page_digest:
                    check.page, check.again = page, rendered
                    check.listed = {file.filename: file.sha256 or "" for file in page.files} if page else {}
                    return
        # Nobody vouches for what is left of it.
        check.page, check.listed = None, {}
        check.needs_upstream = True

    def _look_at_twins(self, check: ProjectCheck, directory: str, contents: Rendered) -> None:
        for file, content in contents.items():
            twin = _twin(directory, file)
            if _unpacked(twin) != content:
                self._found(check, Kind.TWIN, twin)
                check.damaged.append(self._relative(twin))
                check.again = contents

    def _look_around(self, check: ProjectCheck, directory: str, name: NormalizedName) -> None:
        """What else lies in the page's directory, and a page in the other layout of ``hash-index``."""
        ours = {file + suffix for file in self._names for suffix in ("", TWIN_SUFFIX)}
        try:
            with os.scandir(directory) as entries:
                others = [
                    e.name for e in entries if e.name not in ours and not e.is_dir(follow_symlinks=False)
                ]
        except (FileNotFoundError, NotADirectoryError):
            others = []
        for other in sorted(others):
            path = f"{directory}/{other}"
            if other.startswith(TEMPORARY_PREFIX):
                self._found(check, Kind.LEFTOVER, path)
                check.damaged.append(self._relative(path))
            elif other in INDEX_FILES:
                self._found(check, Kind.STRAY_PAGE, path, "of another format")
                check.damaged.append(self._relative(path))
            else:
                self._found(check, Kind.ORPHAN, path)
                check.orphans.append(self._relative(path))
        if self._one_layout and self._pages.is_in_other_layout(name):
            self._found(check, Kind.STRAY_PAGE, directory, IN_BOTH_LAYOUTS)

    def _parsed(self, name: NormalizedName, content: bytes) -> ProjectPage | None:
        parse = simple_json.parse_project_page
        if JSON_NAME not in self._names:
            from pypi_mirror.upstream import simple_html

            parse = simple_html.parse_project_page
        url = f"{self._base}/simple/{name}/"
        try:
            page = parse(content, url=url, project=name, header_serial=None, etag=None)
        except UpstreamError:
            return None
        # We wrote no page of which anything has to be left out.
        return None if page.refused else page

    def _found(self, check: ProjectCheck, kind: Kind, path: str, detail: str = "") -> None:
        check.add(kind, f"web/{self._relative(path)}", detail)

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self._settings.web}/")


def mirrored_page(
    page: ProjectPage, rows: Mapping[str, KnownFile], *, without: Collection[str] = ()
) -> MirroredPage | None:
    """What a page says, less some of its files; None where the ledger lacks another of them."""
    pooled = []
    for file in page.files:
        if file.filename in without:
            continue
        row = rows.get(file.filename)
        if row is None:
            return None
        provenance = _UNKNOWN_DIGEST if row.provenance_sha256 is None else row.provenance_sha256.hex()
        pooled.append(
            PooledFile(
                remote=file,
                path=row.path,
                size=row.size,
                sha256=row.sha256.hex(),
                metadata_sha256=None if row.metadata_sha256 is None else row.metadata_sha256.hex(),
                provenance_sha256=provenance if row.provenance else None,
            )
        )
    return MirroredPage(
        name=page.name,
        serial=page.serial,
        status=page.status,
        versions=page.versions,
        files=tuple(pooled),
        extra=page.extra,
        meta_extra=page.meta_extra,
    )


def _unpacked(twin: str) -> bytes | None:
    """What the gzip file holds; None where there is none, it is damaged, or something follows it."""
    packed = content_of(twin)
    if packed is None:
        return None
    unpacker = zlib.decompressobj(wbits=GZIP_WINDOW)
    try:
        content = unpacker.decompress(packed)
    except zlib.error:
        return None
    return content if unpacker.eof and not unpacker.unused_data else None


def _twin(directory: str, file: str) -> str:
    return f"{directory}/{file}{TWIN_SUFFIX}"


def _said(contents: Mapping[str, bytes | None]) -> str:
    missing = [name for name, content in contents.items() if content is None]
    return f"without {' and '.join(missing)}" if missing else "other bytes than were written"
