"""How much room the mirror's disks have left, and the reserve of it that a sync does not touch."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from pypi_mirror.errors import DiskFull
from pypi_mirror.options.disk_reserve import DiskReserve
from pypi_mirror.wording import size

# So many bytes are worth a look at the disk of their own; of less, that of a second fits.
_LARGE: Final = 16 * 1024**2
_SECONDS: Final = 1.0
# What a reserve in bytes keeps of the inodes.
_INODE_PERCENT: Final = 1.0


class Room(Struct, frozen=True, kw_only=True):
    """Of one file system, for this user: bytes and inodes that are free, and in all.

    ``inodes`` is 0 on file systems that make them as they need them (btrfs, a tmpfs without limit).
    """

    free: int
    size: int
    free_inodes: int
    inodes: int
    read_only: bool


def room_of(path: str | os.PathLike[str]) -> Room:
    """Raises OSError where ``path`` is not there."""
    found = os.statvfs(path)
    return Room(
        free=found.f_bavail * found.f_frsize,
        size=found.f_blocks * found.f_frsize,
        free_inodes=found.f_favail,
        inodes=found.f_files,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def reserved(reserve: DiskReserve, size: int) -> int:
    """The bytes that ``reserve`` keeps free of a disk of ``size`` bytes."""
    return reserve.bytes or int(size * reserve.percent / 100)


class RoomGuard:
    """Stops a sync before it fills one of the disks of ``directories``; those not there do not count."""

    def __init__(self, directories: Iterable[Path], reserve: DiskReserve) -> None:
        self._reserve = reserve
        self._looked: float | None = None
        # What was let through since then, and may not be on the disk yet.
        self._let_through = 0
        by_disk = {os.stat(each).st_dev: each for each in directories if each.exists()}  # noqa: PTH116
        self._disks = tuple(by_disk.values())

    def before(self, size: int) -> None:
        """To be called before ``size`` bytes are written; looks when it has to.

        A file of a size that nobody states is counted block by block. Raises DiskFull when the disk has no
        room for them beside the reserve.
        """
        self._let_through += size
        is_due = self._looked is None or time.monotonic() - self._looked >= _SECONDS
        if is_due or self._let_through >= _LARGE:
            self.check(self._let_through)

    def meanwhile(self) -> None:
        """To be called now and then: others write, too.

        A run that only removes is not stopped: it may be what makes room.
        """
        if self._looked is not None:
            self.check()

    def check(self, more: int = 0) -> None:
        """Raises DiskFull when less than the reserve is left, or would be after ``more`` bytes."""
        self._looked = time.monotonic()
        self._let_through = 0
        if not self._reserve.percent and not self._reserve.bytes:
            return
        for place in self._disks:
            room = room_of(place)
            kept = reserved(self._reserve, room.size)
            if room.free - more < kept:
                left = f"{size(room.free)} of {size(room.size)} left"
                wanted = f" and {size(more)} more to come" if more else ""
                raise _full(place, f"{left}{wanted}", size(kept))
            kept_inodes = int(room.inodes * (self._reserve.percent or _INODE_PERCENT) / 100)
            if room.inodes and room.free_inodes < kept_inodes:
                left = f"{room.free_inodes:,} of {room.inodes:,} inodes left"
                raise _full(place, left, f"{kept_inodes:,} inodes")


def _full(place: Path, left: str, kept: str) -> DiskFull:
    return DiskFull(
        f"the disk has {left}, and [mirror] disk-reserve keeps {kept} free: make room, select less "
        "([allowlist], [platform]) or lower the reserve, then sync again",
        path=str(place),
    )
