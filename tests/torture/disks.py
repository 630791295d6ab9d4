"""Small file systems that are full, without inodes or read-only when somebody says so."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.requirements_present import require

_ROOMY = {"size": "400m", "nr_inodes": "200k"}


@dataclass(frozen=True, kw_only=True)
class SmallDisk:
    """A tmpfs at ``place``."""

    place: Path

    def leave(self, *, bytes_free: int | None = None, inodes_free: int | None = None) -> None:
        """So much and no more; None: plenty."""
        found = os.statvfs(self.place)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        size = _ROOMY["size"] if bytes_free is None else str(used + bytes_free)
        inodes = found.f_files - found.f_ffree
        count = _ROOMY["nr_inodes"] if inodes_free is None else str(inodes + inodes_free)
        self._remount(f"rw,size={size},nr_inodes={count}")

    def forbid_writing(self) -> bool:
        """Whether it worked: not while a file is open for writing."""
        return self._remount("ro", check=False)

    def _remount(self, options: str, *, check: bool = True) -> bool:
        done = subprocess.run(
            ["mount", "-o", f"remount,{options}", str(self.place)], capture_output=True, check=check
        )
        return done.returncode == 0


@contextmanager
def small_disk(place: Path) -> Iterator[SmallDisk]:
    """Skips the test where nothing can be mounted."""
    place.mkdir(parents=True)
    options = ",".join(f"{key}={value}" for key, value in _ROOMY.items())
    require(shutil.which("mount") and os.geteuid() == 0, "root, to mount a small file system,")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], capture_output=True, check=False
    )
    require(done.returncode == 0, f"the right to mount a file system ({done.stderr.decode().strip()})")
    try:
        yield SmallDisk(place=place)
    finally:
        # A process that is just ending may still be there.
        subprocess.run(["umount", "--lazy", str(place)], check=True)
