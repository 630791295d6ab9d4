"""The one way anything is written to the mirror's disk: a temporary file beside the target, then a rename.

Whoever reads the mirror at any moment sees the old file or the new one, never a part of either. What a
crash leaves behind starts with ``TEMPORARY_PREFIX`` (a dotfile, which the web server never serves) and
is cleared by ``sweep_leftovers``. A rename is not yet on the platter: a group of files is made safe by
one ``flush_filesystem`` at its end, which costs the same for one file and for ten thousand. And a rename
may get there before the file's bytes, as on XFS: what a power cut must not leave empty is staged
(``stage_file``), flushed, and published then.

Errors are ``OSError`` with the path in ``filename`` and the name of the system call before the reason.
"""

import ctypes
import errno
import itertools
import math
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pypi_mirror.disk.files import (
    BLOCK,
    MODE,
    NamedCall,
    StrPath,
    directory_of,
    make_directories,
    make_readable,
    name_failure,
    open_file,
    remove_file,
)

TEMPORARY_PREFIX = ".tmp-"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW

# What network and user-space file systems answer to calls that they do not implement; for a directory, some
# have nothing to flush: a rename is on the server when it returns.
_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF})

# Names are unique among hosts by the token, among forked processes by the pid, within one by the count.
_TOKEN = secrets.token_hex(4)
_counter = itertools.count()


def write_atomically(
    path: StrPath, data: bytes, *, durable: bool = False, modified: Callable[[StrPath], int] | None = None
) -> bool:
    """Make ``data`` the content of ``path``; return False, with nothing written, if it already is.

    A file of that content that not everybody may read becomes one that everybody may.

    Missing directories are made. ``durable`` flushes this file and its directory before returning; leave
    it out where a ``flush_filesystem`` follows. A symbolic link at ``path`` is replaced, never followed.
    ``modified`` says, given ``path``, what time of modification the new file gets, in seconds.
    """
    target = os.fspath(path)
    if holds(target, data):
        return False
    replace_atomically(target, data, durable=durable, modified=modified)
    return True


def replace_atomically(
    path: StrPath, data: bytes, *, durable: bool = False, modified: Callable[[StrPath], int] | None = None
) -> None:
    """As ``write_atomically``, for who knows that ``path`` does not hold ``data`` yet."""
    staged = stage_file(path, data, durable=durable, modified=modified)
    try:
        staged.publish()
    except BaseException:
        staged.discard()
        raise
    if durable:
        _flush_directory(directory_of(staged.path))


class StagedFile:
    """A whole file under a temporary name beside ``path``, ``size`` bytes large. Made by ``stage_file``."""

    __slots__ = ("_temporary", "path", "size")

    def __init__(self, path: str, size: int, temporary: str) -> None:
        self.path = path
        self.size = size
        self._temporary = temporary

    def publish(self) -> None:
        """Put it in place of ``path``; when that fails, it is still there to be published or discarded."""
        rename(self._temporary, self.path)

    def discard(self) -> None:
        """Remove it, unless it was published."""
        _discard(self._temporary)


def stage_file(
    path: StrPath, data: bytes, *, durable: bool = False, modified: Callable[[StrPath], int] | None = None
) -> StagedFile:
    """The first half of ``replace_atomically``; ``durable`` flushes the bytes before returning."""
    target = os.fspath(path)
    descriptor, temporary = _create_temporary(directory_of(target))
    try:
        try:
            write_all(descriptor, data, path=target)
            if modified is not None:
                _set_modified(descriptor, modified(target), target)
            if durable:
                with NamedCall("fsync", target):
                    os.fsync(descriptor)
        finally:
            close(descriptor, target)
    except BaseException:
        _discard(temporary)
        raise
    return StagedFile(target, len(data), temporary)


def rename(source: StrPath, target: StrPath) -> None:
    """Give ``source`` the name ``target``, in place of what has it."""
    try:
        os.rename(source, target)  # noqa: PTH104
    except OSError as error:
        name_failure(error, "rename", target)
        raise


class AtomicFile:
    """A file in the making, for writers that stream: ``write`` as often as needed, then ``publish``.

    Its directory is made if it is missing.

    Leaving the ``with`` block without ``publish`` discards it. There is no buffer: hand ``write`` blocks of
    some size. Before ``publish`` its bytes can be read back at ``temporary``.
    """

    def __init__(self, directory: Path) -> None:
        self._descriptor, name = _create_temporary(os.fspath(directory))
        self._directory = directory
        self._open = True
        self._done = False
        self.temporary = Path(name)
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def write(self, data: bytes) -> None:
        write_all(self._descriptor, data, path=self._directory)
        self.size += len(data)

    def equals(self, path: Path) -> bool:
        """Whether ``path`` is a regular file with the same bytes; sizes are compared first."""
        return _same_content(self.temporary, path, self.size)

    def publish(
        self, path: Path, *, durable: bool = False, modified: Callable[[StrPath], int] | None = None
    ) -> None:
        """Put the file in place of ``path``, which lies in the same file system.

        ``durable`` and ``modified`` are as for ``write_atomically``.
        """
        if modified is not None:
            _set_modified(self._descriptor, modified(path), path)
        if durable:
            with NamedCall("fsync", path):
                os.fsync(self._descriptor)
        self._close()
        rename(self.temporary, path)
        self._done = True
        if durable:
            _flush_directory(os.fspath(path.parent))

    def discard(self) -> None:
        """Remove the temporary file; does nothing once published."""
        self._close()
        if not self._done:
            _discard(os.fspath(self.temporary))
            self._done = True

    def _close(self) -> None:
        if self._open:
            self._open = False
            close(self._descriptor, self._directory)


