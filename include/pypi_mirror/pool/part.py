"""A file on its way into the pool: ``.tmp-<filename>.part`` beside its final name.

One process writes to it at a time, under a lock of the kernel's: Airflow may start the next try of a task
whose first try it takes for dead and which lives on, and two that write to one file make it a wrong one.
"""

import asyncio
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cache
from typing import Any, Final

from pypi_mirror.digests import checkable, hashers
from pypi_mirror.disk.files import (
    NamedCall,
    make_directories,
    make_readable,
    name_failure,
    open_file,
    remove_directory_if_empty,
    remove_file,
    size_of,
)
from pypi_mirror.disk.writing import TEMPORARY_PREFIX, close, rename, write_all
from pypi_mirror.errors import (
    DigestMismatch,
    FileBusy,
    SizeMismatch,
    UpstreamUnavailable,
)
from pypi_mirror.model import RemoteFile
from pypi_mirror.transport.answers import failure
from pypi_mirror.transport.messages import Request, Transport
from pypi_mirror.transport.retries import NO_CACHE

# More than upstream ever takes; for files whose size the page does not say.
MAX_FILE: Final = 20 * 1024**3
PART_SUFFIX: Final = ".part"
# Below this a lost download is started over: asking for the rest costs as much.
WORTH_KEEPING: Final = 1024**2
# From here on a file takes longer to come than to be asked for, on any line.
LARGE: Final = 8 * 1024**2
# Up to this a file is taken as a whole and written at once; so much memory a request is spent on it.
SMALL: Final = 256 * 1024

# What comes is gathered to blocks of this size, which are hashed and written in a thread: libcurl hands over
# 16 kB at a time, and a large file would keep the event loop from all others.
_BLOCK: Final = 1024**2
# So many pieces one call writes (POSIX promises 16, Linux takes 1,024).
_IOV_MAX: Final = 1024

# Bytes of one name in a directory, on every file system that Linux mounts for data.
_LONGEST_NAME: Final = 255

_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
# What file systems answer that have no locks; there two tries at once remain a risk.
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})


async def download_once(
    transport: Transport,
    path: str,
    file: RemoteFile,
    *,
    fresh: bool = False,
    place: Callable[[str], str] | None = None,
    before_write: Callable[[int], None] = lambda _size: None,
) -> tuple[int, str]:
    """Size and SHA-256 of ``file``, now at ``path``. One try, which continues what an earlier one left.

    Where the path depends on the bytes, ``place`` makes it of their SHA-256, and ``path`` is where they are
    gathered. ``fresh`` asks caches on the way to look again: what they gave was wrong. ``before_write`` is
    told of each block of a file whose size the page does not say.
    Raises UpstreamUnavailable, FileBusy, DigestMismatch, SizeMismatch, another UpstreamError, or OSError.
    """
    if place is None and file.sha256 is not None and file.size is not None and file.size <= SMALL:
        return await _download_small(transport, path, file, fresh=fresh)
    part = Part(_part_of(path), file, before_write=before_write)
    try:
        if part.is_worth_keeping:
            await asyncio.to_thread(part.take_up)
        ranged = (f"Range: bytes={part.size}-",) if part.size else ()
        headers = (*ranged, NO_CACHE) if fresh else ranged
        large = file.size is None or file.size > LARGE
        response = await transport.get(
            Request(url=file.url, headers=headers, sink=part, max_bytes=MAX_FILE, large=large)
        )
        if response.status == 416:
            # The part is as long as the file or longer: it is not a part of it.
            raise SizeMismatch(url=file.url, expected=file.size or 0, actual=part.size)
        # A part that nobody asked for is no file.
        if response.status != 200 and not (response.status == 206 and ranged):
            raise failure(file.url, response.status, response.retry_after)
        part.check()
        part.publish(path if place is None else place(part.sha256.hexdigest()))
    except (UpstreamUnavailable, FileBusy, asyncio.CancelledError):
        try:
            part.flush()
        except OSError:
            part.discard()
            raise
        if part.is_worth_keeping:
            part.close()
        else:
            part.discard()
        raise
    except BaseException:
        part.discard()
        raise
    finally:
        part.close()
    if place is not None:
        remove_directory_if_empty(path.rpartition("/")[0])
    return part.size, part.sha256.hexdigest()


def bytes_to_come(path: str, file: RemoteFile) -> int:
    """What is missing of ``file`` beside its part on the disk; 0 where the page does not say its size."""
    if file.size is None or file.size < WORTH_KEEPING:
        return file.size or 0
    return max(0, file.size - Part(_part_of(path), file).kept)


