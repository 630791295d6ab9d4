"""Two that download one file at the same time: whatever gets the file's name is the file."""

import asyncio
import errno
import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.errors import FileBusy, MirrorError
from pypi_mirror.model import RemoteFile, path_of
from pypi_mirror.pool import Pool
from pypi_mirror.pool.layout import location_of
from pypi_mirror.pool.part import Part, download_once
from pypi_mirror.transport.messages import Request, Response
from pypi_mirror.transport.patience import Patience
from tests.upstream.fakes import FakeTransport, retries, said

DATA = os.urandom(1024) * 4096  # half of it is worth keeping
HALF = len(DATA) // 2
NAME = "alpha-1.0-py3-none-any.whl"
URL = f"https://files.example/x/{NAME}"
FILE = RemoteFile(
    filename=NAME, url=URL, hashes=(("sha256", hashlib.sha256(DATA).hexdigest()),), size=len(DATA)
)


def begun(final: Path, data: bytes = DATA) -> Part:
    """A download by somebody else, ``data`` of which has come."""
    part = Part(str(final.with_name(f".tmp-{final.name}.part")), FILE)
    part.start(200)
    part.write(data)
    part.flush()
    return part


def test_the_second_one_leaves_the_file_to_the_first(tmp_path: Path) -> None:
    final = tmp_path / NAME
    first = begun(final, DATA[:1000])
    with pytest.raises(FileBusy):
        asyncio.run(download_once(FakeTransport({URL: [said(DATA)]}), str(final), FILE))
    first.write(DATA[1000:])
    first.check()
    first.publish(str(final))

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [DATA]


@pytest.mark.parametrize("more", [DATA[HALF:], DATA[HALF:-1], b""], ids=["all", "some", "none"])
def test_what_another_is_still_writing_to_is_not_continued(tmp_path: Path, more: bytes) -> None:
    final = tmp_path / NAME
    first = begun(final, DATA[:HALF])

    class GoesOn(FakeTransport):
        async def get(self, request: Request) -> Response:
            first.write(more)
            first.flush()
            return await super().get(request)

    with pytest.raises(FileBusy):
        asyncio.run(download_once(GoesOn({URL: [said(DATA[HALF:], status=206)]}), str(final), FILE))
    first.write(DATA[HALF + len(more) :])
    first.check()
    first.publish(str(final))

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [DATA]


def test_what_another_left_longer_than_it_was_is_not_continued(tmp_path: Path) -> None:
    final = tmp_path / NAME
    first = begun(final, DATA[:HALF])

    class DiesLater(FakeTransport):
        async def get(self, request: Request) -> Response:
            first.write(DATA[HALF : HALF + 1000])
            first.flush()
            first.close()
            return await super().get(request)

    with pytest.raises(FileBusy):
        asyncio.run(download_once(DiesLater({URL: [said(DATA[HALF:], status=206)]}), str(final), FILE))
    rest = said(DATA[HALF + 1000 :], status=206)
    asyncio.run(download_once(FakeTransport({URL: [rest]}), str(final), FILE))

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [DATA]


def test_the_second_one_finds_what_the_first_has_brought(tmp_path: Path) -> None:
    final = tmp_path / path_of(location_of(NormalizedName("alpha"), FILE, FILE.sha256) or b"", NAME)
    final.parent.mkdir(parents=True)
    first = begun(final)

    async def meanwhile(_seconds: float, /) -> None:
        first.check()
        first.publish(str(final))

    transport = FakeTransport({URL: [said(DATA)]})
    made = retries(transport, Patience(sleep=meanwhile))
    pool = Pool(tmp_path, transport, made, compare_method="hash", core_metadata=True)
    acquired = asyncio.run(pool.acquire(NormalizedName("alpha"), FILE, None, verify=False))

    assert (acquired.files_downloaded, transport.requests, final.read_bytes() == DATA) == (0, 1, True)


@pytest.mark.parametrize(("left", "told"), [(HALF, HALF), (1000, len(DATA)), (0, len(DATA))])
def test_the_disk_needs_room_for_what_is_missing_alone(tmp_path: Path, left: int, told: int) -> None:
    final = tmp_path / path_of(location_of(NormalizedName("alpha"), FILE, FILE.sha256) or b"", NAME)
    final.parent.mkdir(parents=True)
    begun(final, DATA[:left]).close()
    answer = said(DATA[HALF:], status=206) if left == HALF else said(DATA)
    transport = FakeTransport({URL: [answer]})
    asked: list[int] = []
    pool = Pool(
        tmp_path,
        transport,
        retries(transport, Patience()),
        compare_method="hash",
        core_metadata=True,
        before_download=asked.append,
    )
    asyncio.run(pool.acquire(NormalizedName("alpha"), FILE, None, verify=False))
    assert asked == [told]
    assert final.read_bytes() == DATA


