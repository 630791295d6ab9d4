"""Which files hold an index in which format, and their compressed twins.

Beside every ``index.html`` and ``index.v1_json`` lies the same with ``.gz``, for a web server that sends
precompressed files: strong ETags and no work at serving time. Each of the two is a whole version of the
page, so it does no harm when for a moment one is newer. A twin without its page would: the web server
sends it without looking for the page. So twins are written after and removed before what they are twins of.

nginx makes the ETag of a file of its size and its time in seconds, so the time is chosen: no two contents
of one address, be they HTML and JSON, plain and compressed, or two versions in one second, share an ETag.
"""

import os
import re
import shutil
import time
import zlib
from typing import Final

from pypi_mirror.disk.files import (
    StrPath,
    directory_of,
    link_file,
    make_directories,
    make_readable,
    name_failure,
    remove_directory_if_empty,
    remove_file,
    size_of,
)
from pypi_mirror.settings.values import SimpleFormat

HTML_NAME = "index.html"
JSON_NAME = "index.v1_json"
TWIN_SUFFIX = ".gz"

_NAMES: dict[SimpleFormat, tuple[str, ...]] = {
    "ALL": (HTML_NAME, JSON_NAME),
    "HTML": (HTML_NAME,),
    "JSON": (JSON_NAME,),
}
# bandersnatch's second copy of its HTML; nothing here keeps it current, so it goes when a page changes.
_FOREIGN_NAME = "index.v1_html"
_EVERY_NAME = (HTML_NAME, JSON_NAME, _FOREIGN_NAME)
# What bandersnatch leaves of a file that it was writing when it was killed, and, with keep_index_versions,
# where it keeps a page and earlier ones; the page is a symbolic link then.
_FOREIGN_TEMPORARY: Final = re.compile(r"\.index\.(?:html|v1_html|v1_json)\.[a-z0-9_]{8}")
_FOREIGN_VERSIONS: Final = "versions"
_FOREIGN_VERSION: Final = re.compile(r"(?:\.)?index_.*\.(?:html|v1_html|v1_json)(?:\.[a-z0-9_]{8})?")
# All that a page's directory can hold.
INDEX_FILES = frozenset(name + suffix for name in _EVERY_NAME for suffix in ("", TWIN_SUFFIX))

# Each variant of a page has times of its own: those that leave its number as the rest.
_VARIANTS = (HTML_NAME, HTML_NAME + TWIN_SUFFIX, JSON_NAME, JSON_NAME + TWIN_SUFFIX)

GZIP_WINDOW = zlib.MAX_WBITS | 16
# Measured on pages of 5 to 1,000 files: level 6 costs 1 to 4 microseconds a file more than level 1 and
# sends 8 % less for as long as the page is served; level 9 gains another 1 %.
_LEVEL = 6
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_TRAILER_SIZE = 8


def names_of(simple_format: SimpleFormat) -> tuple[str, ...]:
    """The file names, without the twins, that ``simple-format`` asks for."""
    return _NAMES[simple_format]


def remove_index_files(directory: StrPath, *, keep: tuple[str, ...] = ()) -> bool:
    """Remove the index files of ``directory`` and their twins, except ``keep`` and theirs.

    Returns whether there was any.
    """
    removed = False
    for name in _EVERY_NAME:
        if name not in keep:
            removed |= remove_file(f"{directory}/{name}{TWIN_SUFFIX}")
            removed |= remove_file(f"{directory}/{name}")
    return removed


def hand_over_index_files(directory: StrPath) -> int:
    """Leave the index files of ``directory`` as bandersnatch has them; return how many were removed.

    Without the twins, which it does not renew, and with its second copy of the HTML.
    """
    removed = sum(remove_file(f"{directory}/{name}{TWIN_SUFFIX}") for name in _EVERY_NAME)
    copy_name(f"{directory}/{HTML_NAME}", f"{directory}/{_FOREIGN_NAME}")
    return removed


def copy_name(source: str, target: str) -> None:
    """Give the file another name, in the place of what has it; nothing where there is no such file."""
    if size_of(source) is None:
        return
    make_directories(directory_of(target))
    remove_file(target)
    if not link_file(source, target):
        # A file system without hard links.
        shutil.copyfile(source, target)


def is_foreign(entry: "os.DirEntry[str]") -> bool:
    """Whether this in a page's directory was left by bandersnatch, beside a page."""
    if entry.is_dir(follow_symlinks=False):
        return entry.name == _FOREIGN_VERSIONS and _are_versions(entry.path)
    return _FOREIGN_TEMPORARY.fullmatch(entry.name) is not None


def remove_foreign(directory: StrPath, *, directories: bool = True) -> None:
    """Remove what bandersnatch left beside a page; without ``directories`` files alone."""
    try:
        with os.scandir(directory) as entries:
            found = [entry for entry in entries if is_foreign(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            if not directories:
                continue
            for version in os.listdir(entry.path):  # noqa: PTH208 - names alone
                remove_file(f"{entry.path}/{version}")
            remove_directory_if_empty(entry.path)
        else:
            remove_file(entry.path)


def _are_versions(directory: str) -> bool:
    with os.scandir(directory) as entries:
        return all(
            _FOREIGN_VERSION.fullmatch(entry.name) and not entry.is_dir(follow_symlinks=False)
            for entry in entries
        )


def index_time(path: StrPath) -> int:
    """The time, in seconds, to give a new version of the index file ``path``: now, within a few seconds.

    It is later than that of the version that it replaces, and no other variant's.
    """
    latest, variant = first_index_time(path), _variant(path)
    try:
        before = int(os.stat(path, follow_symlinks=False).st_mtime)  # noqa: PTH116 - two a page, see disk
    except FileNotFoundError:
        return latest
    return latest if latest > before else before + len(_VARIANTS) - (before - variant) % len(_VARIANTS)


def first_index_time(path: StrPath) -> int:
    """The same for the first version, which replaces none."""
    now = int(time.time())
    return now - (now - _variant(path)) % len(_VARIANTS)


def _variant(path: StrPath) -> int:
    return _VARIANTS.index(os.fspath(path).rpartition("/")[2])


def compressed_twin(content: bytes) -> bytes:
    """``content`` as a gzip file.

    For a page that is smaller than zlib's window, the tables are cut to its size: to clear those for 32 kB
    takes four times as long as to compress the page of a typical project.
    """
    bits = max(9, min(len(content).bit_length(), zlib.MAX_WBITS))
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, bits | 16, max(1, bits - 7))
    return compressor.compress(content) + compressor.flush()


def twin_matches(twin: StrPath, *, crc32: int, size: int) -> bool:
    """Whether the gzip file ``twin`` holds the bytes of this CRC-32 and size, as its trailer says.

    Reads eight bytes instead of compressing again; RFC 1952 has the trailer at the end of the file. It
    is good for files written whole, as ours are, by whatever version of zlib and at whatever level.
    """
    try:
        descriptor = os.open(twin, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        end = os.fstat(descriptor).st_size
        if end <= _GZIP_TRAILER_SIZE or os.pread(descriptor, 2, 0) != _GZIP_MAGIC:
            return False
        trailer = os.pread(descriptor, _GZIP_TRAILER_SIZE, end - _GZIP_TRAILER_SIZE)
        wanted = crc32.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")
        # One that only some may read is mended, or written once more.
        return trailer == wanted and make_readable(descriptor)
    except OSError as error:
        name_failure(error, "read", twin)
        raise
    finally:
        os.close(descriptor)
