"""Project pages on disk: written when they change, removed when the project goes.

Nothing here flushes. The caller stages a group of pages, calls ``disk.flush_filesystem`` once, publishes
them, flushes again, and only then records them as done: without the first flush, a power cut may leave an
empty file in a page's place.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import overload

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from pypi_mirror.disk.files import (
    make_directories,
    make_path_readable,
    remove_directory_if_empty,
    remove_file,
    served_size_of,
    size_of,
)
from pypi_mirror.disk.writing import (
    TEMPORARY_PREFIX,
    StagedFile,
    holds,
    stage_file,
    sweep_leftovers,
    write_atomically,
)
from pypi_mirror.model import MirroredPage
from pypi_mirror.pages.formats import (
    HTML_NAME,
    INDEX_FILES,
    JSON_NAME,
    TWIN_SUFFIX,
    compressed_twin,
    copy_name,
    first_index_time,
    hand_over_index_files,
    index_time,
    is_foreign,
    names_of,
    remove_foreign,
    remove_index_files,
    twin_matches,
)
from pypi_mirror.pages.legacy_json import LegacyJson, decode
from pypi_mirror.pages.links import Links
from pypi_mirror.pages.project_page import render_html, render_json
from pypi_mirror.settings.values import SimpleFormat

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_LONGEST_VERSION = 200
_NORMALIZED = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")

# What a page's files hold, by name and in the order of ``names_of``.
Rendered = Mapping[str, bytes]

_RENDER: dict[str, Callable[[MirroredPage, Links], bytes]] = {HTML_NAME: render_html, JSON_NAME: render_json}


def page_digest(contents: Iterable[bytes]) -> bytes:
    """SHA-256 over a page's files, in the order of ``names_of``, and its legacy JSON where it has some: what
    the ledger keeps to know them again.
    """
    digest = hashlib.sha256()
    for content in contents:
        digest.update(content)
    return digest.digest()


class StagedPage:
    """New files of a page, or its legacy JSON, whole beside their places; none when nothing changed.

    To be published or discarded; what a crash leaves of it, the next ``publish`` of that page sweeps.
    """

    __slots__ = ("_files", "_sweep", "size")

    def __init__(self, files: list[StagedFile], sweep: Callable[[], object] | None) -> None:
        self.size = sum(file.size for file in files)
        self._files = files
        self._sweep = sweep

    def publish(self) -> None:
        """Put the files in place, then remove what they replace. After an OSError it may be called again."""
        while self._files:
            # In their order: a twin never comes before its page.
            self._files[0].publish()
            del self._files[0]
        if self._sweep is not None:
            self._sweep()

    def discard(self) -> None:
        """Remove what is not published."""
        while self._files:
            self._files.pop().discard()


class PageStore:
    """The pages below ``web/simple/`` and the legacy JSON below ``web/pypi/``.

    ``hash_index`` puts the page of ``foo`` at ``simple/f/foo/`` instead of ``simple/foo/``; where it is
    *served* stays the same, and so do its links. Calls for different projects may run in parallel.
    """

    def __init__(self, web: Path, *, hash_index: bool, simple_format: SimpleFormat, links: Links) -> None:
        self._simple = f"{web}/simple"
        self._web = web
        self._hash_index = hash_index
        self._names = names_of(simple_format)
        self._links = links

    def path_of(self, name: NormalizedName) -> Path:
        """The directory of the project's page."""
        return Path(self.directory_of(name))

    def directory_of(self, name: NormalizedName) -> str:
        """The same, for who looks at thousands."""
        return self._directory(name, hashed=self._hash_index)

    def render(self, page: MirroredPage) -> Rendered:
        """The page's files, without the twins, by name."""
        return {name: _RENDER[name](page, self._links) for name in self._names}

    def stage(self, project: NormalizedName, rendered: Rendered) -> StagedPage:
        """The files that bring the page up to date with what ``render`` made, beside their places.

        To publish them removes files of a format that is switched off, too, and what a killed process left.
        """
        directory = self._directory(project, hashed=self._hash_index)
        is_new = make_directories(directory)
        # Only our pages have compressed twins.
        was_foreign = not is_new and size_of(f"{directory}/{self._names[0]}{TWIN_SUFFIX}") is None
        # Made under a narrow umask, or by another tool.
        make_path_readable(directory.rpartition("/")[0])
        if not is_new:
            make_path_readable(directory)
        files: list[StagedFile] = []
        try:
            for name, content in rendered.items():
                _stage_with_twin(files, f"{directory}/{name}", content, is_new=is_new)
        except BaseException:
            StagedPage(files, None).discard()
            raise
        # Beside a new project's page there is nothing to clear away.
        return StagedPage(files, None if is_new else partial(self._sweep, directory, foreign=was_foreign))

    def _sweep(self, directory: str, *, foreign: bool) -> None:
        remove_index_files(directory, keep=self._names)
        sweep_leftovers(directory, older_than=0, recursive=False)
        if foreign:
            remove_foreign(directory)

    def is_complete(self, name: NormalizedName) -> bool:
        """Whether every file of the project's page, twins included, is there."""
        directory = self._directory(name, hashed=self._hash_index)
        return all(
            served_size_of(f"{directory}/{file}{suffix}")
            for file in self._names
            for suffix in ("", TWIN_SUFFIX)
        )

    def remove(self, name: NormalizedName) -> bool:
        """Remove the project's page, in whichever layout; return whether there was one."""
        removed = [self._remove(name, hashed=hashed) for hashed in (self._hash_index, not self._hash_index)]
        return any(removed)

    def remove_other_layout(self, name: NormalizedName) -> bool:
        """Remove the page that an earlier setting of ``hash-index`` left; return whether there was one.

        To be called once the web server serves the new layout.
        """
        return self._remove(name, hashed=not self._hash_index)

    def is_in_other_layout(self, name: NormalizedName) -> bool:
        """Whether ``remove_other_layout`` would find a page to remove."""
        directory = self._directory(name, hashed=not self._hash_index)
        return os.path.isdir(directory) and any(  # noqa: PTH112 - one call where there is none, see disk
            size_of(f"{directory}/{file}") is not None for file in INDEX_FILES
        )

    def names(self) -> Iterator[NormalizedName]:
        """Where pages may be, in both layouts: the directories whose names are normalized; streamed.

        What they hold is not looked at, so first letters come too, and a name in both layouts comes twice.
        Pages may be removed meanwhile. Symbolic links are not followed.
        """
        for name in _directories(self._simple):
            yield name
            if len(name) == 1:
                yield from (each for each in _directories(f"{self._simple}/{name}") if each[0] == name)

    def old_names(self) -> Iterator[tuple[NormalizedName, Path]]:
        """The directories of pages that bandersnatch before 4.0 made beside those of normalized names, by the
        project's name; what holds anything else is somebody else's.
        """
        letters = [f"{self._simple}/{letter}" for letter in _subdirectories(self._simple) if len(letter) == 1]
        for parent in (self._simple, *letters):
            for name in _subdirectories(parent):
                if not _is_normalized(name) and _is_name(name) and _is_only_page(f"{parent}/{name}"):
                    yield canonicalize_name(name), Path(parent) / name

    def sweep_foreign(self) -> None:
        """Remove what bandersnatch left beside the root index."""
        remove_foreign(self._simple, directories=False)

    @staticmethod
    def remove_old_name(directory: Path) -> None:
        """Remove one of ``old_names``."""
        remove_index_files(directory)
        remove_foreign(directory)
        remove_directory_if_empty(directory)
        if len(directory.parent.name) == 1:
            remove_directory_if_empty(directory.parent)

    def has_stray(self, name: NormalizedName) -> bool:
        """Whether ``remove_stray`` would find something to remove."""
        return any(
            self._is_all_page(name, hashed=hashed)
            # With hash-index, a letter's directory is most often the home of other pages and no page.
            and (len(name) > 1 or any(size_of(f"{directory}/{file}") for file in INDEX_FILES))
            for hashed in (False, True)
            for directory in (self._directory(name, hashed=hashed),)
        )

    def remove_stray(self, name: NormalizedName) -> bool:
        """Remove page and legacy JSON of a project that is not held; return whether there was a page.

        A directory that holds anything else, or is reached by a symbolic link, is somebody else's: it is
        left alone.
        """
        layouts = [hashed for hashed in (False, True) if self._is_all_page(name, hashed=hashed)]
        if not layouts:
            return False
        # By the page's directory a stray is found again after a crash, so that goes last.
        self.remove_legacy_json(name)
        removed = [self._remove(name, hashed=hashed) for hashed in layouts]
        return any(removed)

    def hand_over(self, name: NormalizedName) -> int:
        """Leave the project's page and legacy JSON as bandersnatch has them; return the files removed.

        What it does not renew goes: compressed twins, and the JSON of releases. What it has besides comes, as
        another name of the same file, for it writes into none.
        """
        removed = hand_over_index_files(self._directory(name, hashed=self._hash_index))
        document = self._legacy_json(name)
        for path in self.release_json_paths(name):
            removed += path.endswith("/json") and remove_file(path)
        _remove_release_documents(document.parent)
        if document.is_file() and not document.is_symlink():
            copy_name(str(document), f"{self._web}/json/{name}")
        return removed

    def hand_over_index(self) -> int:
        """The same of the root index."""
        return hand_over_index_files(self._simple)

    def legacy(self, page: MirroredPage) -> LegacyJson:
        """What the page's legacy JSON lists."""
        return LegacyJson(page, self._links)

    def read_legacy_json(self, name: NormalizedName, version: str | None = None) -> bytes | None:
        """The project's document, or that of its release ``version``; None where there is none."""
        path = self._legacy_json(name, version)
        try:
            return None if path is None or path.is_symlink() else path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    def release_json_paths(self, name: NormalizedName) -> list[str]:
        """The documents of the project's releases that are on the disk, and their directories."""
        directories = [path for _, path in _release_directories(self._legacy_json(name).parent)]
        return [path for directory in directories for path in (directory, f"{directory}/json")]

    def write_release_json(self, name: NormalizedName, version: str, document: bytes) -> None:
        """``document`` for the release ``version``, at once; not for one whose name is no directory's."""
        path = self._legacy_json(name, version)
        if path is not None:
            write_atomically(path, document)

    def stage_legacy_json(self, name: NormalizedName, document: bytes) -> StagedPage:
        """``document``, to become the project's legacy JSON. Published, it takes away the documents of
        releases that it does not list.
        """
        path = self._legacy_json(name)
        make_path_readable(path.parent)
        files = [] if holds(str(path), document) else [stage_file(path, document)]
        releases = frozenset(decode(document).get("releases", ()))
        return StagedPage(files, partial(self._sweep_legacy_json, name, path.parent, releases))

    def _sweep_legacy_json(self, name: NormalizedName, directory: Path, releases: frozenset[str]) -> None:
        # With bandersnatch the path was a symbolic link to this file, which nothing would keep current.
        remove_file(self._web / "json" / name)
        _remove_release_documents(directory, keep=releases)
        sweep_leftovers(directory, older_than=0, recursive=False)

    def remove_legacy_json(self, name: NormalizedName) -> bool:
        """Remove the project's legacy JSON; return whether there was one."""
        removed = remove_file(f"{self._web}/json/{_checked(name)}")
        # Most projects have no directory, and another one's is not looked into by way of a link.
        directory = f"{self._web}/pypi/{name}"
        if os.path.isdir(directory) and not os.path.islink(directory):  # noqa: PTH112, PTH114 - one call
            removed |= remove_file(f"{directory}/json")
            _remove_release_documents(Path(directory))
            _remove_page_directory(directory)
        return removed

    @overload
    def _legacy_json(self, name: NormalizedName) -> Path: ...
    @overload
    def _legacy_json(self, name: NormalizedName, version: str | None) -> Path | None: ...
    def _legacy_json(self, name: NormalizedName, version: str | None = None) -> Path | None:
        directory = self._web / "pypi" / _checked(name)
        if version is None:
            return directory / "json"
        return directory / version / "json" if is_release_directory(version) else None

    def _directory(self, name: NormalizedName, *, hashed: bool) -> str:
        _checked(name)
        return f"{self._simple}/{name[0]}/{name}" if hashed else f"{self._simple}/{name}"

    def _is_all_page(self, name: NormalizedName, *, hashed: bool) -> bool:
        """Whether the directory holds nothing but a page, or what is left of one."""
        directory = Path(self._directory(name, hashed=hashed))
        # With hash-index, the flat page of project "f" shares its directory with all the pages in f.
        shared = not hashed and len(name) == 1
        if directory.is_symlink() or (hashed and directory.parent.is_symlink()):
            return False
        try:
            with os.scandir(directory) as entries:
                return all(
                    _is_of_page(entry)
                    or (
                        shared
                        and entry.is_dir(follow_symlinks=False)
                        and _is_normalized(entry.name)
                        and entry.name[0] == name
                    )
                    for entry in entries
                )
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _remove(self, name: NormalizedName, *, hashed: bool) -> bool:
        directory = self._directory(name, hashed=hashed)
        removed = remove_index_files(directory)
        if removed:
            remove_foreign(directory)
        # With hash-index, simple/f/ is the home of every page in f, and another task may be about to use it.
        if not (self._hash_index and not hashed and len(name) == 1):
            _remove_page_directory(directory)
        if removed and hashed and not self._hash_index:
            # The last page of the other layout takes its letter along; the page of project "f" keeps it.
            remove_directory_if_empty(f"{self._simple}/{name[0]}")
        return removed


