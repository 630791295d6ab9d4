"""The core metadata inside a wheel, for upstreams that do not serve it beside the wheel (PEP 658)."""

import io
import os
import re
import struct
import zipfile
import zlib
from email.parser import BytesHeaderParser
from typing import BinaryIO, Final

from packaging.utils import InvalidName, canonicalize_name, canonicalize_version

# Of the list of members, which zipfile keeps in memory, about ten bytes for each of it. The largest wheels
# have some 15,000 members, of 130 bytes each.
_MAX_READ: Final = 4 * 1024**2
_CHUNK: Final = 64 * 1024
_END_OF_HEAD: Final = re.compile(rb"\r?\n\r?\n")
# What zipfile and the decompressors raise for what is no archive, or one that they cannot read.
_UNREADABLE: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OverflowError, NotImplementedError, RuntimeError,
    ValueError, LookupError,
)  # fmt: skip


def wheel_metadata(path: str, filename: str, *, max_bytes: int) -> bytes | None:
    """METADATA of the wheel at ``path``, byte for byte; None where it has none that a client would accept.

    Of several ``*.dist-info`` directories that of the file name's project counts (as for pip and uv). It must
    be UTF-8, no larger than ``max_bytes`` and name the project and the version of ``filename``. The wheel is
    whatever upstream made of it: nothing that it says about its own size is believed. Raises OSError when the
    disk fails.
    """
    with BoundedFile(path) as file:
        return metadata_in(file, filename, max_bytes=max_bytes)


def metadata_in(file: BinaryIO, filename: str, *, max_bytes: int) -> bytes | None:
    """The same of an open wheel."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = _metadata_member(archive, filename)
            content = None if member is None else member_content(archive, member, max_bytes)
    except _UNREADABLE:
        return None
    return content if content is not None and _describes(content, filename) else None


class BytesMissing(Exception):
    """A wheel of which only the end is known has what is looked for at ``start`` or before its end."""

    def __init__(self, start: int) -> None:
        super().__init__(start)
        self.start = start


class WheelTail(io.BytesIO):
    """The end of a wheel of ``size`` bytes: zip archives have their list of members there."""

    def __init__(self, tail: bytes, size: int) -> None:
        super().__init__(tail)
        self._before = size - len(tail)
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}
        if (at := base[whence] + offset) < 0:
            raise zipfile.BadZipFile("a member lies outside the archive")
        self._at = at
        return at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        if self._at < self._before:
            raise BytesMissing(self._at)
        super().seek(self._at - self._before)
        found = super().read(size)
        self._at += len(found)
        return found


def member_content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int) -> bytes | None:
    # zipfile bounds what deflate makes of the bytes; what bz2 and lzma make of them it does not.
    if member.file_size > max_bytes or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return None
    content = bytearray()
    with archive.open(member) as stream:
        # To its very end, where zipfile compares the CRC-32.
        while chunk := stream.read(_CHUNK):
            content += chunk
            if len(content) > max_bytes:
                return None
    return bytes(content)


class BoundedFile(io.FileIO):
    """A file of which zipfile reads no more at once than a wheel has need of."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = _MAX_READ + 1 if size is None or size < 0 else size
        if wanted > _MAX_READ and self.tell() + _MAX_READ < os.fstat(self.fileno()).st_size:
            raise zipfile.BadZipFile("the list of members is larger than any wheel's")
        return super().read(min(wanted, _MAX_READ))

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        # Places come from the archive itself; the OSError for this one would speak of the disk.
        if whence == os.SEEK_SET and not 0 <= offset <= os.fstat(self.fileno()).st_size:
            raise zipfile.BadZipFile("a member lies outside the archive")
        return super().seek(offset, whence)


def _metadata_member(archive: zipfile.ZipFile, filename: str) -> zipfile.ZipInfo | None:
    """The only METADATA of the project's own ``.dist-info`` directory, at the top of the archive."""
    project = canonicalize_name(filename.partition("-")[0])
    found = []
    for member in archive.infolist():
        directory, _, name = member.filename.partition("/")
        if name == "METADATA" and directory.endswith(".dist-info"):
            own = directory.removesuffix(".dist-info").rpartition("-")[0]
            if canonicalize_name(own) == project:
                found.append(member)
    return found[0] if len(found) == 1 else None


def _describes(content: bytes, filename: str) -> bool:
    """Whether this is metadata, of the project and version of ``filename``: else no client could use it."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    head = BytesHeaderParser().parsebytes(_END_OF_HEAD.split(content, maxsplit=1)[0])
    names, versions = head.get_all("Name", []), head.get_all("Version", [])
    if len(names) != 1 or len(versions) != 1 or len(head.get_all("Metadata-Version", [])) != 1:
        return False
    name, version, *_ = filename.split("-")
    try:
        same_name = canonicalize_name(names[0].strip(), validate=True) == canonicalize_name(name)
    except InvalidName:
        return False
    return same_name and canonicalize_version(versions[0].strip()) == canonicalize_version(version)