def _part_of(path: str) -> str:
    directory, _, filename = path.rpartition("/")
    name = f"{TEMPORARY_PREFIX}{filename}{PART_SUFFIX}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(filename)).hexdigest()
        name = f"{TEMPORARY_PREFIX}{digest}{PART_SUFFIX}"
    return f"{directory}/{name}"


async def _download_small(
    transport: Transport, path: str, file: RemoteFile, *, fresh: bool
) -> tuple[int, str]:
    headers = (NO_CACHE,) if fresh else ()
    response = await transport.get(Request(url=file.url, headers=headers, max_bytes=SMALL))
    if response.status != 200:
        raise failure(file.url, response.status, response.retry_after)
    body = response.body
    if len(body) != file.size:
        raise SizeMismatch(url=file.url, expected=file.size or 0, actual=len(body))
    digests = hashers(dict(checkable(file.hashes)))
    for digest in digests.values():
        digest.update(body)
    _check_digests(file, digests)
    _place(path, body, file)
    return len(body), digests["sha256"].hexdigest()


def _check_digests(file: RemoteFile, digests: Mapping[str, Any]) -> None:
    """Raises DigestMismatch unless ``digests``, by algorithm, are all that the page announces."""
    for algorithm, expected in checkable(file.hashes):
        if (actual := digests[algorithm].hexdigest()) != expected:
            raise DigestMismatch(url=file.url, algorithm=algorithm, expected=expected, actual=actual)


