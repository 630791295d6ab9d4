"""A power cut, from the system calls of a real run: what had not reached the disk by then is gone.

``strace`` says in which order a sync made, renamed and removed files, wrote to its ledger and flushed. From
that :class:`Cut` makes the tree as it may be found after a power cut at any moment of the run: what a flush
had covered is there; of what came later, each piece is there or not, by chance. A rename may reach the disk
before the bytes of the new file do, as on XFS: then an empty file is left, unless a flush came between.
"""

import random
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pypi_mirror.disk.writing import TEMPORARY_PREFIX

CALLS = "rename,renameat,renameat2,syncfs,fsync,fdatasync,pwrite64,ftruncate,unlink,unlinkat,openat,write"
STRACE = ("strace", "-f", "-y", "-xx", "-s", "9000", "-e", f"trace={CALLS}")

_LINE = re.compile(r"(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>)?(?P<rest>.*)")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DESCRIPTOR = re.compile(r"^\d+<((?:\\x[0-9a-f]{2}|[^>])*)>")
_NUMBER = re.compile(r", (\d+)(?:\)|$| <)")
_RECORDED = re.compile(rb" INFO (project-\d+): ")
_FILLS = ("create", "write", "pwrite64", "ftruncate")
_FAILED = re.compile(r"= -1 E[A-Z]+")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A system call that succeeded; it began at line ``start`` of the trace and had ended by line ``end``.

    ``path`` is what it is about, ``target`` the new name of a rename; ``data`` and ``offset`` are of a write.
    """

    name: str
    path: str
    start: int
    end: int
    target: str = ""
    data: bytes = b""
    offset: int = 0


def read_trace(trace: Path) -> list[Call]:
    """The calls in the order in which they began."""
    calls: list[Call] = []
    waiting: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace.read_text().splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid, rest, start = found["pid"], found["rest"], number
        if found["resumed"] and pid in waiting:
            start, before = waiting.pop(pid)
            rest = before + rest
        elif rest.endswith("<unfinished ...>"):
            waiting[pid] = (number, rest.removesuffix("<unfinished ...>"))
            continue
        call = _parse(rest, start, number)
        if call is not None:
            calls.append(call)
    return sorted(calls, key=lambda call: call.start)


def _parse(text: str, start: int, end: int) -> Call | None:
    found = _CALL.match(text)
    if found is None or _FAILED.search(text):
        return None
    name, arguments = found["name"], found["arguments"]
    texts = [_bytes(each) for each in _TEXT.findall(arguments)]
    descriptor = _DESCRIPTOR.match(arguments)
    path = _bytes(descriptor[1]).decode() if descriptor else ""
    if name in ("rename", "renameat", "renameat2"):
        return Call(name="rename", path=texts[0].decode(), target=texts[1].decode(), start=start, end=end)
    if name in ("unlink", "unlinkat"):
        return Call(name="unlink", path=texts[0].decode(), start=start, end=end)
    if name == "openat":
        made = "O_CREAT" in arguments
        return Call(name="create", path=texts[0].decode(), start=start, end=end) if made else None
    if name in ("pwrite64", "write"):
        offset = _NUMBER.findall(arguments)[-1] if name == "pwrite64" else 0
        data = texts[0] if texts else b""
        return Call(name=name, path=path, data=data, offset=int(offset), start=start, end=end)
    if name == "ftruncate":
        return Call(name=name, path=path, offset=int(_NUMBER.findall(arguments)[-1]), start=start, end=end)
    return Call(name=name, path=path, start=start, end=end)


def _bytes(escaped: str) -> bytes:
    if "\\x" not in escaped:
        return escaped.encode()
    return bytes.fromhex(escaped.replace("\\x", ""))


def within(calls: Sequence[Call], directory: Path) -> list[Call]:
    """Those that are about ``directory``, "" then, or what is in it, by its path from there; all messages."""
    prefix = f"{directory}/"
    found = []
    for call in calls:
        if f"{call.path}/".startswith(prefix):
            path, target = f"{call.path}/".removeprefix(prefix).rstrip("/"), call.target.removeprefix(prefix)
            found.append(replace(call, path=path, target=target))
        elif call.name == "write" and b" INFO " in call.data:
            found.append(replace(call, name="message"))
    return found


class Cut:
    """Trees as a power cut may leave them; ``before`` and ``after`` are the mirror's directory, copied."""

    def __init__(self, before: Path, after: Path, calls: Sequence[Call], chance: random.Random) -> None:
        self._before = before
        self._after = after
        self._calls = calls
        self._chance = chance

    @property
    def moments(self) -> range:
        return range(self._calls[0].start, self._calls[-1].end + 2)

    @property
    def loose(self) -> list[int]:
        """The moments when pages have just got their names and no flush has come yet."""
        pages = [call.end for call in self._calls if call.name == "rename" and is_page(call.target)]
        flushes = [call.start for call in self._calls if call.name == "syncfs"]
        return [
            flush
            for before, flush in zip([-1, *flushes], flushes, strict=False)
            if any(before < page < flush for page in pages)
        ]

    def make(self, directory: Path, moment: int) -> None:
        """The tree at line ``moment`` of the trace, in ``directory``, which is replaced."""
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self._before, directory, symlinks=True)
        happened = [call for call in self._calls if call.start < moment]
        # Journals keep the order of names; that of everything else is nobody's promise. A temporary file is
        # left only where all that came before it is there.
        journal = self._chance.randrange(moment + 1)
        for call in happened:
            luck = call.name != "create" and self._chance.random() < 0.5
            if call.start < journal or luck or self._is_safe(call, moment):
                self._happen(directory, call, moment)
        self._ledger(directory, happened, moment)

    def _is_safe(self, call: Call, moment: int) -> bool:
        """Whether a flush of the whole file system, or of the directory, came after it and ended in time."""
        parent = (call.target or call.path).rpartition("/")[0]
        return any(
            each.name == "syncfs" or (each.name == "fsync" and each.path == parent)
            for each in self._calls
            if call.end < each.start and each.end < moment
        )

    def _has_bytes(self, rename: Call, moment: int) -> bool:
        """Whether what the file held when it got its name had been flushed at ``moment``."""
        return any(flush.end < moment for flush in flushes_of_bytes(self._calls, rename))

    def _happen(self, directory: Path, call: Call, moment: int) -> None:
        if call.name == "create" and TEMPORARY_PREFIX in call.path:
            left = directory / call.path
            left.parent.mkdir(parents=True, exist_ok=True)
            left.write_bytes(b"half" * self._chance.randrange(2))
        elif call.name == "unlink" and not call.path.startswith("ledger.sqlite"):
            (directory / call.path).unlink(missing_ok=True)
        elif call.name == "rename":
            (directory / call.path).unlink(missing_ok=True)
            final = self._after / call.target
            if final.exists():
                target = directory / call.target
                target.parent.mkdir(parents=True, exist_ok=True)
                if self._has_bytes(call, moment):
                    shutil.copy2(final, target)
                else:
                    target.write_bytes(b"")

    def _ledger(self, directory: Path, happened: Sequence[Call], moment: int) -> None:
        """Of SQLite's log a beginning survives: all that a flush covered, and some of the rest.

        The database itself is written only from a log that was flushed first (a checkpoint).
        """
        writes = [
            call
            for call in happened
            if call.path.startswith("ledger.sqlite")
            and call.name in ("pwrite64", "ftruncate")
            and not call.path.endswith("-shm")
        ]
        flushed = [c.start for c in happened if c.name in ("syncfs", "fdatasync", "fsync") and c.end < moment]
        last = max(flushed, default=0)
        safe = [call for call in writes if call.end < last]
        rest = writes[len(safe) :]
        for call in (*safe, *rest[: self._chance.randint(0, len(rest))]):
            path = directory / call.path
            path.touch()
            with path.open("r+b") as file:
                if call.name == "ftruncate":
                    file.truncate(call.offset)
                else:
                    file.seek(call.offset)
                    file.write(call.data)


