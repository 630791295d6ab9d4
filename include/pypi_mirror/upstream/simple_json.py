"""PEP 691 documents: a project page and a root index, from JSON to :mod:`pypi_mirror.model`.

Unknown keys are ignored, as PEP 691 asks; a known key of a wrong type makes the document malformed.
"""

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec
from packaging.utils import NormalizedName

from pypi_mirror.errors import CutOff, UpstreamMalformed
from pypi_mirror.model import IndexEntry, ProjectPage, ProjectStatus, RemoteFile
from pypi_mirror.upstream.checks import (
    MAX_SERIAL,
    MAX_SIZE,
    checked_address,
    checked_count,
    checked_filename,
    checked_hashes,
    checked_name,
    checked_status,
    checked_text,
    checked_upload_time,
)

log = logging.getLogger(__name__)

_Serial = Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]


class _Meta(msgspec.Struct):
    api_version: str = msgspec.field(name="api-version")
    last_serial: _Serial | None = msgspec.field(name="_last-serial", default=None)


class _Status(msgspec.Struct):
    status: str = "active"
    reason: str | None = None


class _File(msgspec.Struct):
    filename: str
    url: str
    hashes: dict[str, str]
    requires_python: str | None = msgspec.field(name="requires-python", default=None)
    size: _Size | None = None
    upload_time: str | None = msgspec.field(name="upload-time", default=None)
    yanked: bool | str | None = False
    core_metadata: bool | dict[str, str] | None = msgspec.field(name="core-metadata", default=None)
    legacy_metadata: bool | dict[str, str] | None = msgspec.field(
        name="data-dist-info-metadata", default=None
    )
    provenance: str | None = None
    gpg_sig: bool | None = msgspec.field(name="gpg-sig", default=None)


class _Page(msgspec.Struct):
    meta: _Meta
    name: str
    files: list[_File]
    versions: list[str] | None = None
    project_status: _Status | None = msgspec.field(name="project-status", default=None)


class _Project(msgspec.Struct, gc=False):
    name: str
    last_serial: _Serial | None = msgspec.field(name="_last-serial", default=None)


class _Index(msgspec.Struct):
    meta: _Meta
    projects: list[_Project]


# Each value of an array or an object but its first follows a comma, so this bounds what decoding makes: some
# 250 bytes a comma at most. Upstream's files have 13 each, its projects two.
_MAX_PAGE_COMMAS: Final = 1_500_000
# Upstream's root index has two for each of its 730,000 projects.
_MAX_INDEX_COMMAS: Final = 5_000_000
_PROJECTS_KEY: Final = re.compile(rb'"projects"\s*:')
# So many algorithms of digests are looked for one by one.
_FEW: Final = 8

# What decides over bytes; each is looked for in every page, so there are no more of them than need be.
_FILE_KEYS: Final = (b'"filename"', b'"url"', b'"hashes"', b'"size"')

