"""PEP 691 documents: a project page and a root index, from JSON to :mod:`pypi_mirror.model`.

Unknown keys of a page and its files are kept, so that a later PEP's reach our readers. A value of a wrong
type costs itself, or its file, never the page.
"""

import codecs
import json
import logging
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import CutOff, UpstreamError, UpstreamMalformed
from pypi_mirror.model import Extra, IndexEntry, ProjectPage, ProjectStatus, Refused, RemoteFile
from pypi_mirror.upstream.checks import (
    MAX_FILES,
    MAX_SERIAL,
    MAX_SIZE,
    check_version,
    checked_address,
    checked_count,
    checked_filename,
    checked_hashes,
    checked_name,
    checked_status,
    checked_text,
    checked_upload_time,
    shown,
)
from pypi_mirror.upstream.file_entry import (
    Drop,
    clean_text,
    is_usable,
    kind_of,
    printable,
    read_file,
    unique_files,
)

log = logging.getLogger(__name__)

_Serial = Annotated[int, msgspec.Meta(ge=0, le=MAX_SERIAL)]
_Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]


class _Meta(msgspec.Struct, forbid_unknown_fields=True):
    api_version: str = msgspec.field(name="api-version")
    last_serial: _Serial | None = msgspec.field(name="_last-serial", default=None)


class _Status(msgspec.Struct, forbid_unknown_fields=True):
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


class _KnownFile(_File, forbid_unknown_fields=True):
    """A file of which all keys are known."""


class _KnownPage(msgspec.Struct, forbid_unknown_fields=True):
    """A page of which all keys are known and all values of the right type, as nearly all are."""

    meta: _Meta
    name: str
    files: list[_KnownFile]
    versions: list[str] | None = None
    project_status: _Status | None = msgspec.field(name="project-status", default=None)


class _Project(msgspec.Struct, gc=False):
    name: str
    last_serial: Any = msgspec.field(name="_last-serial", default=None)


class _IndexMeta(msgspec.Struct):
    api_version: str = msgspec.field(name="api-version")
    last_serial: Any = msgspec.field(name="_last-serial", default=None)


class _Index(msgspec.Struct):
    meta: _IndexMeta
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

_DIGESTS: Final = ("hashes", "core-metadata", "data-dist-info-metadata")
# Stands for a value that cannot be read.
_NONSENSE: Final = object()
_Raw = dict[str, msgspec.Raw]
_T = TypeVar("_T")

# What the mirror says itself, by whatever name, is not passed on as a key that it does not know.
_PAGE_KEYS: Final = frozenset(_KnownPage.__struct_encode_fields__)
_META_KEYS: Final = frozenset(_Meta.__struct_encode_fields__)
_FILE_FIELDS: Final = frozenset({*_File.__struct_encode_fields__, "dist-info-metadata"})
# Of a value that is passed on; what clients parse with has bounds of its own.
_MAX_DEPTH: Final = 32
# A number that Python, and so pip, reads no page with: it takes 4,300 digits at most.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{1000}")
_KEY: Final = re.compile(rb'"\s*:')
# Possessive: one that goes back keeps a hundred bytes for each character of a text of 60 MB.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# The next escape that is half a surrogate pair, behind whole pairs and other escapes (RFC 8259, section 7).
_HALF: Final = re.compile(
    rb"""
    (?: [^\\]++ | \\[^u] | \\u[dD][89abAB]..\\u[dD][c-fC-F].. | \\u(?![dD][89a-fA-F]).... | (?!) )*+
    \\u ([dD][89a-fA-F]..)
    """,
    re.VERBOSE | re.DOTALL,
)

_page_decoder = msgspec.json.Decoder(_KnownPage)
_file_decoder = msgspec.json.Decoder(_File)
_raw_decoder = msgspec.json.Decoder(_Raw)
_raw_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_index_decoder = msgspec.json.Decoder(_Index)


