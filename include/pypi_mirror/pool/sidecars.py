"""The small documents beside a file: its core metadata (PEP 658) and its provenance (PEP 740)."""

import asyncio
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pypi_mirror.digests import checkable, hashers
from pypi_mirror.disk.files import remove_file, sha256_of
from pypi_mirror.disk.writing import replace_atomically, write_atomically
from pypi_mirror.errors import (
    DigestMismatch,
    FileRefused,
    MirrorError,
    UpstreamError,
    UpstreamMalformed,
    UpstreamUnavailable,
)
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import Refused, RemoteFile
from pypi_mirror.pool.sources import Sources
from pypi_mirror.pool.wheel_metadata import BytesMissing, WheelTail, metadata_in, wheel_metadata
from pypi_mirror.release_files import WHEEL
from pypi_mirror.transport.answers import failure
from pypi_mirror.transport.messages import Request, Response, Transport
from pypi_mirror.transport.patience import WRONG_BYTES
from pypi_mirror.transport.retries import NO_CACHE, Retries

_MAX_DOCUMENT: Final = 32 * 1024**2
# Every core metadata document has this field among its headers (PEP 241 and all after it). What comes before
# the headers, a byte order mark for one, keeps those who read it from finding any.
_METADATA: Final = re.compile(
    rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?Metadata-Version:[ \t]*\d", re.IGNORECASE
)
# Of a wheel's end: the first part that is asked for, and the most. The list of members of the largest wheels
# has 2 MB.
_TAIL: Final = 64 * 1024
_MAX_TAIL: Final = 4 * 1024**2
_CONTENT_RANGE: Final = re.compile(r"bytes ([0-9]{1,15})-([0-9]{1,15})/([0-9]{1,15})")
# Bytes of one name in a directory.
_LONGEST_NAME: Final = 255
_ACCEPT_PROVENANCE: Final = "Accept: application/vnd.pypi.integrity.v1+json, application/json;q=0.5"


class _Provenance(msgspec.Struct):
    """What a provenance object must have."""

    version: int
    attestation_bundles: list[msgspec.Raw]


_provenance_decoder = msgspec.json.Decoder(_Provenance)


class Beside(Struct, kw_only=True):
    """What is beside a file now, and what of upstream's is not.

    ``trouble`` is why a document could not be downloaded that may come with another try.
    """

    metadata_sha256: str | None = None
    provenance_sha256: str | None = None
    bytes_downloaded: int = 0
    refused: tuple[Refused, ...] = ()
    trouble: UpstreamUnavailable | None = None