_page_decoder = msgspec.json.Decoder(_Page)
_index_decoder = msgspec.json.Decoder(_Index)


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``.

    The serial is the body's own, since a body may be an older cached copy than its headers; the header's
    serves where the body has none. Raises UpstreamMalformed (CutOff for what is no JSON), or FileRefused
    for a file that is not safe.
    """
    if (commas := body.count(b",")) > _MAX_PAGE_COMMAS:
        raise UpstreamMalformed(f"the page has {commas} values, no project has that many", url=url)
    try:
        page = _page_decoder.decode(body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UpstreamMalformed(f"the page is no PEP 691 document: {error}", url=url) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CutOff(f"the page is no PEP 691 document: {error}", url=url) from error
    _check_version(page.meta.api_version, url=url)
    checked_count(len(page.files), "files", url=url)
    checked_count(len(page.versions or ()), "versions", url=url)
    _check_unique_keys(body, page, url=url)
    if (named := checked_name(page.name, url=url)) != project:
        raise UpstreamMalformed(f"this is the page of {named!r}, not of {project!r}", url=url)
    status = page.project_status or _Status()
    serial = page.meta.last_serial
    return ProjectPage(
        name=project,
        serial=header_serial if serial is None else serial,
        etag=etag,
        status=ProjectStatus(
            status=checked_status(status.status, url=url),
            reason=checked_text(status.reason, "a status reason", url=url),
        ),
        versions=tuple([str(checked_text(v, "a version", url=url)) for v in page.versions or ()]),
        files=_unique(tuple(_file(f, url) for f in page.files), url),
    )


def parse_root_index(body: bytes, *, url: str) -> tuple[int | None, Iterator[IndexEntry]]:
    """The index's serial, None where it carries none, and its projects in upstream's order.

    Raises UpstreamMalformed for a document that is none. An entry whose name is none is no project that
    any client could ask for; it is left out, and must not keep the others away.
    """
    if body.count(b",") > _MAX_INDEX_COMMAS:
        raise UpstreamMalformed("the root index has more values than any index", url=url)
    # Which of two lists is meant nobody can tell; one of them could remove every project.
    if len(_PROJECTS_KEY.findall(body)) > 1:
        raise UpstreamMalformed("the root index has the key 'projects' twice", url=url)
    try:
        index = _index_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamMalformed(f"the root index is no PEP 691 document: {error}", url=url) from error
    _check_version(index.meta.api_version, url=url)
    return index.meta.last_serial, index_entries(_drained(index.projects), url=url)


def _drained(projects: list[_Project]) -> Iterator[tuple[str, int | None]]:
    """(display name, serial) of each, which goes as it is told of: all of PyPI takes a hundred megabytes."""
    projects.reverse()
    while projects:
        project = projects.pop()
        yield project.name, project.last_serial


def index_entries(listed: Iterable[tuple[str, int | None]], *, url: str) -> Iterator[IndexEntry]:
    """The entries of a root index, of (display name, serial), without those whose name is none."""
    for name, serial in listed:
        try:
            project = checked_name(name, url=url)
        except UpstreamMalformed as error:
            log.warning("an entry of the root index is left out: %s", error)
            continue
        # Most names are normalized as they are; one string for both is enough.
        yield IndexEntry(name=project if project == name else name, project=project, serial=serial)


def _check_unique_keys(body: bytes, page: _Page, *, url: str) -> None:
    """UpstreamMalformed for an object that has a key twice: what it says depends on who reads it (RFC 8259).

    Our decoder takes the last. To ask the other one costs ten times as much, so it is asked only about a page
    that has more keys than the page it became, or hides some behind escapes.
    """
    algorithms: Counter[str] = Counter()
    for file in page.files:
        algorithms.update(file.hashes.keys())
        for metadata in (file.core_metadata, file.legacy_metadata):
            if isinstance(metadata, dict):
                algorithms.update(metadata.keys())
    number = len(page.files)
    if (
        b"\\" not in body
        and len(algorithms) <= _FEW
        and body.count(b'"files"') <= 1
        and all(body.count(key) <= number for key in _FILE_KEYS)
        and all(body.count(b'"%s"' % name.encode()) <= times for name, times in algorithms.items())
    ):
        return
    try:
        json.loads(body, object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(f"the page is ambiguous: {error}", url=url) from error


def _without_repeats(pairs: list[tuple[str, object]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"an object has the key {key[:100]!r} twice")
        seen.add(key)


def _check_version(version: str, *, url: str) -> None:
    # PEP 629: a client must refuse a major version that it does not know.
    if version.partition(".")[0] != "1":
        raise UpstreamMalformed(f"speaks version {version!r} of the simple API; 1.x is known", url=url)


def _file(file: _File, base: str) -> RemoteFile:
    filename = checked_filename(file.filename, url=base)
    # PEP 714: `core-metadata` decides where it is present, the misnamed older key where it is not.
    metadata = file.legacy_metadata if file.core_metadata is None else file.core_metadata
    return RemoteFile(
        filename=filename,
        url=checked_address(file.url.partition("#")[0], base=base),
        hashes=checked_hashes(file.hashes, url=base),
        size=file.size,
        upload_time=checked_upload_time(file.upload_time, url=base),
        requires_python=checked_text(file.requires_python, "requires-python", url=base),
        # PEP 592: true is "yanked without a reason", a string is the reason.
        yanked=(
            checked_text(file.yanked, "a yank reason", url=base)
            if isinstance(file.yanked, str)
            else ""
            if file.yanked
            else None
        ),
        core_metadata=_metadata(metadata, base),
        provenance=checked_address(file.provenance, base=base) if file.provenance else None,
        gpg_sig=file.gpg_sig,
    )


def _metadata(value: bool | dict[str, str] | None, base: str) -> tuple[tuple[str, str], ...] | None:
    if isinstance(value, dict):
        return checked_hashes(value, url=base)
    return () if value else None


def _unique(files: tuple[RemoteFile, ...], url: str) -> tuple[RemoteFile, ...]:
    seen: set[str] = set()
    for file in files:
        if file.filename in seen:
            raise UpstreamMalformed(f"the page lists {file.filename!r} twice", url=url)
        seen.add(file.filename)
    return files