def _place(path: str, body: bytes, file: RemoteFile) -> None:
    """Make ``body`` the file at ``path`` with as few calls as that takes: most files come this way."""
    temporary = _part_of(path)
    make_directories(path.rpartition("/")[0])
    try:
        descriptor = open_file(temporary, _FLAGS | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        # Left by a try that was killed; or one is at it right now.
        part = Part(temporary, file)
        try:
            part.start(200)
            part.write(body)
            part.publish(path)
        except BaseException:
            part.discard()
            raise
        return
    try:
        try:
            _lock(descriptor, temporary)
        except BlockingIOError as error:
            raise FileBusy(path=temporary) from error
        if os.fstat(descriptor).st_size:
            # Somebody had it, for a moment, between the two calls: it may be a file of the pool by now.
            raise FileBusy(path=temporary)
        try:
            make_readable(descriptor)
            write_all(descriptor, body, path=path)
            rename(temporary, path)
        except BaseException:
            remove_file(temporary)
            raise
    finally:
        close(descriptor, path)


class Part:
    """A file being downloaded: hashed as it arrives, continued where an earlier try ended."""

    def __init__(
        self, path: str, file: RemoteFile, *, before_write: Callable[[int], None] = lambda _size: None
    ) -> None:
        self._path = path
        self._file = file
        self._before_write = before_write
        self._descriptor: int | None = None
        self._taken_up: os.stat_result | None = None
        self._storing: Future[None] | None = None
        self._start_over()

    @property
    def is_worth_keeping(self) -> bool:
        """Whether there is so much of it on the disk that asking for the rest alone pays."""
        return self.kept > 0

    @property
    def kept(self) -> int:
        """The bytes on the disk that are not asked for again.

        Where the page has no digest, nothing would show that the rest belongs to another file.
        """
        if not checkable(self._file.hashes):
            return 0
        size = size_of(self._path) or 0
        return size if size >= WORTH_KEEPING else 0

    def _start_over(self) -> None:
        # How many bytes are hashed and written, how many came, and those between the two.
        self.size = 0
        self._received = 0
        self._block: list[bytes] = []
        self._block_size = 0
        self._digests = hashers({"sha256": "", **dict(checkable(self._file.hashes))})
        self.sha256 = self._digests["sha256"]

    def take_up(self) -> None:
        """Hash what an earlier try left; the digest at the end shows whether it was worth anything.

        Takes seconds for a large file: to be called in a thread.
        """
        with NamedCall("read", self._path), open(self._path, "rb", buffering=0) as kept:
            self._taken_up = os.fstat(kept.fileno())
            while block := kept.read(1024 * 1024):
                self._update(block)

    def _update(self, block: bytes) -> None:
        for digest in self._digests.values():
            digest.update(block)
        self.size += len(block)

    def start(self, status: int) -> None:
        try:
            self._descriptor = self._claim(_FLAGS | os.O_CREAT)
        except FileNotFoundError:
            make_directories(self._path.rpartition("/")[0])
            self._descriptor = self._claim(_FLAGS | os.O_CREAT)
        make_readable(self._descriptor)
        if status == 206 and self._taken_up is not None:
            self._require_untouched(self._taken_up)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            self._received = self.size
            return
        # The server sends the whole file again.
        self._start_over()
        with NamedCall("ftruncate", self._path):
            os.ftruncate(self._descriptor, 0)

    def _claim(self, flags: int) -> int:
        """Open the part for this process alone; FileBusy while another one has it."""
        while True:
            descriptor = open_file(self._path, flags)
            try:
                _lock(descriptor, self._path)
                if os.path.samestat(os.fstat(descriptor), os.stat(self._path, follow_symlinks=False)):
                    return descriptor
            except BlockingIOError as error:
                os.close(descriptor)
                raise FileBusy(path=self._path) from error
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            # Whoever had it before us has given it its final name.
            os.close(descriptor)

    def _require_untouched(self, taken_up: os.stat_result) -> None:
        """What was hashed, without the lock, is what the rest is going to be written to."""
        assert self._descriptor is not None  # noqa: S101 - just claimed
        now = os.fstat(self._descriptor)
        same = os.path.samestat(now, taken_up) and now.st_mtime_ns == taken_up.st_mtime_ns
        if not same or now.st_size != self.size:
            raise FileBusy(path=self._path)

    def write(self, chunk: bytes, /) -> None:
        assert self._descriptor is not None  # noqa: S101 - the transport calls start() first
        self._received += len(chunk)
        if self._file.size is None:
            self._before_write(len(chunk))
        elif self._received > self._file.size:
            # Cut off here, not at the end: it may have none.
            raise SizeMismatch(url=self._file.url, expected=self._file.size, actual=self._received)
        self._block.append(chunk)
        self._block_size += len(chunk)
        if self._block_size >= _BLOCK:
            # Where the disk is slower than upstream, it is waited for here: two blocks a file are in memory.
            self._await_block()
            self._storing = _threads().submit(self._store, self._take_block())

    def flush(self) -> None:
        """Hash and write what came and still waits."""
        self._await_block()
        if self._block:
            self._store(self._take_block())

    def _take_block(self) -> list[bytes]:
        block, self._block = self._block, []
        self._block_size = 0
        return block

    def _store(self, block: list[bytes]) -> None:
        assert self._descriptor is not None  # noqa: S101 - it is not closed before this is done
        # Not joined first: to copy a block takes as long as to write it.
        with NamedCall("writev", self._path):
            written = os.writev(self._descriptor, block[:_IOV_MAX])
        if written < sum(map(len, block)):
            write_all(self._descriptor, b"".join(block)[written:], path=self._path)
        for chunk in block:
            self._update(chunk)

    def _await_block(self) -> None:
        """Wait for the block that is being stored; raises what went wrong with it."""
        storing, self._storing = self._storing, None
        if storing is not None:
            storing.result()

    def check(self) -> None:
        """Raises SizeMismatch or DigestMismatch when the whole is not what the page announces."""
        if self._descriptor is None:
            self.start(200)  # an empty body never starts; the file may be announced as empty
        self.flush()
        file = self._file
        if file.size is not None and self.size != file.size:
            raise SizeMismatch(url=file.url, expected=file.size, actual=self.size)
        _check_digests(file, self._digests)

    def publish(self, path: str) -> None:
        """Give the part its final name. After an error it is still there, and still this process's."""
        self.flush()
        # The lock is held until the part has its name.
        if path.rpartition("/")[0] != self._path.rpartition("/")[0]:
            make_directories(path.rpartition("/")[0])
        rename(self._path, path)
        self.close()

    def close(self) -> None:
        """Give the lock back, whatever goes wrong: the next try would find the file busy for ever."""
        storing, self._storing = self._storing, None
        try:
            if storing is not None:
                # Its descriptor must not become another file's under it. Its error is reported already.
                wait([storing])
        finally:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                close(descriptor, self._path)

    def discard(self) -> None:
        """Remove the part, unless another process has it."""
        if self._descriptor is None:
            try:
                self._descriptor = self._claim(_FLAGS)
            except FileBusy:
                return
            except OSError:
                pass  # Not there, or a symbolic link: then nobody writes to it.
        try:
            remove_file(self._path)
        finally:
            self.close()


@cache
def _threads() -> ThreadPoolExecutor:
    """Two: beside the event loop, which waits for the network, they keep a fast disk busy."""
    return ThreadPoolExecutor(2, thread_name_prefix="hash and write")


def _lock(descriptor: int, path: str) -> None:
    """Raises BlockingIOError when another process has the lock; closing the descriptor gives it back."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if isinstance(error, BlockingIOError):
            raise
        if error.errno not in _NO_LOCKS:
            name_failure(error, "flock", path)
            raise
