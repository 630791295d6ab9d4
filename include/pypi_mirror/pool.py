"""The pool: package files under ``web/packages/``, each downloaded once, verified, and never changed.

A file gets its name only after its size and digest were found right, so what has a final name was right
when it was written. What a lost connection leaves stays beside it as ``.tmp-<filename>.part`` and is
continued by Range; the digest over the whole decides in the end.
"""

import asyncio
import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pypi_mirror.disk import TEMPORARY_PREFIX, remove_file, write_atomically
from pypi_mirror.errors import (
    DigestMismatch,
    FileRefused,
    SizeMismatch,
    UpstreamError,
    UpstreamUnavailable,
)
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import PooledFile, RemoteFile
from pypi_mirror.patience import Patience
from pypi_mirror.settings.values import CompareMethod
from pypi_mirror.transport import Request, Transport
from pypi_mirror.upstream.project_pages import get_patiently

# Upstream's own layout: the BLAKE2b-256 of the file in hexadecimal, cut as 2, 2 and 60.
_PATH: Final = re.compile(r"/packages/([0-9a-f]{2})/([0-9a-f]{2})/([0-9a-f]{60})/[^/]+")
# More than upstream ever takes; for files whose size the page does not say.
_MAX_FILE: Final = 20 * 1024**3
_MAX_METADATA: Final = 32 * 1024**2
# Below this a lost download is started over: asking for the rest costs as much.
_WORTH_KEEPING: Final = 1024**2
# Wrong bytes may come from a bad cache on the way, once or twice; more often they are upstream's.
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """A file that is in the pool now, and what it took: files and bytes downloaded (0 when it was there)."""

    file: PooledFile
    files_downloaded: int = 0
    bytes_downloaded: int = 0


def location_of(file: RemoteFile) -> bytes:
    """The 32 bytes that name the file's directory, the same for every run.

    Upstream's own where the address has them, so that a bandersnatch tree is taken over as it is; else
    the file's SHA-256; else, where the page gives none, the SHA-256 of its address.
    """
    if (match := _PATH.search(file.url)) is not None:
        return bytes.fromhex("".join(match.groups()))
    if file.sha256 is not None:
        return bytes.fromhex(file.sha256)
    return hashlib.sha256(file.url.encode()).digest()


def path_of(location: bytes, filename: str) -> str:
    """Where a file lies, relative to ``web/``."""
    digest = location.hex()
    return f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{filename}"


