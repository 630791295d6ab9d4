"""Bringing a file into the pool: what is there already, what is not, and what belongs beside it."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.digests import checkable, remembered
from pypi_mirror.disk.files import FILE_READABLE, digests_of, link_file, make_path_readable, name_failure
from pypi_mirror.disk.writing import sweep_dead_writers
from pypi_mirror.errors import (
    DigestMismatch,
    FileRefused,
    FileReplaced,
    MirrorError,
    UpstreamUnavailable,
)
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.model import PooledFile, Refused, RemoteFile, path_of
from pypi_mirror.pool.layout import (
    is_own_place,
    location_of,
    place_of_part,
    upstream_place,
)
from pypi_mirror.pool.part import MAX_FILE, PART_SUFFIX, bytes_to_come, download_once
from pypi_mirror.pool.sidecars import Sidecars, beside_known
from pypi_mirror.pool.sources import Sources
from pypi_mirror.settings.values import CompareMethod, ReplacedFiles
from pypi_mirror.transport.messages import Transport
from pypi_mirror.transport.patience import WRONG_BYTES
from pypi_mirror.transport.retries import Retries

_SHA256: Final = "sha256"


class Acquired(Struct, frozen=True, kw_only=True):
    """A file that is in the pool now, at ``location``, and what it took.

    ``files_downloaded`` and ``bytes_downloaded`` are 0 when it was there. ``refused`` are documents beside it
    that are left out, ``trouble`` is why one could not be downloaded that may come with another try.
    """

    file: PooledFile
    location: bytes
    files_downloaded: int = 0
    bytes_downloaded: int = 0
    refused: tuple[Refused, ...] = ()
    trouble: UpstreamUnavailable | None = None


class Pool:
    """Brings files into the pool. ``compare_method`` is for files that are on the disk but not in the
    ledger (after a crash, or taken over from bandersnatch): ``hash`` reads them, ``stat`` trusts the size.
    ``replaced_files`` says what happens where upstream offers other bytes under a name that is known;
    ``sources`` where files come from.

    ``before_download`` is told how many bytes are to come, 0 where the page does not say, and
    ``before_write`` of bytes that no page states: blocks of such a file, documents beside a file. What they
    raise ends the try.
    """

    def __init__(
        self,
        web: Path,
        transport: Transport,
        retries: Retries,
        *,
        compare_method: CompareMethod,
        core_metadata: bool,
        replaced_files: ReplacedFiles = "refuse",
        sources: Sources | None = None,
        before_download: Callable[[int], None] = lambda _size: None,
        before_write: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._root = os.fspath(web)
        self._transport = transport
        self._retries = retries
        self._compare_method = compare_method
        self._follows = replaced_files == "follow"
        self._before_download = before_download
        self._before_write = before_write
        self._sources = sources or Sources()
        self._sidecars = Sidecars(
            transport, retries, self._sources, core_metadata=core_metadata, before_write=before_write
        )

    async def acquire(
        self,
        project: NormalizedName,
        file: RemoteFile,
        known: KnownFile | None,
        *,
        verify: bool,
        past: bytes | None = None,
    ) -> Acquired:
        """``file`` of ``project``, its metadata and its provenance in the pool, verified.

        ``known`` is the ledger's row; what it says is taken as done when the disk agrees in size, or in
        digest when ``verify`` is set. ``past`` is the SHA-256 that the name had before the mirror forgot the
        file. The file that is returned states those digests alone that its bytes were compared with.
        Raises UpstreamError: FileReplaced, FileRefused, DigestMismatch, SizeMismatch …
        """
        if (hashes := checkable(file.hashes)) != file.hashes:
            file = replace(file, hashes=hashes)
        taken: bytes | None = None
        try:
            if known is not None:
                verify = await self._compare(file, known) or verify
            elif past is not None and file.sha256 not in (None, past.hex()):
                raise _replaced(file, _SHA256, past.hex(), str(file.sha256))
            return await self._acquire(project, file, known, past, verify=verify)
        except FileReplaced:
            if not self._follows:
                raise
            # The old page is served until the new one is: its bytes stay where they are.
            taken = None if known is None else known.location
        return await self._acquire(project, file, None, None, verify=verify, taken=taken)

    async def _compare(self, file: RemoteFile, known: KnownFile) -> bool:
        """Raises FileReplaced when ``file`` cannot be the one that the ledger knows.

        Returns whether the disk has other bytes than the ledger says, so that they must be hashed again.
        """
        if file.sha256 not in (None, known.sha256.hex()):
            raise _replaced(file, _SHA256, known.sha256.hex(), str(file.sha256))
        if file.size not in (None, known.size):
            raise _replaced(file, "size", str(known.size), str(file.size))
        if (stated := remembered(file.hashes)) is None or stated == known.stated:
            return False
        # The page states digests that were never compared with these bytes.
        path = f"{self._root}/{known.path}"
        try:
            actual = await asyncio.to_thread(digests_of, path, {_SHA256: "", **dict(file.hashes)})
        except (FileNotFoundError, NotADirectoryError):
            return False
        if actual[_SHA256] != known.sha256.hex():
            return True
        for algorithm, digest in file.hashes:
            if actual[algorithm] != digest:
                raise _replaced(file, algorithm, actual[algorithm], digest)
        return False

    async def _acquire(
        self,
        project: NormalizedName,
        file: RemoteFile,
        known: KnownFile | None,
        past: bytes | None,
        *,
        verify: bool,
        taken: bytes | None = None,
    ) -> Acquired:
        before = past if known is None else known.sha256
        wanted = file if before is None or file.sha256 else _with_sha256(file, before.hex())
        location = (
            known.location
            if known is not None and is_own_place(project, known.filename, known.location, known.sha256)
            else location_of(project, file, wanted.sha256, taken=taken)
        )
        if location is not None:
            await self._take_over(wanted, known, location)
        size, sha256, downloaded = await self._content(project, file, wanted, known, location, taken, verify)
        location = location or location_of(project, file, sha256, taken=taken)
        assert location is not None  # noqa: S101 - with the SHA-256 every file has a place
        path = path_of(location, file.filename)
        absolute = f"{self._root}/{path}"
        beside = await self._sidecars.acquire(absolute, file, known, verify=verify)
        if not downloaded and (known is None or beside.bytes_downloaded):
            # A run may have died over the documents beside it; the file's own part is continued, or gone.
            sweep_dead_writers(os.path.dirname(absolute), keep_suffix=PART_SUFFIX)
        return Acquired(
            file=PooledFile(
                remote=file,
                path=path,
                size=size,
                sha256=sha256,
                metadata_sha256=beside.metadata_sha256,
                provenance_sha256=beside.provenance_sha256,
            ),
            location=location,
            files_downloaded=downloaded,
            bytes_downloaded=size * downloaded + beside.bytes_downloaded,
            refused=beside.refused,
            trouble=beside.trouble,
        )

    async def kept(self, file: RemoteFile, known: KnownFile, *, verify: bool) -> Acquired | None:
        """The copy of ``file`` that our page lists, for where upstream's cannot be downloaded; or None.

        A file name means the same bytes for ever. So where upstream announces others under it and those do
        not come, the page goes on saying of the file what its bytes are.
        """
        path = f"{self._root}/{known.path}"
        ours = replace(file, hashes=((_SHA256, known.sha256.hex()),), size=known.size)
        found = None
        if known.removed_at is None:
            found = await self._on_disk(path, ours, known, verify=verify)
        if found is None:
            return None
        size, sha256 = found
        # No digest is stated that these bytes were never compared with.
        hashes = checkable(file.hashes)
        if file.sha256 in (None, sha256) and remembered(hashes) in (None, known.stated):
            ours = replace(ours, hashes=hashes)
        metadata, provenance = beside_known(path, known)
        return Acquired(
            file=PooledFile(
                remote=ours,
                path=known.path,
                size=size,
                sha256=sha256,
                metadata_sha256=metadata,
                provenance_sha256=provenance,
            ),
            location=known.location,
        )

    async def _content(
        self,
        project: NormalizedName,
        file: RemoteFile,
        wanted: RemoteFile,
        known: KnownFile | None,
        location: bytes | None,
        taken: bytes | None,
        verify: bool,
    ) -> tuple[int, str, int]:
        """Size and SHA-256 of the file, in the pool by then, and the number of downloads that took.

        ``wanted`` is ``file`` with the SHA-256 that its name is known by, where the page states none.
        """
        path = f"{self._root}/{path_of(location or place_of_part(file), file.filename)}"

        def place(sha256: str) -> str:
            found = location_of(project, file, sha256, taken=taken)
            assert found is not None  # noqa: S101 - with the SHA-256 every file has a place
            return f"{self._root}/{path_of(found, file.filename)}"

        async def attempt(after: MirrorError | None) -> tuple[int, str, int]:
            # While this process waited, another one may have brought the file.
            if (
                after is not None
                and location is not None
                and (found := await self._on_disk(path, wanted, known, verify=True)) is not None
            ):
                return *found, 0
            if file.size is not None and file.size > MAX_FILE:
                raise FileRefused(
                    f"the page announces {file.size} bytes, no file is that large", url=file.url
                )
            self._before_download(bytes_to_come(path, wanted))

            async def download(address: str) -> tuple[int, str]:
                return await download_once(
                    self._transport,
                    path,
                    wanted if address == wanted.url else replace(wanted, url=address),
                    fresh=isinstance(after, WRONG_BYTES),
                    place=None if location is not None else place,
                    before_write=self._before_write,
                )

            size, sha256 = await self._sources.first(addresses, download)
            return size, sha256, 1

        if location is not None:
            found = await self._on_disk(path, wanted, known, verify=verify)
            if found is not None:
                return *found, 0
        addresses = self._sources.of(wanted.url, wanted.hashes)
        try:
            return await self._retries.run(addresses[0], attempt)
        except DigestMismatch as error:
            if wanted is file or error.algorithm != _SHA256:
                raise
            raise _replaced(file, _SHA256, error.expected, error.actual) from error

    async def _take_over(self, wanted: RemoteFile, known: KnownFile | None, location: bytes) -> None:
        """Link what lies at upstream's place, or where an older version kept it, to ``location``.

        The place may be another project's: its file stays, and what is beside it is not ours.
        """
        elsewhere = upstream_place(wanted) if known is None else known.location
        if elsewhere is None or elsewhere == location or wanted.sha256 is None:
            return
        source, target = (f"{self._root}/{path_of(each, wanted.filename)}" for each in (elsewhere, location))
        if not os.path.lexists(target) and await self._on_disk(source, wanted, None, verify=True) is not None:
            link_file(source, target)

    def _open_to_readers(self, path: str) -> None:
        """Let everybody read the file and what lies beside it, and enter the pool's directories above it.

        What another tool left, or was written under a narrow umask, would be answered with 403.
        What is another user's stays as it is: the audit names it.
        """
        for suffix in ("", ".metadata", ".provenance"):
            make_path_readable(f"{path}{suffix}")
        above = os.path.dirname(path)
        while len(above) > len(self._root):
            make_path_readable(above)
            above = os.path.dirname(above)

    async def _on_disk(
        self, path: str, file: RemoteFile, known: KnownFile | None, *, verify: bool
    ) -> tuple[int, str] | None:
        """Size and SHA-256 of the file on the disk, None when it is not there or not right."""
        try:
            seen = os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            name_failure(error, "stat", path)
            raise
        size = seen.st_size
        if verify or known is None or seen.st_mode & FILE_READABLE != FILE_READABLE:
            self._open_to_readers(path)
        expected = known.size if known is not None else file.size
        if expected is not None and size != expected:
            return None
        if known is not None and not verify:
            return size, known.sha256.hex()
        # Without a digest to compare with, nothing says that these are the right bytes.
        stated = dict(file.hashes)
        if not stated:
            return None
        trusted = self._compare_method == "stat" and expected is not None and not verify
        if known is None and trusted and file.sha256 and len(stated) == 1:
            return size, file.sha256
        actual = await asyncio.to_thread(digests_of, path, {_SHA256: "", **stated})
        return (size, actual[_SHA256]) if actual == {**actual, **stated} else None


def _with_sha256(file: RemoteFile, sha256: str) -> RemoteFile:
    return replace(file, hashes=(*file.hashes, (_SHA256, sha256)))


def _replaced(file: RemoteFile, what: str, before: str, now: str) -> FileReplaced:
    return FileReplaced(
        filename=file.filename, url=file.url, difference=f"its {what} was {before} and is now {now}"
    )