class Sidecars:
    """Brings them to the disk, and removes those that no page lists."""

    def __init__(
        self,
        transport: Transport,
        retries: Retries,
        sources: Sources,
        *,
        core_metadata: bool,
        before_write: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """Without ``core_metadata``, files have none beside them."""
        self._transport = transport
        self._retries = retries
        self._sources = sources
        self._core_metadata = core_metadata
        self._before_write = before_write
        # One wheel at a time is opened: what its list of members takes in memory is upstream's choice.
        self._making = asyncio.Semaphore(1)

    async def acquire(self, path: str, file: RemoteFile, known: KnownFile | None, *, verify: bool) -> Beside:
        """What belongs beside the file at ``path``, verified.

        No document costs the file: one that is not as it should be is left out.
        """
        beside = Beside()
        metadata = self.metadata(path, file, known, verify=verify)
        beside.metadata_sha256 = await _left_out_alone(beside, metadata, file.filename, "core-metadata")
        if beside.metadata_sha256 is None:
            _remove_unlisted(
                f"{path}.metadata", listed=known is not None and known.metadata_sha256 is not None
            )
        if file.provenance is None:
            _remove_unlisted(f"{path}.provenance", listed=known is not None and known.provenance)
        else:
            provenance = self.provenance(path, file.provenance, file, known)
            beside.provenance_sha256 = await _left_out_alone(beside, provenance, file.filename, "provenance")
        return beside

    async def metadata(
        self, path: str, file: RemoteFile, known: KnownFile | None, *, verify: bool
    ) -> tuple[str | None, int]:
        """SHA-256 of ``<path>.metadata``, None without one, and bytes downloaded.

        Where upstream has none, it is made from the wheel at ``path``, whose bytes are known to be right.
        """
        listed = known.metadata_sha256 if known is not None else None
        if self._core_metadata and file.core_metadata is not None:
            return await self._fetched(path, file, dict(file.core_metadata), listed, verify=verify)
        made = await self._made(path, file) if self._core_metadata else None
        if made is None:
            _remove_unlisted(f"{path}.metadata", listed=listed is not None)
        return made, 0

    async def _fetched(
        self, path: str, file: RemoteFile, hashes: dict[str, str], listed: bytes | None, *, verify: bool
    ) -> tuple[str | None, int]:
        target = f"{path}.metadata"
        wanted = hashes.get("sha256")
        if listed is not None:
            have = listed.hex()
            if wanted in (None, have) and _is_file(target) and not verify:
                return have, 0
        if wanted is not None and _is_file(target) and sha256_of(target) == wanted:
            _require_metadata(Path(target).read_bytes(), target)
            return wanted, 0
        body = await self.download(file, hashes)
        if body is None:
            # Advertised and missing (it happens upstream): then we do not advertise it.
            _remove_unlisted(target, listed=listed is not None)
            return None, 0
        self._before_write(len(body))
        # With a digest to go by, the file would not have been fetched if this were in it.
        (write_atomically if wanted is None else replace_atomically)(target, body)
        return hashlib.sha256(body).hexdigest(), len(body)

    async def download(self, file: RemoteFile, hashes: dict[str, str]) -> bytes | None:
        """The core metadata of ``file`` that upstream announces with ``hashes``, None where it has none."""
        url = f"{file.url}.metadata"
        addresses = self._sources.of(url, tuple(hashes.items()))

        async def fetch(after: MirrorError | None) -> bytes | None:
            headers = (NO_CACHE,) if isinstance(after, WRONG_BYTES) else ()

            async def download(address: str) -> bytes | None:
                body = await self._document(address, *headers)
                if body is not None:
                    _check_digests(body, hashes, address)
                return body

            return await self._sources.first(addresses, download)

        body = await self._retries.run(addresses[0], fetch)
        if body is not None:
            _require_metadata(body, url)
        return body

    async def from_tail(self, file: RemoteFile) -> bytes | None:
        """The core metadata in a wheel of upstream's, of which only the end is downloaded; None where that is
        too large, has none, or upstream sends no parts.
        """
        start: int | None = None
        while True:
            ranged = f"bytes=-{_TAIL}" if start is None else f"bytes={start}-"

            async def fetch(_after: MirrorError | None, ranged: str = ranged) -> Response:
                request = Request(url=file.url, headers=(f"Range: {ranged}",), max_bytes=_MAX_TAIL)
                answer = await self._transport.get(request)
                if answer.status in (200, 206, 404, 410, 416):
                    return answer
                raise failure(file.url, answer.status, answer.retry_after)

            try:
                answer = await self._retries.run(file.url, fetch)
            except UpstreamMalformed:
                # It is larger than what was asked for: the whole wheel.
                return None
            size = len(answer.body) if answer.status == 200 else _whole_size(answer)
            if size is None:
                return None
            tail = WheelTail(answer.body, size)
            try:
                return await asyncio.to_thread(metadata_in, tail, file.filename, max_bytes=_MAX_DOCUMENT)
            except BytesMissing as missing:
                if size - missing.start > _MAX_TAIL or missing.start >= (size if start is None else start):
                    return None
                start = missing.start

    async def _made(self, path: str, file: RemoteFile) -> str | None:
        """SHA-256 of the metadata that the wheel at ``path`` holds, now beside it; None without any."""
        if not file.filename.endswith(WHEEL):
            return None
        async with self._making:
            body = await asyncio.to_thread(wheel_metadata, path, file.filename, max_bytes=_MAX_DOCUMENT)
        if body is None:
            return None
        self._before_write(len(body))
        write_atomically(f"{path}.metadata", body)
        return hashlib.sha256(body).hexdigest()

    async def provenance(
        self, path: str, url: str, file: RemoteFile, known: KnownFile | None
    ) -> tuple[str | None, int]:
        """SHA-256 of ``<path>.provenance``, None where ``url`` has none, and bytes downloaded."""
        target = f"{path}.provenance"
        if known is not None and known.provenance and _is_file(target):
            noted = known.provenance_sha256 if known is not None else None
            return sha256_of(target) if noted is None else noted.hex(), 0
        if len(os.fsencode(file.filename)) + len(".provenance") > _LONGEST_NAME:
            raise FileRefused("the name of its file is too long for one with .provenance behind it", url=url)
        body = await self._retries.run(url, lambda _: self._document(url, _ACCEPT_PROVENANCE))
        if body is None:
            return None, 0
        try:
            _provenance_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamMalformed(
                f"this is not a valid provenance object (PEP 740): {error}", url=url
            ) from error
        self._before_write(len(body))
        write_atomically(target, body)
        return hashlib.sha256(body).hexdigest(), len(body)

    async def _document(self, url: str, *headers: str) -> bytes | None:
        """A document of a few kilobytes, None where upstream has none."""
        response = await self._transport.get(Request(url=url, headers=headers, max_bytes=_MAX_DOCUMENT))
        if response.status == 200:
            return response.body
        if response.status in (404, 406, 410):
            return None
        raise failure(url, response.status, response.retry_after)


async def _left_out_alone(
    beside: Beside, bring: Awaitable[tuple[str | None, int]], filename: str, field: str
) -> str | None:
    """The digest of a document, None where there is none, with ``beside`` saying why."""
    try:
        digest, downloaded = await bring
    except UpstreamUnavailable as error:
        beside.trouble = beside.trouble or error
    except UpstreamError as error:
        beside.refused += (Refused(filename=filename, field=field, reason=str(error)),)
    else:
        beside.bytes_downloaded += downloaded
        return digest
    return None


def beside_known(path: str, known: KnownFile) -> tuple[str | None, str | None]:
    """SHA-256 of metadata and provenance that the ledger has beside a file, as far as they are there."""
    metadata = provenance = None
    if known.metadata_sha256 is not None and _is_file(f"{path}.metadata"):
        metadata = known.metadata_sha256.hex()
    if known.provenance and _is_file(f"{path}.provenance"):
        noted = known.provenance_sha256
        provenance = sha256_of(f"{path}.provenance") if noted is None else noted.hex()
    return metadata, provenance


def _require_metadata(body: bytes, url: str) -> None:
    """UpstreamMalformed for what clients could not read."""
    if not _METADATA.match(body.replace(b"\r\n", b"\n")):
        raise UpstreamMalformed("this is not valid core metadata: it has no Metadata-Version", url=url)


def _remove_unlisted(path: str, *, listed: bool) -> None:
    """Remove what our page does not list any more.

    What is ``listed`` stays until the ledger has the page without it: clients that hold the old page would
    ask for it, and pip has no way around a ``.metadata`` that is missing.
    """
    if not listed:
        remove_file(path)


def _whole_size(answer: Response) -> int | None:
    """The size of the file that the answer has the end of, None where it has another part of it."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status != 206 or found is None:
        return None
    first, last, size = map(int, found.groups())
    return size if last == size - 1 and size - first == len(answer.body) else None


def _is_file(path: str) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_size > 0
    except FileNotFoundError:
        return False


def _check_digests(body: bytes, hashes: dict[str, str], url: str) -> None:
    stated = checkable(hashes.items())
    for (algorithm, expected), digest in zip(stated, hashers(dict(stated)).values(), strict=True):
        digest.update(body)
        if digest.hexdigest() != expected:
            raise DigestMismatch(url=url, algorithm=algorithm, expected=expected, actual=digest.hexdigest())