def flushes_of_bytes(calls: Sequence[Call], rename: Call) -> list[Call]:
    """Those that made safe what the renamed file held by then."""
    names = (rename.path, rename.target)
    # A temporary name is given once, so every write to it is one of this file.
    written = max((c.end for c in calls if c.path == rename.path and c.name in _FILLS), default=-1)
    return [
        each
        for each in calls
        if written < each.start
        and (each.name == "syncfs" or (each.name in ("fsync", "fdatasync") and each.path in names))
    ]


def is_page(path: str) -> bool:
    return path.startswith("web/simple/") and path.count("/") > 2 and "/index." in path


def is_root_index(path: str) -> bool:
    return path.startswith("web/simple/index.")


def disorder(calls: Sequence[Call]) -> list[str]:
    """What happened in another order than ``files, flush, pages, flush, record; index, flush, cursor``, and
    what got its name before its bytes were safe.

    Projects are called project-<number>, and the run was told to log a line for each that it has recorded.
    """
    order = _Order(calls)
    return [*order.of_names(), *order.of_pages(), *order.of_records(), *order.of_publishing()]


class _Order:
    def __init__(self, calls: Sequence[Call]) -> None:
        self._calls = calls
        self._flushes = [call for call in calls if call.name == "syncfs"]
        self._renames = [call for call in calls if call.name == "rename"]
        self._pages = [call for call in self._renames if is_page(call.target)]
        self._commits = [c for c in calls if c.path == "ledger.sqlite-wal" and c.name == "pwrite64"]
        self._messages = [call for call in calls if call.name == "message"]

    def of_names(self) -> Iterator[str]:
        for rename in self._renames:
            # Files of the pool are looked at again until the ledger has them, and those of the site, right in
            # web/, are compared with what they should hold at the end of every run.
            exempt = rename.target.startswith("web/packages/") or rename.target.rpartition("/")[0] == "web"
            if not exempt and not any(
                flush.end < rename.start for flush in flushes_of_bytes(self._calls, rename)
            ):
                yield f"{rename.target} had its name before its bytes were safe"

    def of_pages(self) -> Iterator[str]:
        for page in self._pages:
            filename = f"/{_project(page).replace('-', '_')}-"
            for file in self._renames:
                if filename in file.target and not self._flushed_between(file, page):
                    yield f"{page.target} was there before {file.target} was safe"

    def of_records(self) -> Iterator[str]:
        for said in self._messages:
            recorded = _RECORDED.search(said.data)
            if recorded is None:
                continue
            name = recorded[1].decode()
            # A transaction is written at its end, and the line is logged right after that.
            commit = max((c for c in self._commits if c.end < said.start), key=lambda call: call.start)
            for page in self._pages:
                if _project(page) == name and not self._flushed_between(page, commit):
                    yield f"{name} was recorded before {page.target} was safe"

    def of_publishing(self) -> Iterator[str]:
        for index in self._renames:
            if not is_root_index(index.target):
                continue
            for page in self._pages:
                if not self._flushed_between(page, index):
                    yield f"{index.target} was there before {page.target} was safe"
            for cursor in self._renames:
                if cursor.target == "status" and not self._flushed_between(index, cursor):
                    yield f"the cursor moved before {index.target} was safe"

    def _flushed_between(self, first: Call, second: Call) -> bool:
        return any(first.end < flush.start and flush.end < second.start for flush in self._flushes)


def _project(page: Call) -> str:
    return page.target.split("/")[-2]
