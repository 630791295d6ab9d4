"""A disk that is full, read-only or broken: said so that a person knows which one and what to do."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pypi_mirror.disk import is_disk_fault
from pypi_mirror.disk_room import room_of
from pypi_mirror.errors import DiskFault

_ADVICE: Final = {
    errno.ENOSPC: "make room on that disk, then sync again",
    errno.EDQUOT: "raise the quota of this user or make room, then sync again",
    errno.EROFS: "the kernel's log says why it is mounted read-only; mount it writable, then sync again",
    errno.EIO: "the kernel's log says more; once the disk is sound, sync again with --recheck",
    errno.EMFILE: "raise this process's limit of open files or lower [mirror] workers, then sync again",
    errno.ENFILE: "raise this machine's limit of open files (fs.file-max), then sync again",
}


@contextmanager
def named_disk_faults(places: Sequence[Path]) -> Iterator[None]:
    """Within it, an OSError that no other path would be spared becomes a DiskFault with advice.

    ``places`` are the mirror's; one of them stands for the disk where the error names no path.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_fault(error):
            raise
        number = error.errno or 0
        path = Path(os.fsdecode(error.filename)) if error.filename else _suspect(places, number)
        said = f"{error.strerror or os.strerror(number)}{_out_of_inodes(path, number)}"
        raise DiskFault(f"{said}; {_ADVICE[number]}", path=str(path)) from error


def _suspect(places: Sequence[Path], number: int) -> Path:
    """A write to an open file fails without a name: the first place whose disk looks like it."""
    for place in places:
        with suppress(OSError):
            room = room_of(place)
            full = room.free == 0 or (room.inodes and not room.free_inodes)
            if (number == errno.ENOSPC and full) or (number == errno.EROFS and room.read_only):
                return place
    return places[0]


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
