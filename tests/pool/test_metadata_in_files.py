"""Core metadata of wheels of which only the end is known, and of source archives."""

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pypi_mirror.pool.sdist_metadata import sdist_files, sdist_metadata
from pypi_mirror.pool.wheel_metadata import BytesMissing, WheelTail, metadata_in
from tests.warehouse import Sdist, Wheel

MAX = 100_000
METADATA = b"Metadata-Version: 2.1\nName: a\nVersion: 1\n\ntext"


def wheel(*, metadata_first: bool) -> bytes:
    members = [("a/data", b"x" * 50_000), ("a-1.dist-info/METADATA", METADATA), ("a-1.dist-info/RECORD", b"")]
    if metadata_first:
        members.sort()
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return written.getvalue()


def read_from_end(content: bytes, known: int) -> tuple[bytes | None, list[int]]:
    """What is found, and where each part began that had to be known for it."""
    starts = [max(0, len(content) - known)]
    while True:
        try:
            tail = WheelTail(content[starts[-1] :], len(content))
            return metadata_in(tail, "a-1-py3-none-any.whl", max_bytes=MAX), starts
        except BytesMissing as missing:
            starts.append(missing.start)


@pytest.mark.parametrize("metadata_first", [False, True])
@pytest.mark.parametrize("known", [0, 1, 21, 22, 100, 300, 1_000, 60_000])
def test_the_end_of_a_wheel_is_enough_or_says_what_is_missing(known: int, metadata_first: bool) -> None:
    found, starts = read_from_end(wheel(metadata_first=metadata_first), known)
    assert found == METADATA
    assert starts == sorted(set(starts), reverse=True)
    assert len(starts) <= 5


@pytest.mark.parametrize(
    "tail", [b"", b"PK", b"x" * 1000, wheel(metadata_first=False)[:-30]], ids=["empty", "PK", "x", "cut"]
)
def test_what_is_no_wheel_has_none(tail: bytes) -> None:
    try:
        assert metadata_in(WheelTail(tail, len(tail)), "a-1-py3-none-any.whl", max_bytes=MAX) is None
    except BytesMissing:
        pytest.fail("nothing is missing of what is whole")


def tar(*members: tuple[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def zipped(*members: tuple[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return written.getvalue()


@pytest.mark.parametrize("pack", [tar, zipped])
@pytest.mark.parametrize(
    ("members", "found"),
    [
        ((("a-1/setup.py", b""), ("a-1/PKG-INFO", METADATA)), METADATA),
        ((("./a-1/PKG-INFO", METADATA),), METADATA),
        ((("a-1/a.egg-info/PKG-INFO", b"other"), ("a-1/PKG-INFO", METADATA)), METADATA),
        ((("PKG-INFO", METADATA),), None),
        ((("a-1/PKG-INFO", b"x" * (MAX + 1)),), None),
        ((("a-1/setup.py", b""),), None),
    ],
)
def test_a_source_archive_has_it_in_its_top_directory(
    tmp_path: Path,
    pack: Callable[..., bytes],
    members: tuple[tuple[str, bytes], ...],
    found: bytes | None,
) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(pack(*members))
    assert sdist_metadata(str(path), path.name, max_bytes=MAX) == found


def test_the_stand_ins_source_archives_have_it(tmp_path: Path) -> None:
    made = Sdist(name="a", version="1", requires_dist=("lib",))
    content = made.content()
    path = tmp_path / made.file_name
    path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
    assert sdist_metadata(str(path), path.name, max_bytes=MAX) == made.core_metadata()


@pytest.mark.parametrize(
    "content",
    [b"", b"text", tar(("a-1/x", b"y" * 5000))[:-20], zipped(("a-1/x", b""))[:-5], b"\x1f\x8b\x08" * 9],
    ids=["empty", "text", "cut tar", "cut zip", "no gzip"],
)
def test_a_damaged_source_archive_has_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(content)
    assert sdist_metadata(str(path), path.name, max_bytes=MAX) is None


def test_a_wheel_of_the_stand_ins_is_read_from_its_end() -> None:
    content = Wheel(name="a", version="1", size=100_000).content()
    assert isinstance(content, bytes)
    assert read_from_end(content, 64 * 1024)[0] is not None


def raw_tar(*blocks: bytes) -> bytes:
    return gzip.compress(b"".join(blocks), compresslevel=1)


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    return entry.tobuf(tarfile.USTAR_FORMAT)


HOSTILE = {
    "a header of gigabytes": lambda: raw_tar(header("x", 5 << 30, tarfile.XHDTYPE)),
    "a long name of 100 MB": lambda: raw_tar(
        header("x", 100 << 20, tarfile.GNUTYPE_LONGNAME), bytes(100 << 20)
    ),
    "members without end": lambda: raw_tar(header("a-1/x", 0) * 80_000),
    "data without end": lambda: raw_tar(header("a-1/x", 400 << 20), bytes(300 << 20)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_source_archive_costs_no_memory(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(HOSTILE[name]())
    tracemalloc.start()
    try:
        assert sdist_files(str(path), ("pyproject.toml", "setup.py"), max_bytes=MAX) is None
        assert tracemalloc.get_traced_memory()[1] < 96 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pack", [tar, zipped])
def test_of_several_files_those_count_that_are_there(tmp_path: Path, pack: Callable[..., bytes]) -> None:
    path = tmp_path / "a-1.tar.gz"
    path.write_bytes(
        pack(("a-1/setup.py", b"one"), ("a-1/b/setup.cfg", b"two"), ("a-1/pyproject.toml", b"x" * (MAX + 1)))
    )
    names = ("pyproject.toml", "setup.py", "setup.cfg")
    assert sdist_files(str(path), names, max_bytes=MAX) == {"setup.py": b"one"}


def test_what_was_read_before_an_archive_broke_off_counts_with_the_first_file(tmp_path: Path) -> None:
    path = tmp_path / "a-1.tar.gz"
    cut = header("a-1/pyproject.toml", 3), b"yes".ljust(512, b"\0"), header("a-1/y", 400 << 20)
    path.write_bytes(raw_tar(*cut))
    assert sdist_files(str(path), ("pyproject.toml", "x"), max_bytes=MAX) == {"pyproject.toml": b"yes"}
    assert sdist_files(str(path), ("x", "pyproject.toml"), max_bytes=MAX) is None
