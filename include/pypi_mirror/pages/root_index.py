"""The root index: every project of the mirror, in both formats, for a million projects in constant memory.

The formats are PEP 503's and PEP 691's as upstream shapes them, with ``_last-serial`` per project, so
that another mirror can take this one as its upstream. A link leads to ``<name>/`` below the index,
whatever ``hash-index`` says: that is where the page is served.
"""

import gzip
import os
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec
from markupsafe import escape
from msgspec import UNSET, UnsetType

from pypi_mirror.chunks import chunks
from pypi_mirror.disk.writing import AtomicFile, flush_filesystem
from pypi_mirror.model import IndexEntry
from pypi_mirror.pages.formats import (
    GZIP_WINDOW,
    HTML_NAME,
    JSON_NAME,
    TWIN_SUFFIX,
    index_time,
    names_of,
    remove_index_files,
    twin_matches,
)
from pypi_mirror.pages.project_page import API_VERSION, JsonMeta
from pypi_mirror.settings.values import SimpleFormat

# Measured at a million entries: level 4 is within 3 % of level 6 in half of its time.
_LEVEL = 4
_CHUNK = 10_000
_BLOCK = 1 << 20


def write_root_index(
    web: Path,
    entries: Iterable[IndexEntry],
    *,
    serial: int | None,
    simple_format: SimpleFormat,
    link_prefix: str = "",
) -> bool:
    """Write ``simple/index.html`` and ``simple/index.v1_json`` with their twins; return whether any changed.

    ``entries`` come sorted by normalized name and are gone through once. ``serial`` is the cursor, None
    where upstream has no serials. ``link_prefix`` goes before every link.

    Everything written to the file system so far, the listed pages too, is on the disk before the new index
    takes the old one's place, and the new index is on the disk when this returns: no crash leaves an index
    that lists a page that is missing, provided that the pages were written before this was called.
    """
    directory = web / "simple"
    names = names_of(simple_format)
    writers = _writers(serial, link_prefix)
    with ExitStack() as stack:
        drafts = [
            _Draft(directory / name, writers[name], stack.enter_context(AtomicFile(directory)))
            for name in names
        ]
        _write_entries(drafts, entries)
        ready = [(draft.file, draft.path) for draft in drafts if draft.changed()]
        ready += _compress(directory, [draft for draft in drafts if draft.needs_twin()], stack)
        if ready:
            flush_filesystem(directory)
            for file, path in ready:
                file.publish(path, modified=index_time)
    removed = remove_index_files(directory, keep=names)
    if ready or removed:
        flush_filesystem(directory)
    return bool(ready) or removed


def wrong_root_index(
    web: Path,
    entries: Iterable[IndexEntry],
    *,
    serial: int | None,
    simple_format: SimpleFormat,
    link_prefix: str = "",
) -> tuple[Path, ...]:
    """The files of the root index, twins included, that are not as ``write_root_index`` would have them.

    Goes through ``entries`` and the files side by side, once, and writes nothing.
    """
    writers = _writers(serial, link_prefix)
    plain = [web / "simple" / name for name in names_of(simple_format)]
    with ExitStack() as stack:
        comparisons = [
            _Comparison(
                writers[path.name],
                [_Found(path, stack, packed=False), _Found(_twin_of(path), stack, packed=True)],
            )
            for path in plain
        ]
        _write_entries(comparisons, entries)
        return tuple(found.path for each in comparisons for found in each.found if not found.ends())


def _writers(serial: int | None, link_prefix: str) -> dict[str, "_Writer"]:
    return {HTML_NAME: _HtmlWriter(link_prefix), JSON_NAME: _JsonWriter(serial)}


def _twin_of(path: Path) -> Path:
    return path.with_name(path.name + TWIN_SUFFIX)


class _Writer(Protocol):
    """One format of the index: what comes before, for and after the entries."""

    head: bytes
    separator: bytes
    tail: bytes

    def render(self, entries: list[IndexEntry]) -> bytes: ...


class _HtmlWriter:
    head = (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "  <head>\n"
        f'    <meta name="pypi:repository-version" content="{API_VERSION}">\n'
        "    <title>Simple index</title>\n"
        "  </head>\n"
        "  <body>\n"
    ).encode()
    separator = b""
    tail = b"</body>\n</html>"

    def __init__(self, link_prefix: str) -> None:
        self._link_prefix = escape(link_prefix)

    def render(self, entries: list[IndexEntry]) -> bytes:
        prefix = self._link_prefix
        return "".join(
            [f'<a href="{prefix}{escape(entry.project)}/">{escape(entry.name)}</a>\n' for entry in entries]
        ).encode()