def _directories(path: str) -> Iterator[NormalizedName]:
    """The directories in ``path`` whose names are normalized."""
    yield from (NormalizedName(name) for name in _subdirectories(path) if _is_normalized(name))


def _subdirectories(path: str) -> Iterator[str]:
    """The names of the directories in ``path``, as they come; none when it is gone by now."""
    try:
        entries = os.scandir(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield entry.name


def _is_only_page(directory: str) -> bool:
    with os.scandir(directory) as entries:
        found = list(entries)
    return bool(found) and all(map(_is_of_page, found))


def _is_of_page(entry: "os.DirEntry[str]") -> bool:
    if is_foreign(entry):
        return True
    named = entry.name in INDEX_FILES or entry.name.startswith(TEMPORARY_PREFIX)
    return named and not entry.is_dir(follow_symlinks=False)


def _is_name(name: str) -> bool:
    try:
        canonicalize_name(name, validate=True)
    except InvalidName:
        return False
    return True


def _is_normalized(name: str) -> bool:
    return _NORMALIZED.fullmatch(name) is not None and "--" not in name


def is_release_directory(version: str) -> bool:
    """Whether a release's document may be in a directory of this name: upstream chose it."""
    return version != "json" and len(version) <= _LONGEST_VERSION and _VERSION.fullmatch(version) is not None


def _remove_release_documents(directory: Path, *, keep: Collection[str] = ()) -> None:
    """Remove the documents of releases but those of ``keep``, which everybody may read afterwards."""
    for name, path in _release_directories(directory):
        if name in keep:
            make_path_readable(path)
            make_path_readable(f"{path}/json")
        else:
            remove_file(f"{path}/json")
            _remove_page_directory(path)


def _release_directories(directory: Path) -> list[tuple[str, str]]:
    """(release, path) of each directory in which the document of a release may be."""
    try:
        entries = os.scandir(directory)
    except (FileNotFoundError, NotADirectoryError):
        return []
    with entries:
        return [
            (each.name, each.path)
            for each in entries
            if is_release_directory(each.name) and each.is_dir(follow_symlinks=False)
        ]


def _remove_page_directory(directory: str) -> None:
    """An empty directory would be served as a listing, so what a crash left in it goes too."""
    if not remove_directory_if_empty(directory) and sweep_leftovers(directory, older_than=0, recursive=False):
        remove_directory_if_empty(directory)


def _checked(name: NormalizedName) -> NormalizedName:
    """The type promises a normalized name; this keeps a mistake elsewhere from leaving the tree."""
    if _NORMALIZED.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not a normalized project name")
    return name


def _stage_with_twin(files: list[StagedFile], path: str, content: bytes, *, is_new: bool) -> None:
    """Add to ``files`` what is missing of the file ``path`` and its twin."""
    twin = path + TWIN_SUFFIX
    if is_new:
        files.append(stage_file(path, content, modified=first_index_time))
        files.append(stage_file(twin, compressed_twin(content), modified=first_index_time))
        return
    changed = not holds(path, content)
    if changed:
        files.append(stage_file(path, content, modified=index_time))
    # A crash between the two renames leaves a twin that is older than its page; the trailer gives it away.
    if changed or not twin_matches(twin, crc32=zlib.crc32(content), size=len(content)):
        files.append(stage_file(twin, compressed_twin(content), modified=index_time))
