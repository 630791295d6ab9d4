"""A project's page as bytes, in the two formats of the simple repository API, shaped as PyPI shapes them.

With upstream's data and links the bytes are upstream's own, so that a difference between a served page
and upstream's is always a filter, a link, or a bug. The formats are those of PEP 503, 592, 629, 658,
691, 700, 714, 740 and 792 (api-version 1.4). Pages are UTF-8; text with lone surrogates cannot be
written and raises UnicodeEncodeError, which upstream's parser rules out.
"""

from typing import Any, Final

import msgspec
from markupsafe import escape
from msgspec import UNSET, UnsetType

from pypi_mirror.model import Extra, MirroredPage, PooledFile
from pypi_mirror.pages.links import Links

API_VERSION = "1.4"
# PEP 714 renamed this key, and clients still read it. What a page says of metadata, the mirror has verified.
_UNVERIFIED: Final = frozenset({"dist-info-metadata"})

_encoder = msgspec.json.Encoder()


class _JsonFile(msgspec.Struct, frozen=True, rename="kebab", gc=False):
    """An element of ``files``; fields are in the order in which upstream sorts its keys."""

    core_metadata: dict[str, str] | bool
    data_dist_info_metadata: dict[str, str] | bool
    filename: str
    gpg_sig: bool | UnsetType
    hashes: dict[str, str]
    provenance: str | None
    requires_python: str | None
    size: int
    upload_time: str | UnsetType
    url: str
    yanked: str | bool


class JsonMeta(msgspec.Struct, frozen=True, gc=False):
    """``meta`` of a page, and of the root index."""

    last_serial: int | UnsetType = msgspec.field(name="_last-serial")
    api_version: str = msgspec.field(name="api-version", default=API_VERSION)


class _JsonStatus(msgspec.Struct, frozen=True, gc=False):
    reason: str | UnsetType
    status: str


class _JsonPage(msgspec.Struct, frozen=True, rename="kebab", gc=False):
    files: list[_JsonFile | dict[str, Any]]
    meta: JsonMeta | dict[str, Any]
    name: str
    project_status: _JsonStatus
    versions: tuple[str, ...]


def render_json(page: MirroredPage, links: Links) -> bytes:
    """The page as ``application/vnd.pypi.simple.v1+json``, ending in a newline.

    ``yanked`` is the reason, or true for a file yanked without one. ``_last-serial``, ``upload-time``
    and ``gpg-sig`` are left out where they are not known. Keys that upstream has and we do not know follow as
    upstream wrote them, except where they have the name of one that the mirror itself states.
    """
    meta = JsonMeta(last_serial=UNSET if page.serial is None else page.serial)
    document = _JsonPage(
        files=[_json_file(file, links) for file in page.files],
        meta=_with_extra(meta, page.meta_extra) if page.meta_extra else meta,
        name=page.name,
        project_status=_JsonStatus(reason=page.status.reason or UNSET, status=page.status.status),
        versions=page.versions,
    )
    return _encoder.encode(_with_extra(document, page.extra) if page.extra else document) + b"\n"


def _with_extra(stated: msgspec.Struct, extra: Extra) -> dict[str, Any]:
    """``stated`` and what upstream adds, sorted by key as upstream sorts."""
    names = zip(stated.__struct_encode_fields__, stated.__struct_fields__, strict=True)
    own: dict[str, Any] = {encoded: getattr(stated, name) for encoded, name in names}
    added = {key: msgspec.Raw(text) for key, text in extra if key not in own and key not in _UNVERIFIED}
    return dict(sorted((key, value) for key, value in (own | added).items() if value is not UNSET))


def _json_file(file: PooledFile, links: Links) -> _JsonFile | dict[str, Any]:
    stated = _stated(file, links)
    return _with_extra(stated, file.remote.extra) if file.remote.extra else stated


def _stated(file: PooledFile, links: Links) -> _JsonFile:
    """What the mirror itself says of a file."""
    remote = file.remote
    hashes = {"sha256": file.sha256}
    if remote.hashes != (("sha256", file.sha256),):
        hashes = dict(sorted({**dict(remote.hashes), **hashes}.items()))
    metadata = {"sha256": file.metadata_sha256} if file.metadata_sha256 else False
    return _JsonFile(
        metadata,
        metadata,
        remote.filename,
        # The mirror does not hold signature files, so it can say that there is none, never that there is.
        False if remote.gpg_sig is False else UNSET,
        hashes,
        links.provenance(file) if file.has_provenance else None,
        remote.requires_python or None,
        file.size,
        remote.upload_time or UNSET,
        links.file(file),
        False if remote.yanked is None else remote.yanked or True,
    )


def render_html(page: MirroredPage, links: Links) -> bytes:
    """The page as ``application/vnd.pypi.simple.v1+html``.

    Spaces and line ends are upstream's. The format has no place for size, upload time and versions, and
    one hash a file: SHA-256.
    """
    name = escape(page.name)
    status = f'<meta name="pypi:project-status" content="{escape(page.status.status)}">'
    if page.status.reason:
        status += f'<meta name="pypi:project-status-reason" content="{escape(page.status.reason)}">'
    anchors = "".join([_html_anchor(file, links) for file in page.files])
    trailer = "" if page.serial is None else f"\n<!--SERIAL {page.serial}-->"
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "  <head>\n"
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">\n'
        f"{status}    <title>Links for {name}</title>\n"
        "  </head>\n"
        "  <body>\n"
        f"    <h1>Links for {name}</h1>\n"
        f"{anchors}"
        "</body>\n"
        f"</html>{trailer}"
    ).encode()


def _html_anchor(file: PooledFile, links: Links) -> str:
    remote = file.remote
    attributes = ""
    if remote.requires_python:
        attributes = f'data-requires-python="{escape(remote.requires_python)}" '
    if remote.yanked is not None:
        attributes += f'data-yanked="{escape(remote.yanked)}" '
    if file.metadata_sha256:
        digest = f"sha256={file.metadata_sha256}"
        attributes += f'data-dist-info-metadata="{digest}" data-core-metadata="{digest}"'
    if file.has_provenance:
        attributes += f' data-provenance="{escape(links.provenance(file))}"'
    if remote.gpg_sig is False:
        attributes += ' data-gpg-sig="false"'
    return (
        f'<a href="{escape(links.file(file))}#sha256={file.sha256}" {attributes}>'
        f"{escape(remote.filename)}</a><br />\n"
    )
