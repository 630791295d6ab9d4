"""The part of the pool that no reader reaches: files in cooldown lie there as they will in the pool.

It is on the pool's own file system, so that a rename puts a file where readers find it. Web servers serve no
name that begins with a dot.
"""

import os
from typing import Final

from pypi_mirror.disk.files import directory_of, make_directories, remove_directory_if_empty, remove_file
from pypi_mirror.disk.writing import rename
from pypi_mirror.ledger.projects import KnownFile

# Relative to ``web/``.
HELD: Final = "packages/.held"
_SUFFIXES: Final = (".metadata", ".provenance", "")


def release(web: str, file: KnownFile) -> None:
    """Put a held file, and what lies beside it, into the pool; what is there already stays."""
    source, target = f"{web}/{HELD}/{file.path}", f"{web}/{file.path}"
    make_directories(directory_of(target))
    # The file comes last: where this ends half-way, it is still held.
    for suffix in _SUFFIXES:
        if os.path.lexists(f"{source}{suffix}"):
            rename(f"{source}{suffix}", f"{target}{suffix}")
    _remove_directories(source)


def discard(web: str, file: KnownFile) -> None:
    """Delete a held file, and what lies beside it."""
    path = f"{web}/{HELD}/{file.path}"
    for suffix in _SUFFIXES:
        remove_file(f"{path}{suffix}")
    _remove_directories(path)


def _remove_directories(path: str) -> None:
    for _ in range(3):
        path = directory_of(path)
        if not remove_directory_if_empty(path):
            return
