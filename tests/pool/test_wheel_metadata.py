"""What is taken for a wheel's metadata, and what a wheel can do to those who look for it."""

import io
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.pool.wheel_metadata import wheel_metadata

NAME = "foo_bar-1.0-py3-none-any.whl"
INFO = "foo_bar-1.0.dist-info/METADATA"
METADATA = b"Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 1.0\nRequires-Dist: beta\n\nA text.\n"
MAX = 1024 * 1024


def wheel(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def found(tmp_path: Path, content: bytes, filename: str = NAME) -> bytes | None:
    path = tmp_path / filename
    path.write_bytes(content)
    return wheel_metadata(str(path), filename, max_bytes=MAX)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("filename", "info"),
    [
        (NAME, INFO),
        (NAME, "Foo.Bar-1.0.dist-info/METADATA"),
        ("Foo.Bar-1.0.0-1-cp312-cp312-win_amd64-null.whl", INFO),
    ],
)
def test_the_projects_own_metadata_byte_for_byte(tmp_path: Path, kind: int, filename: str, info: str) -> None:
    others = (
        ("other-1.0.dist-info/METADATA", b"Metadata-Version: 2.1\nName: other\nVersion: 1.0\n"),
        (f"foo_bar/_vendor/{INFO}", b"Metadata-Version: 2.1\nName: Foo.Bar\nVersion: 9\n"),
    )
    assert found(tmp_path, wheel(*others, (info, METADATA), kind=kind), filename) == METADATA


LEFT_OUT: dict[str, bytes | Sequence[tuple[str, bytes]]] = {
    "no archive": b"the bytes of a wheel",
    "nothing": b"",
    "an archive that is cut off": wheel((INFO, METADATA))[:-30],
    "no dist-info": [("foo_bar/__init__.py", b"")],
    "another project's": [("other-1.0.dist-info/METADATA", METADATA)],
    "the same member twice": [(INFO, METADATA), (INFO, METADATA + b"!")],
    "two directories": [(INFO, METADATA), ("foo.bar-1.0.dist-info/METADATA", METADATA)],
    "empty": [(INFO, b"")],
    "no metadata": [(INFO, b"<html></html>")],
    "without its version": [(INFO, METADATA.replace(b"Metadata-Version", b"X"))],
    "after a byte order mark": [(INFO, b"\xef\xbb\xbf" + METADATA)],
    "no UTF-8": [(INFO, METADATA + b"\xe9")],
    "of another name": [(INFO, METADATA.replace(b"Foo.Bar", b"other"))],
    "of an impossible name": [(INFO, METADATA.replace(b"Foo.Bar", b"-"))],
    "of another release": [(INFO, METADATA.replace(b"Version: 1.0", b"Version: 1.1"))],
    "of two names": [(INFO, b"Name: Foo.Bar\n" + METADATA)],
    "too large": [(INFO, METADATA + b"x" * MAX)],
    "a bomb": [(INFO, METADATA + bytes(200 * MAX))],
}


@pytest.mark.parametrize("content", LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_no_client_could_use_is_left_out(
    tmp_path: Path, content: bytes | Sequence[tuple[str, bytes]]
) -> None:
    assert found(tmp_path, content if isinstance(content, bytes) else wheel(*content)) is None


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_wheels_do_not_use(tmp_path: Path, kind: int) -> None:
    """Nothing bounds what a block of them expands to."""
    assert found(tmp_path, wheel((INFO, METADATA), kind=kind)) is None


def test_a_size_that_is_a_lie(tmp_path: Path) -> None:
    """The archive announces a few bytes and holds a bomb."""
    content = wheel((INFO, METADATA + bytes(50 * MAX)))
    true, small = struct.pack("<L", len(METADATA) + 50 * MAX), struct.pack("<L", len(METADATA))
    tracemalloc.start()
    assert found(tmp_path, content.replace(true, small)) is None
    assert tracemalloc.get_traced_memory()[1] < 8 * MAX
    tracemalloc.stop()


def test_a_list_of_members_without_end(tmp_path: Path) -> None:
    content = wheel((INFO, METADATA), *((f"{n:0400}", b"") for n in range(20_000)))
    tracemalloc.start()
    assert found(tmp_path, content) is None
    assert tracemalloc.get_traced_memory()[1] < 16 * MAX
    tracemalloc.stop()


@given(st.data())
def test_no_damage_is_an_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(wheel((INFO, METADATA), ("foo_bar/__init__.py", b"")))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert found(tmp_path_factory.mktemp("wheel"), bytes(content)) in (None, METADATA)
