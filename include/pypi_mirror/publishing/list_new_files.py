"""``[mirror] diff-file``: the files of the mirror that are new since the last such list.

What is new says the file system: the time at which a file came to its name, or was changed. So a list also
has what a run that died has brought. Compared are times of that file system with each other, and moments of
the mirror's clock with each other: on a network disk the two may differ.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from pypi_mirror.chunks import chunks
from pypi_mirror.disk.files import make_directories
from pypi_mirror.disk.writing import AtomicFile
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror

# As bandersnatch calls it where diff-file is a directory.
_NAME: Final = "mirrored-files"
_CHUNK: Final = 500
_LINES: Final = 5_000
_BESIDE: Final = ("", ".metadata", ".provenance")


def begin_list(mirror: Mirror) -> None:
    """Note from when on files are new: before a run changes any, where no list has said so."""
    if mirror.settings.diff_file is not None and mirror.ledger.facts.listed is None:
        now = _now(mirror)
        mirror.ledger.facts.change(Facts.listed, lambda known: known or now)


def list_new_files(mirror: Mirror, run: Run) -> tuple[int, int] | None:
    """Write the list, in the place of the one before. Return what ``end_list`` is to be told.

    Raises OSError.
    """
    target, since = mirror.settings.diff_file, mirror.ledger.facts.listed
    if target is None:
        return None
    if mirror.settings.diff_append_epoch:
        target = target.with_name(f"{target.name}-{int(run.started_at)}")
    if target.is_dir():
        target /= _NAME
    make_directories(str(target.parent))
    now = _now(mirror)
    with AtomicFile(target.parent) as file:
        paths = iter(()) if since is None else _new_files(mirror, *since)
        separator = b""
        while block := b"\n".join(map(os.fsencode, islice(paths, _LINES))):
            # The last line has no end, as in bandersnatch.
            file.write(separator + block)
            separator = b"\n"
        file.publish(target)
    return now


def end_list(mirror: Mirror, listed: tuple[int, int] | None) -> None:
    """Note that a list has all until then, once its run has ended: a second try of its end would write one
    with nothing.
    """
    mirror.ledger.facts.put(Facts.listed.to(listed))


def _now(mirror: Mirror) -> tuple[int, int]:
    """This moment: seconds of the mirror's clock, nanoseconds of the file system's."""
    with TemporaryFile(dir=mirror.settings.directory) as file:
        return int(mirror.clock()), os.fstat(file.fileno()).st_ctime_ns


def _new_files(mirror: Mirror, synced_since: int, changed_since: int) -> Iterator[str]:
    """Files, then the pages that list them, then the root index: copied in this order, no link is broken."""
    yield from _new(_pool_files(mirror, synced_since), changed_since)
    yield from _new(_page_files(mirror, synced_since), changed_since)
    yield from _new(_index_files(mirror), changed_since)


def _pool_files(mirror: Mirror, synced_since: int) -> Iterator[str]:
    web, projects = mirror.settings.web, mirror.ledger.projects.synced_since(synced_since)
    for chunk in chunks(projects, _CHUNK):
        for files in mirror.ledger.projects.files_of([project.id for project in chunk]).values():
            for file in files.values():
                if file.removed_at is None:
                    yield from (f"{web}/{file.path}{suffix}" for suffix in _BESIDE)


def _page_files(mirror: Mirror, synced_since: int) -> Iterator[str]:
    for project in mirror.ledger.projects.synced_since(synced_since):
        name = project.project
        yield from _files_in(mirror.pages.path_of(name))
        if mirror.settings.json:
            yield from _files_in(mirror.settings.web / "pypi" / name)
            yield from mirror.pages.release_json_paths(name)


def _index_files(mirror: Mirror) -> Iterator[str]:
    yield from _files_in(mirror.settings.web / "simple")


def _files_in(directory: Path) -> list[str]:
    """The files in a directory that have no temporary name, in their order."""
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [f"{directory}/{name}" for name in names if not name.startswith(".")]


def _new(paths: Iterable[str], since: int) -> Iterator[str]:
    """Those of ``paths`` that are files and were changed at ``since`` or later."""
    for path in paths:
        try:
            found = os.stat(path, follow_symlinks=False)  # noqa: PTH116 - millions of files, see disk
        except (FileNotFoundError, NotADirectoryError):
            continue
        if found.st_ctime_ns >= since and stat.S_ISREG(found.st_mode):
            yield path