def flush_filesystem(path: StrPath) -> None:
    """Bring everything written so far to the file system that holds ``path`` onto its device.

    ``syncfs(2)`` also reports, once, a write that failed since the last call; that is an ``OSError``
    naming ``path``. Where there is no ``syncfs`` (not Linux; some shares), ``sync(2)`` does it for all file
    systems.
    """
    syncfs = getattr(_LIBC, "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    descriptor = open_file(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor) == 0:
            return
        number = ctypes.get_errno()
    finally:
        os.close(descriptor)
    if number not in _NOT_SUPPORTED:
        raise OSError(number, f"syncfs: {os.strerror(number)}", os.fspath(path))
    os.sync()


def holds(target: str, data: bytes) -> bool:
    """Whether ``target`` is a file, no symbolic link to one, with the content ``data``, and all may read it.

    One of ours that only some may read is mended.
    """
    descriptor = _open_to_compare(target)
    if descriptor is None:
        return False
    try:
        if os.fstat(descriptor).st_size != len(data):
            return False
        # A file that changes while it is read gives other bytes or fewer: both count as different.
        seen = 0
        while block := os.read(descriptor, BLOCK):
            if block != data[seen : seen + len(block)]:
                return False
            seen += len(block)
        return seen == len(data) and make_readable(descriptor)
    except OSError as error:
        name_failure(error, "read", target)
        raise
    finally:
        os.close(descriptor)


def sweep_leftovers(directory: StrPath, *, older_than: float, recursive: bool = True) -> int:
    """Remove temporary files that nobody touched for ``older_than`` seconds; return how many.

    The age keeps files that another process is writing right now; 0 takes all, those too whose time was
    chosen and lies ahead. Symbolic links are not followed; what vanishes meanwhile is somebody else's work.
    """
    deadline = time.time() - older_than if older_than else math.inf
    swept = 0
    waiting = [os.fspath(directory)]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            name_failure(error, "scandir", error.filename or directory)
            raise
        with entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if recursive:
                        waiting.append(entry.path)
                elif entry.name.startswith(TEMPORARY_PREFIX):
                    with suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_mtime <= deadline:
                            swept += remove_file(entry.path)
    return swept


def sweep_dead_writers(directory: StrPath, *, keep_suffix: str) -> None:
    """Remove the temporary files in ``directory`` that are not of this process; names that end in
    ``keep_suffix`` stay. For directories that nobody else writes to at the same time.
    """
    own = f"{TEMPORARY_PREFIX}{_TOKEN}-{os.getpid()}-"
    for name in os.listdir(directory):  # noqa: PTH208
        if name.startswith(TEMPORARY_PREFIX) and not name.startswith(own) and not name.endswith(keep_suffix):
            remove_file(f"{os.fspath(directory)}/{name}")


def _create_temporary(directory: str) -> tuple[int, str]:
    name = f"{directory}/{TEMPORARY_PREFIX}{_TOKEN}-{os.getpid()}-{next(_counter)}"
    try:
        descriptor = os.open(name, _CREATE, MODE)
    except FileNotFoundError:
        # Nearly every write finds its directory, so asking first would be a wasted call.
        make_directories(directory)
        descriptor = open_file(name, _CREATE)
    except OSError as error:
        name_failure(error, "open", name)
        raise
    try:
        make_readable(descriptor)
    except OSError as error:
        os.close(descriptor)
        _discard(name)
        name_failure(error, "chmod", name)
        raise
    return descriptor, name


def close(descriptor: int, path: StrPath) -> None:
    """Network file systems tell here of a write that failed. The descriptor is gone all the same."""
    try:
        os.close(descriptor)
    except OSError as error:
        name_failure(error, "close", path)
        raise


def _discard(temporary: str) -> None:
    # Whoever discards has an error of their own to tell; what stays is swept later.
    with suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108


def _set_modified(descriptor: int, seconds: int, path: StrPath) -> None:
    try:
        os.utime(descriptor, (seconds, seconds))
    except OSError as error:
        name_failure(error, "utime", path)
        raise


def write_all(descriptor: int, data: bytes, *, path: StrPath) -> None:
    """Write all of ``data``, in as many calls as that takes; errors name ``path``."""
    try:
        written = os.write(descriptor, data)
        while written < len(data):
            # The kernel takes 2 GiB at most in one call, and less when the disk is nearly full.
            written += os.write(descriptor, memoryview(data)[written:])
    except OSError as error:
        name_failure(error, "write", path)
        raise


def _open_to_compare(path: StrPath) -> int | None:
    """None where there is no file, a symbolic link to one, or one that we may not read."""
    try:
        return open_file(path, _READ)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.EACCES}:
            return None
        raise


def _same_content(one: Path, other: Path, size: int) -> bool:
    descriptor = _open_to_compare(other)
    if descriptor is None:
        return False
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        with one.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                if os.read(descriptor, BLOCK) != block:
                    return False
        return make_readable(descriptor)
    except OSError as error:
        name_failure(error, "read", other)
        raise
    finally:
        os.close(descriptor)


def _flush_directory(directory: str) -> None:
    descriptor = open_file(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SUPPORTED:
            name_failure(error, "fsync", directory)
            raise
    finally:
        os.close(descriptor)


_LIBC = ctypes.CDLL(None, use_errno=True)
