"""Writes are whole or not at all, and nothing is written twice."""

import ctypes
import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pypi_mirror.disk import files, writing
from pypi_mirror.disk.files import remove_directory_if_empty, remove_file
from pypi_mirror.disk.writing import (
    TEMPORARY_PREFIX,
    AtomicFile,
    flush_filesystem,
    sweep_leftovers,
    write_atomically,
)


def leftovers(directory: Path) -> list[Path]:
    return list(directory.rglob(f"{TEMPORARY_PREFIX}*"))


class TestWriteAtomically:
    def test_makes_the_file_and_its_directories(self, tmp_path: Path) -> None:
        path = tmp_path / "a" / "b" / "file"

        assert write_atomically(path, b"new") is True
        assert path.read_bytes() == b"new"
        assert leftovers(tmp_path) == []

    def test_a_bare_name_is_written_to_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)

        assert write_atomically("file", b"new") is True
        assert (tmp_path / "file").read_bytes() == b"new"

    @pytest.mark.parametrize("old", [b"", b"old", b"longer than new", b"nex"])
    def test_replaces_other_content(self, tmp_path: Path, old: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(old)

        assert write_atomically(path, b"new") is True
        assert path.read_bytes() == b"new"

    @pytest.mark.parametrize("data", [b"", b"same", b"x" * (3 << 20)], ids=["empty", "small", "blocks"])
    def test_leaves_equal_content_alone(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "file"
        path.write_bytes(data)
        before = path.stat()

        assert write_atomically(path, data) is False
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_sees_a_difference_in_the_last_byte_of_a_large_file(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"x" * (2 << 20) + b"a")

        assert write_atomically(path, b"x" * (2 << 20) + b"b") is True

    def test_readers_may_read_whatever_the_umask_and_it_says_who_may_write(self, tmp_path: Path) -> None:
        # In a process of its own: the umask is shared by all threads.
        program = (
            "import os, sys; from pypi_mirror.disk.writing import write_atomically; "
            "os.umask(int(sys.argv[2], 8)); write_atomically(sys.argv[1], b'x')"
        )
        include = str(Path(files.__file__).parents[2])
        for umask, mode in [("022", 0o644), ("002", 0o664), ("077", 0o644), ("027", 0o644)]:
            path = tmp_path / umask
            subprocess.run(
                [sys.executable, "-c", program, str(path), umask],
                check=True,
                env={**os.environ, "PYTHONPATH": include},
            )
            assert stat.S_IMODE(path.stat().st_mode) == mode

    def test_a_symbolic_link_is_replaced_not_followed(self, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"new")
        path = tmp_path / "file"
        path.symlink_to(outside)

        assert write_atomically(path, b"new") is True
        assert not path.is_symlink()
        assert write_atomically(path, b"newer") is True
        assert outside.read_bytes() == b"new"

    def test_a_failed_write_leaves_the_old_content_and_no_leftover(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"old")

        def full(descriptor: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"new")

        assert path.read_bytes() == b"old"
        assert leftovers(tmp_path) == []

    def test_a_directory_in_the_way_is_an_error_that_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "file").mkdir()

        with pytest.raises(IsADirectoryError):
            write_atomically(tmp_path / "file", b"new")

        assert leftovers(tmp_path) == []

    def test_short_writes_are_continued(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        really_write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: really_write(descriptor, data[:3]))

        write_atomically(tmp_path / "file", b"0123456789")

        assert (tmp_path / "file").read_bytes() == b"0123456789"

    def test_durable_flushes_the_file_before_the_rename_and_the_directory_after(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[tuple[str, bool]] = []
        really_flush = os.fsync

        def flush(descriptor: int) -> None:
            kind = "directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
            flushed.append((kind, (tmp_path / "file").exists()))
            really_flush(descriptor)

        monkeypatch.setattr(os, "fsync", flush)
        write_atomically(tmp_path / "file", b"new", durable=True)

        assert flushed == [("file", False), ("directory", True)]

    def test_readers_and_writers_at_once_see_only_whole_files(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "file"
        contents = [bytes([letter]) * 50_000 for letter in b"abcd"]
        write_atomically(path, contents[0])
        errors: list[BaseException] = []

        def write(content: bytes) -> None:
            try:
                for _ in range(50):
                    write_atomically(path, content)
            except BaseException as error:  # noqa: BLE001 - shown by the main thread
                errors.append(error)

        threads = [threading.Thread(target=write, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        seen = set()
        while any(thread.is_alive() for thread in threads):
            seen.add(path.read_bytes())
        for thread in threads:
            thread.join()

        assert errors == []
        assert seen <= set(contents)
        assert leftovers(tmp_path) == []


class TestAtomicFile:
    def test_is_invisible_until_published(self, tmp_path: Path) -> None:
        path = tmp_path / "d" / "file"
        with AtomicFile(path.parent) as file:
            file.write(b"one ")
            file.write(b"two")
            assert not path.exists()
            assert file.temporary.parent == path.parent
            file.publish(path)

        assert path.read_bytes() == b"one two"
        assert file.size == 7
        assert leftovers(tmp_path) == []

    def test_is_discarded_when_the_writer_fails(self, tmp_path: Path) -> None:
        def write_half() -> None:
            with AtomicFile(tmp_path) as file:
                file.write(b"half")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_half()

        assert list(tmp_path.iterdir()) == []

    def test_is_discarded_when_it_is_not_published(self, tmp_path: Path) -> None:
        with AtomicFile(tmp_path) as file:
            file.write(b"unwanted")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("existing", "equal"),
        [(b"content", True), (b"CONTENT", False), (b"content more", False), (None, False)],
    )
    def test_compares_itself_with_a_file(self, tmp_path: Path, existing: bytes | None, equal: bool) -> None:
        if existing is not None:
            (tmp_path / "file").write_bytes(existing)

        with AtomicFile(tmp_path) as file:
            file.write(b"content")
            assert file.equals(tmp_path / "file") is equal

    def test_a_symbolic_link_never_equals(self, tmp_path: Path) -> None:
        (tmp_path / "other").write_bytes(b"content")
        (tmp_path / "link").symlink_to("other")

        with AtomicFile(tmp_path) as file:
            file.write(b"content")
            assert file.equals(tmp_path / "link") is False


class TestFlushFilesystem:
    def test_takes_files_and_directories(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")

        flush_filesystem(tmp_path)
        flush_filesystem(tmp_path / "file")

    def test_a_failed_flush_is_an_error_that_names_the_path(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Broken:
            @staticmethod
            def syncfs(descriptor: int) -> int:
                ctypes.set_errno(errno.EIO)
                return -1

        monkeypatch.setattr(writing, "_LIBC", Broken)
        with pytest.raises(OSError, match="Input/output error") as caught:
            flush_filesystem(tmp_path)

        assert caught.value.errno == errno.EIO
        assert caught.value.filename == str(tmp_path)

    def test_without_syncfs_everything_is_flushed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []
        monkeypatch.setattr(writing, "_LIBC", object())
        monkeypatch.setattr(os, "sync", lambda: calls.append("sync"))

        flush_filesystem(tmp_path)

        assert calls == ["sync"]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
    def test_where_the_file_system_has_no_syncfs_everything_is_flushed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        class Share:
            @staticmethod
            def syncfs(descriptor: int) -> int:
                ctypes.set_errno(number)
                return -1

        calls: list[str] = []
        monkeypatch.setattr(writing, "_LIBC", Share)
        monkeypatch.setattr(os, "sync", lambda: calls.append("sync"))

        flush_filesystem(tmp_path)

        assert calls == ["sync"]


class TestShares:
    """File systems that implement less than a local one."""

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
    def test_a_directory_that_cannot_be_flushed_is_no_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        really_flush = os.fsync

        def flush(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            really_flush(descriptor)

        monkeypatch.setattr(os, "fsync", flush)
        assert write_atomically(tmp_path / "file", b"new", durable=True) is True
        with AtomicFile(tmp_path) as file:
            file.write(b"newer")
            file.publish(tmp_path / "file", durable=True)
        assert (tmp_path / "file").read_bytes() == b"newer"

    def test_a_directory_on_a_broken_disk_is_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(OSError, match="fsync: Input/output error") as caught:
            write_atomically(tmp_path / "file", b"new", durable=True)
        assert caught.value.filename == str(tmp_path)

    @pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
    def test_where_the_mount_decides_over_modes_files_are_written_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        def refused(path: object, mode: int) -> None:
            raise OSError(number, os.strerror(number))

        before = os.umask(0o077)
        monkeypatch.setattr(os, "chmod", refused)
        try:
            write_atomically(tmp_path / "a" / "file", b"new")
        finally:
            os.umask(before)
        assert (tmp_path / "a" / "file").read_bytes() == b"new"


CALLS = ["open", "write", "fsync", "rename", "mkdir", "unlink", "rmdir", "stat", "utime", "close", "chmod"]


@pytest.mark.parametrize("call", CALLS)
def test_whatever_the_system_refuses_names_path_and_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """As the system does it: without a path where the call took a descriptor."""
    home = tmp_path / "a"
    # Only where the umask takes something away is a mode changed.
    before = os.umask(0o077)
    really = getattr(os, call)
    used: list[str] = []

    def refused(*args: object, **kwargs: object) -> object:
        if call == "close" and used:
            return really(*args, **kwargs)
        used.append(call)
        if call == "close":
            really(*args)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def work() -> None:
        write_atomically(home / "file", b"new", durable=True, modified=lambda _: 1)
        files.size_of(home / "file")
        remove_file(home / "file")
        remove_directory_if_empty(home)

    monkeypatch.setattr(os, call, refused)
    try:
        with pytest.raises(OSError, match="Input/output error") as caught:
            work()
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert used
    assert str(caught.value.strerror).startswith(f"{call}: ")
    assert str(caught.value.filename).startswith(str(home))


class TestRemoving:
    def test_a_file_once(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")

        assert remove_file(tmp_path / "file") is True
        assert remove_file(tmp_path / "file") is False
        assert remove_file(tmp_path / "no" / "file") is False

    def test_a_link_and_not_its_target(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x")
        (tmp_path / "link").symlink_to("file")

        assert remove_file(tmp_path / "link") is True
        assert (tmp_path / "file").exists()

    def test_only_empty_directories(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").write_bytes(b"x")

        assert remove_directory_if_empty(tmp_path / "empty") is True
        assert remove_directory_if_empty(tmp_path / "empty") is False
        assert remove_directory_if_empty(tmp_path / "full") is False
        assert remove_directory_if_empty(tmp_path / "full" / "file") is False
        assert (tmp_path / "full" / "file").exists()


class TestSweepLeftovers:
    @staticmethod
    def leave(path: Path, *, age: float) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        when = path.stat().st_mtime - age
        os.utime(path, (when, when))
        return path

    def test_removes_only_old_temporary_files(self, tmp_path: Path) -> None:
        old = self.leave(tmp_path / f"{TEMPORARY_PREFIX}old", age=7200)
        deep = self.leave(tmp_path / "a" / "b" / f"{TEMPORARY_PREFIX}old", age=7200)
        young = self.leave(tmp_path / f"{TEMPORARY_PREFIX}young", age=60)
        page = self.leave(tmp_path / "index.html", age=7200)

        assert sweep_leftovers(tmp_path, older_than=3600) == 2
        assert not old.exists()
        assert not deep.exists()
        assert young.exists()
        assert page.exists()

    def test_one_directory_alone(self, tmp_path: Path) -> None:
        self.leave(tmp_path / f"{TEMPORARY_PREFIX}old", age=7200)
        deep = self.leave(tmp_path / "a" / f"{TEMPORARY_PREFIX}old", age=7200)

        assert sweep_leftovers(tmp_path, older_than=3600, recursive=False) == 1
        assert deep.exists()

    def test_never_leaves_the_directory_through_a_link(self, tmp_path: Path) -> None:
        outside = self.leave(tmp_path / "outside" / f"{TEMPORARY_PREFIX}old", age=7200)
        (tmp_path / "inside").mkdir()
        (tmp_path / "inside" / "link").symlink_to(tmp_path / "outside")

        assert sweep_leftovers(tmp_path / "inside", older_than=3600) == 0
        assert outside.exists()

    def test_a_directory_that_is_not_there_has_no_leftovers(self, tmp_path: Path) -> None:
        assert sweep_leftovers(tmp_path / "no", older_than=0) == 0

    def test_clears_what_a_killed_writer_left(self, tmp_path: Path) -> None:
        program = (
            "import os, sys; from pathlib import Path; from pypi_mirror.disk.writing import AtomicFile; "
            "AtomicFile(Path(sys.argv[1])).write(b'half'); os.abort()"
        )
        include = str(Path(files.__file__).parents[2])
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            check=False,
            env={**os.environ, "PYTHONPATH": include},
        )

        assert len(leftovers(tmp_path)) == 1
        assert sweep_leftovers(tmp_path, older_than=0) == 1


def test_leftovers_of_other_writers_are_swept_and_ours_and_parts_stay(tmp_path: Path) -> None:
    with writing.AtomicFile(tmp_path) as ours:
        for name in (".tmp-0-1-2", ".tmp-x.whl.part", "x.whl", "x.whl.metadata"):
            (tmp_path / name).touch()
        writing.sweep_dead_writers(tmp_path, keep_suffix=".part")
        assert {path.name for path in tmp_path.iterdir()} == {
            ".tmp-x.whl.part", "x.whl", "x.whl.metadata", ours.temporary.name
        }  # fmt: skip


@pytest.mark.parametrize("meanwhile", ["made", "removed"])
def test_directories_that_another_process_makes_or_removes_meanwhile_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Of two batches that need ab/cd/, each makes ab/; one whose file did not come removes what is empty."""
    real, calls = os.mkdir, 0

    def mkdir(path: str, *mode: int) -> None:
        nonlocal calls
        calls += 1
        if meanwhile == "made" and calls == 1:
            real(tmp_path / "ab")
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        real(path, *mode)
        if meanwhile == "removed" and calls == 2:
            Path(path).rmdir()

    monkeypatch.setattr(os, "mkdir", mkdir)
    assert files.make_directories(str(tmp_path / "ab" / "cd"))
    assert (tmp_path / "ab" / "cd").is_dir()
