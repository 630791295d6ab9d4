"""Bringing a file into the pool: what is there already, what is not, and what belongs beside it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pypi_mirror.disk import sha256_of, sweep_dead_writers
from pypi_mirror.errors import FileRefused, MirrorError
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import PooledFile, RemoteFile, path_of
from pypi_mirror.patience import WRONG_BYTES
from pypi_mirror.pool.layout import location_of
from pypi_mirror.pool.part import MAX_FILE, PART_SUFFIX, bytes_to_come, download_once
from pypi_mirror.pool.sidecars import Sidecars
from pypi_mirror.retries import Retries
from pypi_mirror.settings.values import CompareMethod
from pypi_mirror.transport import Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquired:
    """A file that is in the pool now, and what it took: files and bytes downloaded (0 when it was there)."""

    file: PooledFile
    files_downloaded: int = 0
    bytes_downloaded: int = 0


class Pool:
    """Brings files into the pool. ``compare_method`` is for files that are on the disk but not in the
    ledger (after a crash, or taken over from bandersnatch): ``hash`` reads them, ``stat`` trusts the size.

    ``before_download`` is told how many bytes are to come, 0 where the page does not say; what it raises ends
    the try. ``on_downloaded`` is told how large each file is that has come. ``is_listed`` says of a place,
    location and file name, whether any project's page lists it.
    """

    def __init__(
        self,
        web: Path,
        transport: Transport,
        retries: Retries,
        *,
        compare_method: CompareMethod,
        core_metadata: bool,
        before_download: Callable[[int], None] = lambda _size: None,
        on_downloaded: Callable[[int], None] = lambda _size: None,
        is_listed: Callable[[bytes, str], bool] = lambda _location, _filename: False,
    ) -> None:
        self._root = os.fspath(web)
        self._transport = transport
        self._retries = retries
        self._compare_method = compare_method
        self._before_download = before_download
        self._on_downloaded = on_downloaded
        self._is_listed = is_listed
        # Where files are by now whose projects the ledger may not have yet; as many as the batch has files.
        self._brought: set[str] = set()
        self._sidecars = Sidecars(transport, retries, core_metadata=core_metadata)

    async def acquire(self, file: RemoteFile, known: KnownFile | None, *, verify: bool) -> Acquired:
        """``file``, its metadata and its provenance in the pool, verified.

        ``known`` is the ledger's row; what it says is taken as done when the disk agrees in size, or in
        digest when ``verify`` is set. Raises UpstreamError: FileRefused, DigestMismatch, SizeMismatch …
        """
        location = location_of(file)
        path = path_of(location, file.filename)
        absolute = f"{self._root}/{path}"
        if known is not None and (known.location != location or not _agrees(known, file)):
            if known.removed_at is None and known.location == location:
                raise FileRefused("the page announces another digest than it did before", url=file.url)
            if known.location == location:
                self._brought.discard(absolute)  # what lies there is this project's own, a tombstone
            known = None
        found = await self._on_disk(absolute, file, known, verify=verify)
        size, sha256, downloaded = (
            (*found, 0)
            if found is not None
            else await self._retries.run(file.url, lambda after: self._download(absolute, file, known, after))
        )
        self._brought.add(absolute)
        metadata, metadata_bytes = await self._sidecars.metadata(absolute, file, known, verify=verify)
        provenance, provenance_bytes = await self._sidecars.provenance(absolute, file, known)
        if not downloaded and (known is None or metadata_bytes or provenance_bytes):
            # A run may have died over the documents beside it; the file's own part is continued, or gone.
            sweep_dead_writers(os.path.dirname(absolute), keep_suffix=PART_SUFFIX)
        return Acquired(
            file=PooledFile(
                remote=file,
                path=path,
                size=size,
                sha256=sha256,
                metadata_sha256=metadata,
                provenance_sha256=provenance,
            ),
            files_downloaded=downloaded,
            bytes_downloaded=size * downloaded + metadata_bytes + provenance_bytes,
        )

    async def _download(
        self, path: str, file: RemoteFile, known: KnownFile | None, after: MirrorError | None
    ) -> tuple[int, str, int]:
        """Size and SHA-256 of the file, and the number of downloads that took. One try, ``after`` another."""
        # While this process waited, another one may have brought the file.
        if after is not None and (found := await self._on_disk(path, file, known, verify=True)) is not None:
            return *found, 0
        if file.size is not None and file.size > MAX_FILE:
            raise FileRefused(f"the page announces {file.size} bytes, no file is that large", url=file.url)
        if known is None:
            self._require_free(path, file)
        self._before_download(bytes_to_come(path, file))
        fresh = isinstance(after, WRONG_BYTES)
        size, sha256 = await download_once(self._transport, path, file, fresh=fresh)
        self._on_downloaded(size)
        return size, sha256, 1

    def _require_free(self, path: str, file: RemoteFile) -> None:
        """FileRefused when the other bytes at ``path`` are another project's, which its page lists.

        Upstream chooses the place, and nothing it says keeps two projects from naming one. What nobody lists,
        a crash or another tool left there.
        """
        if os.path.lexists(path) and (
            path in self._brought or self._is_listed(location_of(file), file.filename)
        ):
            raise FileRefused(
                f"another project's file is at {path}, and its bytes are others than this page announces",
                url=file.url,
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
        sha256 = await asyncio.to_thread(sha256_of, path)
        wanted = known.sha256.hex() if known is not None else file.sha256
        # Without a digest to compare with, nothing says that these are the right bytes.
        return (size, sha256) if sha256 == wanted else None


def _agrees(known: KnownFile, file: RemoteFile) -> bool:
    return file.sha256 in (None, known.sha256.hex()) and file.size in (None, known.size)
