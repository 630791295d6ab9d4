"""Files in the top directory of a source archive: PKG-INFO, pyproject.toml (PEP 517, 625, 643).

An archive is whatever upstream made of it: nothing that it says about its own size is believed.
"""

import bz2
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import IO, Any, Final, cast

from pypi_mirror.pool.wheel_metadata import BoundedFile, member_content

# Of an archive no more is unpacked than this; what is looked for is usually at its beginning or its end.
_MAX_UNPACKED: Final = 256 * 1024**2
# Of the headers of members, half a kilobyte or more each; what tarfile keeps of them takes thrice that.
_MAX_HEADERS: Final = 32 * 1024**2
_OPEN: Final[Mapping[bytes, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZ": bz2.open,
    b"\xfd7": lzma.open,
}
_UNREADABLE: Final = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError,
    OverflowError, NotImplementedError, RuntimeError, ValueError, LookupError,
)  # fmt: skip


def sdist_metadata(path: str, _filename: str, *, max_bytes: int) -> bytes | None:
    """PKG-INFO of the source archive at ``path``, no larger than ``max_bytes``; None where there is none.

    Raises OSError when the disk fails.
    """
    return (sdist_files(path, ("PKG-INFO",), max_bytes=max_bytes) or {}).get("PKG-INFO")


def sdist_files(path: str, names: Sequence[str], *, max_bytes: int) -> dict[str, bytes] | None:
    """Those of ``names`` that the archive has in its top directory and that are no larger than ``max_bytes``;
    None for an archive that cannot be read as far as the first of them. Raises OSError when the disk fails.
    """
    found: dict[str, bytes] = {}
    try:
        if zipfile.is_zipfile(path):
            _read_zip(path, names, max_bytes, found)
        else:
            _read_tar(path, names, max_bytes, found)
    except OSError as error:
        # What bz2 raises of its data has no number; the disk's errors have one.
        if error.errno is not None:
            raise
        return found if names[0] in found else None
    except _UNREADABLE:
        return found if names[0] in found else None
    return found


def _read_zip(path: str, names: Sequence[str], max_bytes: int, found: dict[str, bytes]) -> None:
    with BoundedFile(path) as file, zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            name = _name_at_top(member.filename)
            if name in names and name not in found:
                content = member_content(archive, member, max_bytes)
                if content is not None:
                    found[name] = content


def _read_tar(path: str, names: Sequence[str], max_bytes: int, found: dict[str, bytes]) -> None:
    with open(path, "rb") as file:
        start = file.read(2)
        file.seek(0)
        unpack = _OPEN.get(start)
        with closing(file if unpack is None else unpack(file)) as unpacked:
            stream = _Bounded(unpacked)
            with tarfile.TarFile(fileobj=cast("IO[bytes]", stream)) as archive:
                for member in archive:
                    name = _name_at_top(member.name)
                    if name not in names or name in found or not member.isreg() or member.size > max_bytes:
                        continue
                    stream.left += member.size
                    content = archive.extractfile(member)
                    if content is not None:
                        found[name] = content.read()
                    if len(found) == len(names):
                        return


class _Bounded:
    """What a tar archive is unpacked to, of which tarfile reads no more than a real one has."""

    def __init__(self, unpacked: IO[bytes]) -> None:
        self._unpacked = unpacked
        self.left = _MAX_HEADERS

    def read(self, size: int = -1, /) -> bytes:
        self.left -= size
        if size < 0 or self.left < 0:
            raise tarfile.ReadError("its headers are larger than any archive's")
        self._within(self.tell() + size)
        return self._unpacked.read(size)

    def seek(self, place: int, /) -> int:
        self._within(place)
        return self._unpacked.seek(place)

    def tell(self) -> int:
        return self._unpacked.tell()

    def _within(self, place: int) -> None:
        if not 0 <= place <= _MAX_UNPACKED:
            raise tarfile.ReadError("it unpacks to more than is looked at")


def _name_at_top(path: str) -> str:
    """The name of a member that is in the archive's only directory, empty for others."""
    directory, _, name = path.removeprefix("./").partition("/")
    return name if directory and "/" not in name else ""