def open_locks(directory: Path) -> list[str]:
    """What of ``directory`` this process still has open: a lock lasts as long."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return [path for path in found if path.startswith(str(directory))]


@pytest.mark.parametrize("call", ["rename", "unlink", "ftruncate", "writev", "fstat", "stat"])
@pytest.mark.parametrize("data", [DATA, b"small"], ids=["large", "small"])
@pytest.mark.parametrize("left", [b"", b"x" * HALF], ids=["new", "left"])
def test_whatever_the_disk_refuses_leaves_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, data: bytes, left: bytes
) -> None:
    final = tmp_path / NAME
    file = replace(FILE, size=len(data), hashes=(("sha256", hashlib.sha256(data).hexdigest()),))
    if left:
        final.with_name(f".tmp-{NAME}.part").write_bytes(left)
    answer = said(data[len(left) :], status=206) if left and len(data) > len(left) else said(data)
    really = getattr(os, call)

    def refused(*args: object, **options: object) -> object:
        # What the test itself asks for goes on.
        if any(NAME in str(each) for each in args) or isinstance(args[0], int):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really(*args, **options)

    monkeypatch.setattr(os, call, refused)
    with suppress(OSError, MirrorError):
        asyncio.run(download_once(FakeTransport({URL: [answer]}), str(final), file))
    monkeypatch.undo()

    assert open_locks(tmp_path) == []
    asyncio.run(download_once(FakeTransport({URL: [said(data), said(data)]}), str(final), replace(file)))
    assert final.read_bytes() == data


class TestSmall:
    """A file that is taken as a whole."""

    DATA = b"the bytes of a wheel"
    FILE = RemoteFile(
        filename=NAME, url=URL, hashes=(("sha256", hashlib.sha256(DATA).hexdigest()),), size=len(DATA)
    )

    def download(self, final: Path) -> None:
        asyncio.run(download_once(FakeTransport({URL: [said(self.DATA)]}), str(final), self.FILE))

    def test_what_a_killed_try_left_is_written_over(self, tmp_path: Path) -> None:
        final = tmp_path / NAME
        final.with_name(f".tmp-{NAME}.part").write_bytes(b"longer than the file, and something else")
        self.download(final)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {NAME: self.DATA}

    def test_is_left_to_another_who_is_at_it(self, tmp_path: Path) -> None:
        final = tmp_path / NAME
        first = begun(final, self.DATA[:5])
        with pytest.raises(FileBusy):
            self.download(final)
        first.write(self.DATA[5:])
        first.publish(str(final))
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {NAME: self.DATA}

    def test_a_write_that_fails_leaves_nothing(self, tmp_path: Path) -> None:
        final = tmp_path / NAME
        final.mkdir()  # nothing can be renamed to it
        with pytest.raises(OSError, match=NAME):
            self.download(final)
        assert list(tmp_path.iterdir()) == [final]


class TestBlocks:
    """A large file is hashed and written block by block, beside the event loop."""

    def test_a_disk_that_fails_ends_the_download(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), NAME)

        def write(descriptor: int, pieces: list[bytes]) -> int:
            raise full

        monkeypatch.setattr(os, "writev", write)
        with pytest.raises(OSError, match="No space left") as raised:
            asyncio.run(download_once(FakeTransport({URL: [said(DATA)]}), str(tmp_path / NAME), FILE))
        assert raised.value is full
        assert list(tmp_path.iterdir()) == []

    def test_a_disk_that_takes_a_part_of_a_block_gets_the_rest(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As it may when it is nearly full, or asked by a signal."""
        monkeypatch.setattr(os, "writev", lambda descriptor, pieces: os.write(descriptor, pieces[0][:5]))
        final = tmp_path / NAME
        asyncio.run(download_once(FakeTransport({URL: [said(DATA)]}), str(final), FILE))
        assert final.read_bytes() == DATA

    def test_closing_waits_for_the_block_that_is_being_written(self, tmp_path: Path) -> None:
        """Or its descriptor is another file's by then."""
        final = tmp_path / NAME
        for _ in range(20):
            part = begun(final, b"")
            part.write(DATA[: 2**20])
            part.close()
            assert final.with_name(f".tmp-{NAME}.part").stat().st_size == 2**20