class _JsonProject(msgspec.Struct, frozen=True, gc=False):
    last_serial: int | UnsetType = msgspec.field(name="_last-serial")
    name: str


class _JsonWriter:
    separator = b","
    tail = b"]}\n"

    def __init__(self, serial: int | None) -> None:
        self._encoder = msgspec.json.Encoder()
        meta = self._encoder.encode(JsonMeta(UNSET if serial is None else serial))
        self.head = b'{"meta":' + meta + b',"projects":['

    def render(self, entries: list[IndexEntry]) -> bytes:
        projects = [
            _JsonProject(UNSET if entry.serial is None else entry.serial, entry.name) for entry in entries
        ]
        return self._encoder.encode(projects)[1:-1]


class _Draft:
    """A new version of an index file at ``path``, in a temporary file."""

    def __init__(self, path: Path, writer: _Writer, file: AtomicFile) -> None:
        self.path = path
        self.writer = writer
        self.file = file
        self._crc32 = 0
        self._changed: bool | None = None

    @property
    def twin(self) -> Path:
        return _twin_of(self.path)

    def write(self, data: bytes) -> None:
        self._crc32 = zlib.crc32(data, self._crc32)
        self.file.write(data)

    def changed(self) -> bool:
        if self._changed is None:
            self._changed = not self.file.equals(self.path)
        return self._changed

    def needs_twin(self) -> bool:
        return self.changed() or not twin_matches(self.twin, crc32=self._crc32, size=self.file.size)


class _Found:
    """A file, or what it holds where it is ``packed``, against the bytes that it should have."""

    def __init__(self, path: Path, stack: ExitStack, *, packed: bool) -> None:
        self.path = path
        self._file: BinaryIO | gzip.GzipFile | None = None
        try:
            file = stack.enter_context(open(path, "rb", opener=_open_no_link))  # noqa: SIM115
        except OSError:
            return
        self._file = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file

    def goes_on(self, data: bytes) -> None:
        """Compare the next bytes; once they differ the file counts as another one."""
        if self._file is not None and self._read(len(data)) != data:
            self._file = None

    def ends(self) -> bool:
        """Whether it held what it was compared with, and no more."""
        return self._file is not None and self._read(1) == b""

    def _read(self, size: int) -> bytes | None:
        assert self._file is not None  # noqa: S101 - both callers ask
        try:
            return self._file.read(size)
        except (OSError, EOFError, zlib.error):
            return None


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


class _Comparison:
    """One format of the index as it should be, and the files that hold it."""

    def __init__(self, writer: _Writer, found: list[_Found]) -> None:
        self.writer = writer
        self.found = found

    def write(self, data: bytes) -> None:
        for each in self.found:
            each.goes_on(data)


def _write_entries(drafts: "Sequence[_Draft | _Comparison]", entries: Iterable[IndexEntry]) -> None:
    for draft in drafts:
        draft.write(draft.writer.head)
    for number, chunk in enumerate(chunks(entries, _CHUNK)):
        for draft in drafts:
            separator = draft.writer.separator if number else b""
            draft.write(separator + draft.writer.render(chunk))
    for draft in drafts:
        draft.write(draft.writer.tail)


def _compress(directory: Path, drafts: list[_Draft], stack: ExitStack) -> list[tuple[AtomicFile, Path]]:
    """The twins of ``drafts``, made side by side: zlib lets other threads run."""
    twins = [(stack.enter_context(AtomicFile(directory)), draft.twin) for draft in drafts]
    if drafts:
        with ThreadPoolExecutor(max_workers=len(drafts)) as pool:
            sources = [draft.file.temporary for draft in drafts]
            list(pool.map(_compress_file, sources, [file for file, _ in twins]))
    return twins


def _compress_file(source: Path, target: AtomicFile) -> None:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    with source.open("rb", buffering=0) as plain:
        while block := plain.read(_BLOCK):
            if compressed := compressor.compress(block):
                target.write(compressed)
    target.write(compressor.flush())
