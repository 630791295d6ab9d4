"""What the system refuses: said so that a person knows which path, which call, and what to do."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pypi_mirror.disk.files import is_disk_fault
from pypi_mirror.disk.room import room_of
from pypi_mirror.errors import DiskFault

_ADVICE: Final = {
    errno.ENOSPC: "make room on that disk, then sync again",
    errno.EDQUOT: "raise the quota of this user or make room, then sync again",
    errno.EROFS: "the kernel's log says why it is mounted read-only; mount it writable, then sync again",
    errno.EIO: "the kernel's log says more; once the disk is sound, sync again with --recheck",
    errno.EMFILE: "raise this process's limit of open files or lower [mirror] workers, then sync again",
    errno.ENFILE: "raise this machine's limit of open files (fs.file-max), then sync again",
    errno.EACCES: "let the mirror's user read and write there (chown, chmod), then sync again",
    errno.EPERM: "let the mirror's user read and write there (chown, chattr), then sync again",
    errno.ENOENT: "it is missing: see that nothing else moves or deletes what is there, then sync again",
    errno.EISDIR: "a directory is in its place: move it away, then sync again",
    errno.ENOTDIR: "a file is in the place of a directory: move it away, then sync again",
    errno.ELOOP: "a symbolic link is in its place: remove it, then sync again",
    errno.ENAMETOOLONG: "the name is too long for this file system",
    errno.ESTALE: "the share was exported again: mount it again, then sync again",
    errno.ENOTCONN: "the share is gone: mount it again, then sync again",
    errno.ETIMEDOUT: "the share does not answer: check its server, then sync again",
}
_ELSE: Final = "the kernel's log may say more; repair what it names, then sync again"


@contextmanager
def named_disk_faults(directories: Sequence[Path]) -> Iterator[None]:
    """Within it, an OSError of a file or a disk becomes a DiskFault with advice.

    ``directories`` are the mirror's; one of them stands for the disk where the error names no path. What is
    not about a file (a closed pipe, a signal to a process that is gone) passes as it is.
    """
    try:
        yield
    except OSError as error:
        named_path = isinstance(error.filename, str | bytes) and error.errno is not None
        if not named_path and not is_disk_fault(error):
            raise
        number = error.errno or 0
        path = Path(os.fsdecode(error.filename)) if named_path else _suspect(directories, number)
        said = f"{error.strerror or os.strerror(number)}{_out_of_inodes(path, number)}"
        raise DiskFault(f"{said}; {_ADVICE.get(number, _ELSE)}", path=str(path)) from error


def said_of(error: OSError) -> str:
    """``error`` of one file as a sentence: its path, the call that failed, the reason."""
    if error.filename is None or error.errno is None:
        return str(error) or type(error).__name__
    return f"{os.fsdecode(error.filename)}: {error.strerror or os.strerror(error.errno)}"


def _suspect(directories: Sequence[Path], number: int) -> Path:
    """A write to an open file fails without a name: the first place whose disk looks like it."""
    for directory in directories:
        with suppress(OSError):
            room = room_of(directory)
            full = room.free == 0 or (room.inodes and not room.free_inodes)
            if (number == errno.ENOSPC and full) or (number == errno.EROFS and room.read_only):
                return directory
    return directories[0]


def _out_of_inodes(path: Path, number: int) -> str:
    """'No space left on device' is also what a disk says that has room and no inodes."""
    there = next((each for each in (path, *path.parents) if each.exists()), None)
    if number != errno.ENOSPC or there is None:
        return ""
    with suppress(OSError):
        room = room_of(there)
        if room.free and room.inodes and not room.free_inodes:
            return f" (it has room, but all its {room.inodes:,} inodes are in use)"
    return ""
