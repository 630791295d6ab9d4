"""The core metadata inside a source archive: PKG-INFO in its top directory (PEP 517, 625, 643)."""

import gzip
import lzma
import tarfile
import zipfile
import zlib
from typing import IO, Final

# Of an archive no more is unpacked than this: PKG-INFO is usually its first or its last member.
_MAX_UNPACKED: Final = 256 * 1024**2
_UNREADABLE: Final = (
    tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile, EOFError,
    OverflowError, NotImplementedError, RuntimeError, ValueError, LookupError,
)  # fmt: skip


def sdist_metadata(path: str, _filename: str, *, max_bytes: int) -> bytes | None:
    """PKG-INFO of the source archive at ``path``, no larger than ``max_bytes``; None where there is none.

    Raises OSError when the disk fails.
    """
    try:
        return _in_zip(path, max_bytes) if zipfile.is_zipfile(path) else _in_tar(path, max_bytes)
    except _UNREADABLE:
        return None


def _in_zip(path: str, max_bytes: int) -> bytes | None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if _is_it(member.filename) and member.file_size <= max_bytes:
                with archive.open(member) as stream:
                    return _read(stream, max_bytes)
    return None


def _in_tar(path: str, max_bytes: int) -> bytes | None:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.offset_data > _MAX_UNPACKED:
                break
            if member.isfile() and _is_it(member.name):
                stream = archive.extractfile(member)
                return None if stream is None else _read(stream, max_bytes)
    return None


def _is_it(name: str) -> bool:
    directory, _, rest = name.removeprefix("./").partition("/")
    return bool(directory) and rest == "PKG-INFO"


def _read(stream: IO[bytes], max_bytes: int) -> bytes | None:
    content = stream.read(max_bytes + 1)
    return content if len(content) <= max_bytes else None
