"""A project page as bytes: what the ledger keeps of millions of files has to be small, and quick to read.

Digests are random and do not compress, so they are kept as raw bytes; names, times and versions are alike
from file to file, and compress well. A file takes 110 to 140 bytes.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.errors import UnreadableEntry
from pypi_mirror.model import ProjectPage, ProjectStatus, Refused, RemoteFile

# Raised when what is written changes; an entry of another version is read from upstream again.
ENCODING: Final = 1
# Level 1 takes a third of the time of level 6 and makes a page two percent larger.
_LEVEL: Final = 1
# The directory of a file in a pool laid out as PyPI's: .../aa/bb/<60 hex>.
_PLACE: Final = re.compile(r"(.*/)([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{60})/", re.ASCII)
_RAW: Final = 32

# Digests by algorithm; True for a SHA-256 alone, which nearly all files have: it is among the raw bytes.
_Digests = bool | dict[str, str]


class _File(msgspec.Struct, array_like=True, gc=False):
    name: str
    # The address, or with ``placed`` what comes before the 32 bytes of the directory's name.
    address: str
    placed: bool
    hashes: _Digests
    size: int | None
    upload_time: str | None
    requires_python: str | None
    yanked: str | None
    core_metadata: _Digests | None
    provenance: str | None
    gpg_sig: bool | None
    extra: dict[str, bytes]


class _Page(msgspec.Struct, array_like=True, gc=False):
    serial: int | None
    status: str
    reason: str | None
    versions: list[str]
    files: list[_File]
    extra: dict[str, bytes]
    meta_extra: dict[str, bytes]
    refused: list[tuple[str | None, str | None, str]]


class _Body(msgspec.Struct, array_like=True, gc=False):
    text: bytes
    raw: bytes


_encoder: Final = msgspec.msgpack.Encoder()
_page_decoder: Final = msgspec.msgpack.Decoder(_Page)
_body_decoder: Final = msgspec.msgpack.Decoder(_Body)


class EncodedPage(Struct, frozen=True):
    """``digest`` is 16 bytes over all that the page says, its serial included, its ETag not."""

    body: bytes
    digest: bytes


def encode_page(page: ProjectPage) -> EncodedPage:
    """``page`` as bytes; its name and ETag have columns of their own."""
    raw: list[bytes] = []
    text = _encoder.encode(
        _Page(
            page.serial,
            page.status.status,
            page.status.reason,
            list(page.versions),
            [_packed(file, raw) for file in page.files],
            dict(page.extra),
            dict(page.meta_extra),
            [(each.filename, each.field, each.reason) for each in page.refused],
        )
    )
    digests = b"".join(raw)
    return EncodedPage(
        body=_encoder.encode(_Body(zlib.compress(text, _LEVEL), digests)),
        digest=hashlib.blake2b(text + digests, digest_size=16).digest(),
    )


def decode_page(body: bytes, *, project: NormalizedName, etag: str | None) -> ProjectPage:
    """The page that ``encode_page`` made ``body`` of; for bodies of version ENCODING.

    Raises UnreadableEntry for what is none.
    """
    try:
        return _decoded(body, project=project, etag=etag)
    except (msgspec.MsgspecError, zlib.error, StopIteration, UnicodeDecodeError) as error:
        raise UnreadableEntry(f"{project}: what the ledger keeps of upstream's page is damaged") from error


def _decoded(body: bytes, *, project: NormalizedName, etag: str | None) -> ProjectPage:
    packed = _body_decoder.decode(body)
    page = _page_decoder.decode(zlib.decompress(packed.text))
    raw = packed.raw.hex()
    digests = iter([raw[start : start + 2 * _RAW] for start in range(0, len(raw), 2 * _RAW)])
    return ProjectPage(
        name=project,
        serial=page.serial,
        etag=etag,
        status=ProjectStatus(status=page.status, reason=page.reason),
        versions=tuple(page.versions),
        files=tuple([_unpacked(file, digests) for file in page.files]),
        extra=tuple(page.extra.items()),
        meta_extra=tuple(page.meta_extra.items()),
        refused=tuple(
            [Refused(filename=name, field=field, reason=reason) for name, field, reason in page.refused]
        ),
    )


def _packed(file: RemoteFile, raw: list[bytes]) -> _File:
    address, placed = file.url, False
    match = _PLACE.match(file.url)
    if match is not None and file.url[match.end() :] == file.filename:
        address, placed = match[1], True
        raw.append(bytes.fromhex(match[2] + match[3] + match[4]))
    return _File(
        file.filename,
        address,
        placed,
        _packed_digests(file.hashes, raw),
        file.size,
        file.upload_time,
        file.requires_python,
        file.yanked,
        None if file.core_metadata is None else _packed_digests(file.core_metadata, raw),
        file.provenance,
        file.gpg_sig,
        dict(file.extra),
    )


def _unpacked(file: _File, digests: Iterator[str]) -> RemoteFile:
    url = file.address
    if file.placed:
        place = next(digests)
        url = f"{url}{place[:2]}/{place[2:4]}/{place[4:]}/{file.name}"
    return RemoteFile(
        filename=file.name,
        url=url,
        hashes=_unpacked_digests(file.hashes, digests),
        size=file.size,
        upload_time=file.upload_time,
        requires_python=file.requires_python,
        yanked=file.yanked,
        core_metadata=None if file.core_metadata is None else _unpacked_digests(file.core_metadata, digests),
        provenance=file.provenance,
        gpg_sig=file.gpg_sig,
        extra=tuple(file.extra.items()),
    )


def _packed_digests(digests: tuple[tuple[str, str], ...], raw: list[bytes]) -> _Digests:
    if len(digests) == 1 and digests[0][0] == "sha256":
        raw.append(bytes.fromhex(digests[0][1]))
        return True
    return dict(digests)


def _unpacked_digests(packed: _Digests, digests: Iterator[str]) -> tuple[tuple[str, str], ...]:
    return (("sha256", next(digests)),) if isinstance(packed, bool) else tuple(packed.items())
