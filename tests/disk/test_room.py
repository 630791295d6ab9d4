"""The reserve: when a sync stops, what it says, and how often it looks."""

import os
from pathlib import Path

import pytest

from pypi_mirror.disk import room as disk_room
from pypi_mirror.disk.room import Room, RoomGuard, room_of
from pypi_mirror.errors import DiskFull
from pypi_mirror.options.disk_reserve import DiskReserve

GB = 10**9
HALF = Room(free=50 * GB, size=100 * GB, free_inodes=500, inodes=1000, read_only=False)


class Disk:
    """What ``room_of`` finds, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: Room) -> None:
        self.room = room
        self.looks = 0
        self.now = 1000.0
        monkeypatch.setattr(disk_room, "room_of", self)
        monkeypatch.setattr("pypi_mirror.disk.room.time.monotonic", lambda: self.now)

    def __call__(self, _path: Path) -> Room:
        self.looks += 1
        return self.room


def room(*, free: int = 50 * GB, free_inodes: int = 500, inodes: int = 1000) -> Room:
    return Room(free=free, size=100 * GB, free_inodes=free_inodes, inodes=inodes, read_only=False)


@pytest.mark.parametrize(
    ("found", "reserve", "more", "said"),
    [
        (room(), DiskReserve(percent=50), 0, None),
        (room(), DiskReserve(percent=51), 0, r"50\.0 GB of 100 GB left.* disk-reserve keeps 51\.0 GB"),
        (room(), DiskReserve(bytes=50 * GB), 0, None),
        (room(), DiskReserve(bytes=50 * GB), 1, r"and 1 byte more to come"),
        (room(), DiskReserve(bytes=51 * GB), 0, r"keeps 51\.0 GB free"),
        (room(), DiskReserve(bytes=10 * GB), 41 * GB, r"41\.0 GB more to come"),
        (room(free_inodes=49), DiskReserve(percent=5), 0, r"49 of 1,000 inodes left.* keeps 50 inodes"),
        (room(free_inodes=9), DiskReserve(bytes=GB), 0, r"9 of 1,000 inodes left"),
        (room(free_inodes=10), DiskReserve(bytes=GB), 0, None),
        (room(free_inodes=0, inodes=0), DiskReserve(percent=5), 0, None),
        (room(free=0, free_inodes=0), DiskReserve(), 10 * GB, None),
    ],
)
def test_when_it_stops(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: Room,
    reserve: DiskReserve,
    more: int,
    said: str | None,
) -> None:
    Disk(monkeypatch, found)
    guard = RoomGuard([tmp_path], reserve)
    if said is None:
        guard.check(more)
        return
    with pytest.raises(DiskFull, match=said) as caught:
        guard.check(more)
    assert str(caught.value).startswith(f"{tmp_path}: the disk has ")
    assert "make room" in str(caught.value)
    assert not caught.value.retryable


def test_small_files_share_one_look_a_second_and_a_large_one_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, HALF)
    guard = RoomGuard([tmp_path], DiskReserve(percent=10))
    for _ in range(5):
        guard.before(1000)
    assert disk.looks == 1
    disk.now += 1
    guard.before(0)
    assert disk.looks == 2
    with pytest.raises(DiskFull):
        guard.before(41 * GB)
    assert disk.looks == 3


def test_a_run_that_only_removes_is_not_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, room(free=0))
    guard = RoomGuard([tmp_path], DiskReserve(percent=10))
    guard.meanwhile()
    assert disk.looks == 0
    with pytest.raises(DiskFull):
        guard.before(1)
    with pytest.raises(DiskFull):
        guard.meanwhile()


def test_each_disk_is_looked_at_once_and_what_is_not_there_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, HALF)
    RoomGuard([tmp_path, tmp_path, tmp_path / "nowhere"], DiskReserve(percent=10)).check()
    assert disk.looks == 1


def test_the_room_is_what_the_system_says(tmp_path: Path) -> None:
    found = room_of(tmp_path)
    asked = os.statvfs(tmp_path)
    assert found.size == asked.f_blocks * asked.f_frsize
    assert 0 < found.free <= found.size
    assert not found.read_only