class Pool:
    """Brings files into the pool. ``compare_method`` is for files that are on the disk but not in the
    ledger (after a crash, or taken over from bandersnatch): ``hash`` reads them, ``stat`` trusts the size.
    """

    def __init__(
        self,
        web: Path,
        transport: Transport,
        patience: Patience,
        *,
        compare_method: CompareMethod,
        core_metadata: bool,
    ) -> None:
        self._web = web
        self._transport = transport
        self._patience = patience
        self._compare_method = compare_method
        self._core_metadata = core_metadata

    async def acquire(self, file: RemoteFile, known: KnownFile | None, *, verify: bool) -> Acquired:
        """``file``, its metadata and its provenance in the pool, verified.

        ``known`` is the ledger's row; what it says is taken as done when the disk agrees in size, or in
        digest when ``verify`` is set. Raises UpstreamError: FileRefused, DigestMismatch, SizeMismatch …
        """
        location = location_of(file)
        path = path_of(location, file.filename)
        absolute = f"{self._web}/{path}"
        if known is not None and (known.location != location or not _agrees(known, file)):
            if known.removed_at is None and known.location == location:
                raise FileRefused("the page announces another digest than it did before", url=file.url)
            known = None
        downloaded = 0
        found = await self._on_disk(absolute, file, known, verify=verify)
        if found is None:
            found = await self._download(absolute, file)
            downloaded = 1
        size, sha256 = found
        metadata, metadata_bytes = await self._metadata(absolute, file, known, verify=verify)
        has_provenance, provenance_bytes = await self._provenance(absolute, file, known)
        return Acquired(
            file=PooledFile(
                remote=file,
                path=path,
                size=size,
                sha256=sha256,
                metadata_sha256=metadata,
                has_provenance=has_provenance,
            ),
            files_downloaded=downloaded,
            bytes_downloaded=size * downloaded + metadata_bytes + provenance_bytes,
        )

    async def _on_disk(
        self, path: str, file: RemoteFile, known: KnownFile | None, *, verify: bool
    ) -> tuple[int, str] | None:
        """Size and SHA-256 of the file on the disk, None when it is not there or not right."""
        try:
            size = os.stat(path, follow_symlinks=False).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        expected = known.size if known is not None else file.size
        if expected is not None and size != expected:
            return None
        if known is not None and not verify:
            return size, known.sha256.hex()
        if known is None and self._compare_method == "stat" and file.sha256 and expected is not None:
            return size, file.sha256
        sha256 = await asyncio.to_thread(_sha256_of, path)
        wanted = known.sha256.hex() if known is not None else file.sha256
        # Without a digest to compare with, nothing says that these are the right bytes.
        return (size, sha256) if sha256 == wanted else None

    async def _download(self, path: str, file: RemoteFile) -> tuple[int, str]:
        tries = 0
        delays = self._patience.delays()
        while True:
            tries += 1
            try:
                return await self._download_once(path, file)
            except (DigestMismatch, SizeMismatch, UpstreamUnavailable) as error:
                wrong = not isinstance(error, UpstreamUnavailable)
                delay = None if wrong and tries >= _TRIES else next(delays, None)
                if delay is None:
                    raise
                await self._patience.sleep(delay)

    async def _download_once(self, path: str, file: RemoteFile) -> tuple[int, str]:
        directory, _, filename = path.rpartition("/")
        part = _Part(f"{directory}/{TEMPORARY_PREFIX}{filename}.part", file)
        try:
            headers = (f"Range: bytes={part.size}-",) if part.size else ()
            limit = _MAX_FILE if file.size is None else file.size
            response = await self._transport.get(
                Request(url=file.url, headers=headers, sink=part, max_bytes=limit)
            )
            if response.status == 416:
                # The part is as long as the file or longer: it is not a part of it.
                part.discard()
                raise SizeMismatch(url=file.url, expected=file.size or 0, actual=part.size)
            if response.status in (408, 425, 429) or response.status >= 500:
                raise UpstreamUnavailable(
                    f"answered {response.status}", url=file.url, retry_after=response.retry_after
                )
            if response.status not in (200, 206):
                part.discard()
                raise UpstreamError(f"answered {response.status} for a file", url=file.url)
            part.check()
        except UpstreamUnavailable:
            part.close()
            if part.size < _WORTH_KEEPING:
                part.discard()
            raise
        except BaseException:
            part.discard()
            raise
        part.publish(path)
        return part.size, part.sha256.hexdigest()

    async def _metadata(
        self, path: str, file: RemoteFile, known: KnownFile | None, *, verify: bool
    ) -> tuple[str | None, int]:
        """SHA-256 of the ``.metadata`` in the pool (PEP 658), None without one, and bytes downloaded."""
        target = f"{path}.metadata"
        if file.core_metadata is None or not self._core_metadata:
            remove_file(target)
            return None, 0
        hashes = dict(file.core_metadata)
        wanted = hashes.get("sha256")
        if known is not None and known.metadata_sha256 is not None:
            have = known.metadata_sha256.hex()
            if wanted in (None, have) and _is_file(target) and not verify:
                return have, 0
        if wanted is not None and _is_file(target) and _sha256_of(target) == wanted:
            return wanted, 0
        url = f"{file.url}.metadata"
        body = await self._small(url)
        if body is None:
            # Advertised and missing (it happens upstream): then we do not advertise it.
            remove_file(target)
            return None, 0
        _check_digests(body, hashes, url)
        write_atomically(target, body)
        return hashlib.sha256(body).hexdigest(), len(body)

    async def _provenance(self, path: str, file: RemoteFile, known: KnownFile | None) -> tuple[bool, int]:
        """Whether the ``.provenance`` (PEP 740) is in the pool, and bytes downloaded."""
        target = f"{path}.provenance"
        if file.provenance is None:
            if known is not None and known.provenance:
                remove_file(target)
            return False, 0
        if known is not None and known.provenance and _is_file(target):
            return True, 0
        body = await self._small(
            file.provenance, "Accept: application/vnd.pypi.integrity.v1+json, application/json;q=0.5"
        )
        if body is None:
            return False, 0
        write_atomically(target, body)
        return True, len(body)

    async def _small(self, url: str, *headers: str) -> bytes | None:
        """A document of a few kilobytes, None where upstream has none."""
        request = Request(url=url, headers=headers, max_bytes=_MAX_METADATA)
        response = await get_patiently(self._transport, request, self._patience)
        return response.body if response.status == 200 else None


