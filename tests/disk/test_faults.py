"""What a person reads when the disk is at fault."""

import errno
from pathlib import Path

import pytest

from pypi_mirror.disk import faults as disk_faults
from pypi_mirror.disk.faults import named_disk_faults
from pypi_mirror.disk.files import _DISK_FAULTS
from pypi_mirror.disk.room import Room
from pypi_mirror.errors import DiskFault


def raised(places: list[Path], error: OSError) -> str:
    with pytest.raises(DiskFault) as caught, named_disk_faults(places):
        raise error
    assert caught.value.__cause__ is error
    assert not caught.value.retryable
    return str(caught.value)


@pytest.mark.parametrize("number", sorted(_DISK_FAULTS))
def test_every_fault_of_the_disk_has_advice_and_names_the_path(number: int, tmp_path: Path) -> None:
    said = raised([tmp_path], OSError(number, "the system's word", "/srv/pypi/web/packages/x"))
    assert said.startswith("/srv/pypi/web/packages/x: the system's word; ")
    assert "sync again" in said
    assert said.endswith("what was finished is kept and served")


def test_an_error_without_a_path_is_of_the_disk_that_looks_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = tmp_path / "pool"
    rooms = {tmp_path: 5, pool: 0}
    monkeypatch.setattr(
        disk_faults,
        "room_of",
        lambda place: Room(free=rooms[place], size=9, free_inodes=1, inodes=9, read_only=place == pool),
    )
    for number in (errno.ENOSPC, errno.EROFS):
        assert raised([tmp_path, pool], OSError(number, "word")).startswith(f"{pool}: word; ")
    assert raised([tmp_path, pool], OSError(errno.EIO, "word")).startswith(f"{tmp_path}: word; ")


def test_no_inodes_are_told_from_no_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(free=5, size=9, free_inodes=0, inodes=1000, read_only=False)
    monkeypatch.setattr(disk_faults, "room_of", lambda _place: room)
    said = raised([tmp_path], OSError(errno.ENOSPC, "No space left on device", f"{tmp_path}/a/b"))
    assert "No space left on device (it has room, but all its 1,000 inodes are in use); make room" in said


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EISDIR, errno.ESTALE, errno.EBUSY])
def test_what_one_path_is_refused_for_names_it_and_what_to_do(number: int, tmp_path: Path) -> None:
    said = raised([tmp_path], OSError(number, "rename: the system's word", "/srv/pypi/web/simple/x"))
    assert said.startswith("/srv/pypi/web/simple/x: rename: the system's word; ")
    assert "sync again" in said


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "x"), ProcessLookupError(errno.ESRCH, "x")])
def test_what_is_about_no_file_passes_as_it_is(error: OSError, tmp_path: Path) -> None:
    with pytest.raises(type(error)), named_disk_faults([tmp_path]):
        raise error
