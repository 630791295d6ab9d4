"""The pool's directories against the rows: what lies in them that no row accounts for.

The walk goes by the first byte of the directories' names, 256 parts; of the rows of some parts as much is in
memory meanwhile as it takes to know them again.
"""

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, field
from packaging.utils import NormalizedName

from pypi_mirror.audit.files import require_theirs
from pypi_mirror.audit.findings import Finding, Kind
from pypi_mirror.disk.writing import TEMPORARY_PREFIX
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.pool.held import HELD

PARTS: Final = 256
_HEX: Final = (re.compile("[0-9a-f]{2}"), re.compile("[0-9a-f]{2}"), re.compile("[0-9a-f]{60}"))
# Seconds: a download that broke off is continued for a day; nothing else stays as long as a minute.
_KEPT: Final = 24 * 3600
_UNDER_WAY: Final = 60
_PART_SUFFIX: Final = ".part"
# Bits that say which documents lie beside a file.
_SUFFIXES: Final = {".metadata": 1, ".provenance": 2}
_BESIDE: Final = 2


class Known(Struct, kw_only=True):
    """What rows account for, by path. ``clashes`` are found on the way.

    A path is held as its hash, with some bits of the file's digest and of what is beside it: 100 bytes a row.
    """

    paths: dict[int, int] = field(default_factory=dict)
    clashes: list[Finding] = field(default_factory=list)

    def add(self, file: KnownFile, project: NormalizedName) -> None:
        path = file.path
        content = int.from_bytes(file.sha256[:7]) << _BESIDE
        key = hash(path)
        known = self.paths.get(key, content)
        if known >> _BESIDE != content >> _BESIDE:
            self.clashes.append(
                Finding(
                    kind=Kind.CLASH,
                    path=f"web/{path}",
                    project=project,
                    detail="another project has a file of other bytes at this place",
                )
            )
        if file.metadata_sha256 is not None:
            known |= _SUFFIXES[".metadata"]
        if file.provenance:
            known |= _SUFFIXES[".provenance"]
        self.paths[key] = known

    def add_held(self, file: KnownFile) -> None:
        """A file in cooldown, with what lies beside it."""
        beside = (file.metadata_sha256 is not None) | (2 * file.provenance)
        self.paths[hash(f"{HELD}/{file.path}")] = beside

    def add_orphan(self, path: str) -> None:
        """It is known that no row accounts for ``path``, and since when."""
        self.paths.setdefault(hash(path), 0)

    def __contains__(self, path: str) -> bool:
        if hash(path) in self.paths:
            return True
        owner, suffix = os.path.splitext(path)  # noqa: PTH122 - a string, for each document in the pool
        return bool(self.paths.get(hash(owner), 0) & _SUFFIXES.get(suffix, 0))


# See disk_identity.
_IDENTITY: Final = "packages/.identity"


class PoolWalk:
    """Walks parts of the pool below ``web`` with the rows that ``known`` holds of them.

    ``keep_alive`` is called for each directory of directories: hours can pass without a finding.
    """

    def __init__(self, web: str, known: Known, keep_alive: Callable[[], object]) -> None:
        self._web = web
        self._known = known
        self._keep_alive = keep_alive

    def part(self, number: int) -> Iterator[Finding]:
        """What is wrong in the directories whose names begin with the byte ``number``; streamed.

        Part 0 has what lies beside those directories, too. Symbolic links to directories are not followed.
        """
        if number == 0:
            yield from self._level("packages", 0, descend=False)
        yield from self._level(f"packages/{number:02x}", 1)

    def _level(self, path: str, level: int, *, descend: bool = True) -> Iterator[Finding]:
        """A directory of directories; what is none of them is an orphan, and all that lies in it."""
        self._keep_alive()
        for name, is_directory in self._entries(path):
            if isinstance(name, Finding):
                yield name
            elif not is_directory:
                yield from self._file(f"{path}/{name}")
            elif not _HEX[level].fullmatch(name) or (descend and level + 1 == len(_HEX)):
                yield from self._files(f"{path}/{name}")
            elif descend:
                yield from self._level(f"{path}/{name}", level + 1)

    def _files(self, path: str) -> Iterator[Finding]:
        """A directory of files, and all that lies in directories in it, which should not be there."""
        for name, is_directory in self._entries(path):
            if isinstance(name, Finding):
                yield name
            elif is_directory:
                yield from self._files(f"{path}/{name}")
            else:
                yield from self._file(f"{path}/{name}")

    def _file(self, path: str) -> Iterator[Finding]:
        if path in self._known or path == _IDENTITY:
            return
        if not path.rpartition("/")[2].startswith(TEMPORARY_PREFIX):
            yield Finding(kind=Kind.ORPHAN, path=f"web/{path}")
        elif self._is_left(path):
            yield Finding(kind=Kind.LEFTOVER, path=f"web/{path}")

    def _is_left(self, path: str) -> bool:
        """Whether nobody is going to use a temporary file any more."""
        directory, _, name = path.rpartition("/")
        try:
            age = time.time() - os.stat(f"{self._web}/{path}", follow_symlinks=False).st_mtime  # noqa: PTH116
        except OSError:
            return False
        if not name.endswith(_PART_SUFFIX):
            return age > _UNDER_WAY
        owner = name.removeprefix(TEMPORARY_PREFIX).removesuffix(_PART_SUFFIX)
        return age > _KEPT or f"{directory}/{owner}" in self._known

    def _entries(self, path: str) -> Iterator[tuple[str | Finding, bool]]:
        """(name, whether it is a directory) by name; a finding for a directory that cannot be read."""
        try:
            with os.scandir(f"{self._web}/{path}") as entries:
                found = [
                    (entry.name, entry.is_dir(follow_symlinks=False))
                    for entry in entries
                    # Somebody may have put a part of the pool on another disk.
                    if not (entry.is_symlink() and entry.is_dir())
                ]
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            require_theirs(error)
            reason = error.strerror or str(error)
            yield Finding(kind=Kind.UNREADABLE, path=f"web/{path}", detail=reason), False
            return
        yield from sorted(found)