class _Part:
    """A file being downloaded: hashed as it arrives, continued where an earlier try ended."""

    def __init__(self, path: str, file: RemoteFile) -> None:
        self._path = path
        self._file = file
        self._descriptor: int | None = None
        self._start_over()
        with suppress(FileNotFoundError):
            if os.stat(path).st_size >= _WORTH_KEEPING:
                self._take_up()

    def _start_over(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        # Where the page has no SHA-256, whatever it has is checked as well.
        self._other = [
            (name, digest, hashlib.new(name))
            for name, digest in self._file.hashes
            if self._file.sha256 is None and name in hashlib.algorithms_guaranteed
        ]

    def _take_up(self) -> None:
        """Hash what an earlier try left; the digest at the end shows whether it was worth anything."""
        with open(self._path, "rb", buffering=0) as kept:
            while block := kept.read(1024 * 1024):
                self._update(block)

    def _update(self, block: bytes) -> None:
        self.sha256.update(block)
        for _, _, other in self._other:
            other.update(block)
        self.size += len(block)

    def start(self, status: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        if status == 206 and self.size:
            flags |= os.O_APPEND
        else:
            # The server sends the whole file again.
            self._start_over()
            flags |= os.O_TRUNC
        try:
            self._descriptor = os.open(self._path, flags, 0o644)
        except FileNotFoundError:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, flags, 0o644)

    def write(self, chunk: bytes, /) -> None:
        assert self._descriptor is not None  # noqa: S101 - the transport calls start() first
        self._update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def check(self) -> None:
        """Raises SizeMismatch or DigestMismatch when the whole is not what the page announces."""
        if self._descriptor is None:
            self.start(200)  # an empty body never starts; the file may be announced as empty
        file = self._file
        if file.size is not None and self.size != file.size:
            raise SizeMismatch(url=file.url, expected=file.size, actual=self.size)
        pairs = [("sha256", file.sha256, self.sha256)] if file.sha256 else self._other
        for algorithm, expected, actual in pairs:
            if expected != actual.hexdigest():
                raise DigestMismatch(
                    url=file.url,
                    algorithm=algorithm,
                    expected=str(expected),
                    actual=actual.hexdigest(),
                )

    def publish(self, path: str) -> None:
        self.close()
        os.rename(self._path, path)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def discard(self) -> None:
        self.close()
        remove_file(self._path)


def _agrees(known: KnownFile, file: RemoteFile) -> bool:
    return file.sha256 in (None, known.sha256.hex()) and file.size in (None, known.size)


def _is_file(path: str) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_size > 0
    except FileNotFoundError:
        return False


def _sha256_of(path: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_digests(body: bytes, hashes: dict[str, str], url: str) -> None:
    for algorithm, expected in hashes.items():
        if algorithm in hashlib.algorithms_guaranteed:
            actual = hashlib.new(algorithm, body).hexdigest()
            if actual != expected:
                raise DigestMismatch(url=url, algorithm=algorithm, expected=expected, actual=actual)