def parse_project_page(
    body: bytes, *, url: str, project: NormalizedName, header_serial: int | None, etag: str | None
) -> ProjectPage:
    """The page of ``project`` at ``url``.

    The serial is the body's own, since a body may be an older cached copy than its headers; the header's
    serves where the body has none. A file or a value that is invalid or unsafe is in ``refused`` and costs
    only itself. Raises UpstreamMalformed for what is not a page of this project, CutOff for what is no JSON.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if (commas := body.count(b",")) > _MAX_PAGE_COMMAS:
        raise UpstreamMalformed(f"the page has {commas} values, no project has that many", url=url)
    page = _read_known(body, url=url) or _TolerantReading(url).read(body)
    check_version(page.meta.api_version, url=url)
    if (named := checked_name(page.name, url=url)) != project:
        raise UpstreamMalformed(f"this is the page of {named!r}, not of {project!r}", url=url)
    serial = page.meta.last_serial
    files = unique_files(page.files, page.refused)
    return ProjectPage(
        name=project,
        serial=header_serial if serial is None else serial,
        etag=etag,
        status=page.status,
        versions=tuple(page.versions),
        files=files,
        extra=page.extra,
        meta_extra=page.meta_extra,
        refused=tuple(page.refused),
    )


class _Read(Struct, kw_only=True):
    """What a page says, safe values only; ``refused`` is the rest."""

    meta: _Meta
    name: str
    files: list[RemoteFile]
    versions: list[str]
    status: ProjectStatus
    extra: Extra = ()
    meta_extra: Extra = ()
    refused: list[Refused]


def _read_known(body: bytes, *, url: str) -> _Read | None:
    """The page where all of it is as it should be; None where it has to be looked at piece by piece.

    Pages are read this way in a fifth of the time.
    """
    try:
        page = _page_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not _has_unique_keys(body, page):
        return None
    refused: list[Refused] = []
    drop = _dropping(refused)
    said = page.project_status or _Status()
    checked_count(len(page.files), "files", url=url)
    checked_count(len(page.versions or ()), "versions", url=url)
    return _Read(
        meta=page.meta,
        name=page.name,
        files=[read for file in page.files if (read := _file(file, (), refused, url)) is not None],
        versions=_versions(page.versions, drop),
        status=_status({"status": said.status, "reason": said.reason}, drop, url),
        refused=refused,
    )


class _TolerantReading:
    """Reads a page a piece at a time, so that what is wrong with one costs only that one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._refused: list[Refused] = []
        self._drop = _dropping(self._refused)

    def read(self, body: bytes) -> _Read:
        """Raises UpstreamMalformed, or CutOff, where nobody can say what page this is and of which files."""
        said = self._page(body)
        for key in ("meta", "name", "files"):
            if key not in said:
                raise self._malformed(f"it has no {key!r}")
        meta = self._object(said["meta"], "meta")
        version, name = self._value(meta.get("api-version")), self._value(said["name"])
        if not isinstance(version, str) or not isinstance(name, str):
            raise self._malformed("name and api-version are not both texts")
        return _Read(
            meta=_Meta(api_version=version, last_serial=self._serial(self._value(meta.get("_last-serial")))),
            name=name,
            files=self._files(said["files"]),
            versions=_versions(self._value(said.get("versions")), self._drop),
            status=_status(self._value(said.get("project-status")), self._drop, self._url),
            extra=self._extra(said, _PAGE_KEYS, self._drop),
            meta_extra=self._extra(meta, _META_KEYS, self._drop),
            refused=self._refused,
        )

    def _page(self, body: bytes) -> _Raw:
        try:
            read, said = _decoded(_raw_decoder, body)
        except (msgspec.ValidationError, RecursionError) as error:
            raise self._malformed(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise CutOff(f"the page is not a valid PEP 691 document: {error}", url=self._url) from error
        whole = 1 + sum(len(key.encode()) + 4 + len(bytes(value)) for key, value in said.items())
        if len(read.strip()) != max(2, whole):
            self._require_unique(read, "it")
        return said

    def _object(self, text: msgspec.Raw, what: str) -> _Raw:
        try:
            said = _raw_decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._malformed(f"{what!r} is not an object") from error
        self._require_unique(bytes(text), repr(what))
        return said

    def _require_unique(self, text: bytes | bytearray, what: str) -> None:
        try:
            key = _repeated_key(text)
        except (ValueError, RecursionError) as error:
            raise self._malformed(f"{what} cannot be read: {error}") from error
        if key is not None:
            reason = f"the page is ambiguous: {what} has the key {shown(key)} twice"
            raise UpstreamMalformed(reason, url=self._url)

    def _files(self, text: msgspec.Raw) -> list[RemoteFile]:
        try:
            entries = _raw_list_decoder.decode(text)
        except msgspec.DecodeError as error:
            raise self._malformed("'files' is not a list") from error
        checked_count(len(entries), "files", url=self._url)
        read = (self._file(number, entry) for number, entry in enumerate(entries, 1))
        return [file for file in read if file is not None]

    def _file(self, number: int, entry: msgspec.Raw) -> RemoteFile | None:
        try:
            said = _raw_decoder.decode(entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._refuse(f"entry {number} of the files", "it is not an object")
            return None
        text = bytes(entry)
        called = _name_of(said) or f"entry {number} of the files"
        # A key that comes twice, in here or deeper, is missing among those that were read.
        keys = len(said) + sum(_number_of_keys(said[key]) for key in _DIGESTS if key in said)
        if len(_KEY.findall(text)) != keys and _is_ambiguous(text):
            self._refuse(called, "it has a key twice, and which one counts depends on who reads it")
            return None
        extra: Extra = ()
        if not said.keys() <= _FILE_FIELDS:
            extra = self._extra(said, _FILE_FIELDS, _dropping(self._refused, called))
        try:
            file = _file_decoder.decode(entry)
        except (msgspec.DecodeError, UnicodeDecodeError):
            known = {key: self._value(value) for key, value in said.items() if key in _FILE_FIELDS}
            return read_file(known, extra, self._refused, base=self._url)
        return _file(file, extra, self._refused, self._url)

    def _refuse(self, called: str, reason: str) -> None:
        self._refused.append(Refused(filename=called, field=None, reason=reason))

    def _extra(self, said: _Raw, known: frozenset[str], drop: Drop) -> Extra:
        """What ``said`` has beside ``known`` and clients can read, as upstream wrote it."""
        kept = []
        for key, value in said.items():
            if key in known:
                continue
            if _is_safe(text := bytes(value)) and key.isprintable():
                kept.append((key, text))
            else:
                drop(printable(key), "its value is not UTF-8, is ambiguous, too deep or too long a number")
        return tuple(kept)

    def _serial(self, value: object) -> int | None:
        if value is None or (type(value) is int and 0 <= value <= MAX_SERIAL):
            return value
        self._drop("_last-serial", f"{kind_of(value)} is not a valid serial")
        return None

    def _value(self, text: msgspec.Raw | None) -> object:
        try:
            return None if text is None else msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _NONSENSE

    def _malformed(self, reason: str) -> UpstreamMalformed:
        return UpstreamMalformed(f"the page is not a valid PEP 691 document: {reason}", url=self._url)


def _dropping(refused: list[Refused], filename: str | None = None) -> Drop:
    def drop(field: str, reason: str) -> None:
        refused.append(Refused(filename=filename, field=field, reason=reason))

    return drop


def _name_of(said: _Raw) -> str | None:
    """The file's name for people, None where it has none."""
    try:
        return printable(msgspec.json.decode(said["filename"], type=str))
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _versions(said: object, drop: Drop) -> list[str]:
    if said is None:
        return []
    if not isinstance(said, list):
        drop("versions", "it is not a list")
        return []
    if len(said) > MAX_FILES:
        drop("versions", f"there are {len(said):,}, {MAX_FILES:,} are the most")
        return []
    good = [each for each in said if isinstance(each, str) and is_usable(each)]
    if len(good) < len(said):
        drop("versions", f"{len(said) - len(good)} of {len(said)} are not valid versions")
    return good


def _status(said: object, drop: Drop, url: str) -> ProjectStatus:
    """PEP 792's status; a project of which upstream says nothing that can be read is taken for active."""
    if said is None:
        return ProjectStatus()
    if isinstance(said, str):
        said = {"status": said}
    status, reason = (
        (said.get("status", "active"), said.get("reason")) if isinstance(said, dict) else ("", None)
    )
    try:
        status = checked_status(status if isinstance(status, str) else "", url=url)
    except UpstreamMalformed as error:
        drop("project-status", error.message)
        return ProjectStatus()
    if reason is not None and not isinstance(reason, str):
        drop("project-status.reason", "it is not a string")
        reason = None
    return ProjectStatus(
        status=status, reason=None if reason is None else clean_text("project-status.reason", reason, drop)
    )


def parse_root_index(body: bytes, *, url: str) -> tuple[int | None, Iterator[IndexEntry]]:
    """The index's serial, None where it carries none, and its projects in upstream's order.

    Raises UpstreamMalformed for a document that is none. An entry whose name is none is no project that
    any client could ask for; it is left out, and must not keep the others away.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if body.count(b",") > _MAX_INDEX_COMMAS:
        raise UpstreamMalformed("the root index has more values than any index", url=url)
    # Which of two lists is meant nobody can tell; one of them could remove every project.
    if len(_PROJECTS_KEY.findall(body)) > 1:
        raise UpstreamMalformed("the root index has the key 'projects' twice", url=url)
    try:
        _, index = _decoded(_index_decoder, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamMalformed(
            f"the root index is not a valid PEP 691 document: {error}", url=url
        ) from error
    check_version(index.meta.api_version, url=url)
    return _read_serial(index.meta.last_serial, of="the index itself"), index_entries(
        _drained(index.projects), url=url
    )


def _decoded(decoder: msgspec.json.Decoder[_T], body: bytes) -> tuple[bytes | bytearray, _T]:
    """What ``decoder`` reads in ``body``, and the bytes that it read: where the body has half a surrogate
    pair, ILLEGIBLE stands there.
    """
    try:
        return body, decoder.decode(body)
    except msgspec.DecodeError as error:
        if isinstance(error, msgspec.ValidationError) or (match := _HALF.match(body)) is None:
            raise
    # In place: a list of what is between them can take many times the bytes that a page may have.
    legible = bytearray(body)
    for _ in range(MAX_FILES):
        legible[match.start(1) : match.end(1)] = b"ffff"
        if (match := _HALF.match(body, match.end())) is None:
            break
    return legible, decoder.decode(legible)


def _drained(projects: list[_Project]) -> Iterator[tuple[str, int | None]]:
    """(display name, serial) of each, which goes as it is told of: all of PyPI takes a hundred megabytes."""
    projects.reverse()
    while projects:
        project = projects.pop()
        yield project.name, _read_serial(project.last_serial, of=project.name)


def _read_serial(stated: object, *, of: str) -> int | None:
    if stated is None or (type(stated) is int and 0 <= stated <= MAX_SERIAL):
        return stated
    log.warning("upstream's index has no serial of %s that can be read: %s", of, reprlib.repr(stated))
    return None


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


def _has_unique_keys(body: bytes, page: _KnownPage) -> bool:
    """Whether it is plain that no object has a key twice.

    What such an object says depends on who reads it (RFC 8259); our decoder takes the last. A page that has
    more keys than the page it became, or hides some behind escapes, is looked at piece by piece.
    """
    algorithms: Counter[str] = Counter()
    for file in page.files:
        algorithms.update(file.hashes.keys())
        for metadata in (file.core_metadata, file.legacy_metadata):
            if isinstance(metadata, dict):
                algorithms.update(metadata.keys())
    number = len(page.files)
    return (
        b"\\" not in body
        and len(algorithms) <= _FEW
        and body.count(b'"files"') <= 1
        and all(body.count(key) <= number for key in _FILE_KEYS)
        and all(body.count(b'"%s"' % name.encode()) <= times for name, times in algorithms.items())
    )


def _repeated_key(text: bytes | bytearray) -> str | None:
    """A key that the outermost object of ``text`` has twice, None without one."""
    pairs = json.loads(text.decode(errors="replace"), object_pairs_hook=list, parse_int=str)
    seen = Counter(key for key, _ in pairs)
    return next((key for key, times in seen.items() if times > 1), None)


def _number_of_keys(text: msgspec.Raw) -> int:
    """The different keys of the object ``text``, 0 where it is something else."""
    try:
        return len(_raw_decoder.decode(text)) if bytes(text).startswith(b"{") else 0
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 0


def _is_ambiguous(text: bytes) -> bool:
    """Whether any object in ``text`` has a key twice, or nobody can tell."""
    try:
        json.loads(text.decode(errors="replace"), object_pairs_hook=_without_repeats, parse_int=str)
    except (ValueError, RecursionError):
        return True
    return False


def _without_repeats(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key twice")


def _is_safe(text: bytes) -> bool:
    """Whether any client can read the JSON value ``text``."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    bare = _STRING.sub(b"", text)
    if _LONG_NUMBER.search(bare):
        return False
    if text[:1] not in b"[{":
        return True
    depth = 0
    for bracket in bare:
        depth += (bracket in b"[{") - (bracket in b"]}")
        if depth > _MAX_DEPTH:
            return False
    return not _is_ambiguous(text)


def _file(file: _File, extra: Extra, refused: list[Refused], base: str) -> RemoteFile | None:
    """The file, None where it is refused; one without anything unusual takes the short way."""
    try:
        return _checked_file(file, extra, base)
    except UpstreamError:
        names = zip(_File.__struct_encode_fields__, _File.__struct_fields__, strict=True)
        return read_file({key: getattr(file, name) for key, name in names}, extra, refused, base=base)


def _checked_file(file: _File, extra: Extra, base: str) -> RemoteFile:
    # PEP 714: `core-metadata` decides where it is present, the misnamed older key where it is not.
    metadata = file.legacy_metadata if file.core_metadata is None else file.core_metadata
    return RemoteFile(
        filename=checked_filename(file.filename, url=base),
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
        core_metadata=checked_hashes(metadata, url=base)
        if isinstance(metadata, dict)
        else ()
        if metadata
        else None,
        provenance=checked_address(file.provenance, base=base) if file.provenance else None,
        gpg_sig=file.gpg_sig,
        extra=extra,
    )
