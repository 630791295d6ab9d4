"""The reserve counts every byte that a sync writes, whether a page states its size or not."""

from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.disk import room as disk_room
from pypi_mirror.disk.room import Room
from pypi_mirror.errors import DiskFull
from pypi_mirror.options.disk_reserve import DiskReserve
from tests.runs.bench import MakeBench
from tests.warehouse import Behaviour, RemoveFile, RemoveProject, Upload, Wheel, Yank
from tests.warehouse.behaviour import HTML_ONLY, PYPI
from tests.warehouse.events import BackfillProvenance

MB = 1_000_000


def used(web: Path) -> int:
    return sum(path.stat().st_size for path in web.rglob("*") if path.is_file())


class SmallDisk:
    """A disk of ``size`` bytes that holds web/ and nothing else; ``least`` is the least that was free."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, web: Path, size: int) -> None:
        self.size = self.least = size
        self._web = web
        monkeypatch.setattr(disk_room, "room_of", self)
        # Every look counts here, as at the end of a long second.
        monkeypatch.setattr(disk_room, "_SECONDS", 0.0)

    @property
    def free(self) -> int:
        free = self.size - used(self._web)
        self.least = min(self.least, free)
        return free

    def __call__(self, _path: Path) -> Room:
        return Room(free=self.free, size=self.size, free_inodes=9, inodes=9, read_only=False)


LONG = "".join(f"{number:x}" for number in range(400_000))


@pytest.mark.parametrize(
    ("behaviour", "events", "settings"),
    [
        pytest.param(
            HTML_ONLY, [Upload(distribution=Wheel(name="beta", size=12 * MB))], {}, id="unknown-size"
        ),
        pytest.param(
            PYPI,
            [Upload(distribution=Wheel(name="beta", description=LONG), core_metadata=True)],
            # The wheel itself is compressed, and small beside its metadata.
            {},
            id="metadata",
        ),
        pytest.param(
            PYPI,
            [
                Upload(distribution=Wheel(name="beta")),
                BackfillProvenance(
                    project="beta", filename="beta-1.0-py3-none-any.whl", bundles=f'["{LONG}"]'
                ),
            ],
            {},
            id="provenance",
        ),
        pytest.param(
            PYPI,
            [Upload(distribution=Wheel(name="beta", version=f"1.{n}")) for n in range(400)],
            {"release_files": False},
            id="pages",
        ),
    ],
)
def test_what_a_sync_writes_leaves_the_reserve(
    bench: MakeBench,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    events: list[Any],
    settings: dict[str, Any],
) -> None:
    made = bench(Upload(distribution=Wheel(name="alpha")), behaviour=behaviour, workers=1, **settings)
    made.sync()
    room = 150_000 if settings else MB
    disk = SmallDisk(monkeypatch, made.web, used(made.web) + 2 * room)
    made.change(disk_reserve=DiskReserve(bytes=room))
    made.server.apply(*events)
    with pytest.raises(DiskFull, match="disk-reserve"):
        made.sync()
    # But for what the mirror says of itself at the end, and a part that is cut off.
    assert disk.least >= room - 100_000
    assert made.listed("alpha") == ["alpha-1.0-py3-none-any.whl"]


def test_what_only_takes_away_goes_on_without_room(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"p{number}" for number in range(12)]
    made = bench(
        *(Upload(distribution=Wheel(name=name, version=v)) for name in names for v in ("1.0", "2.0")),
    )
    made.sync()
    SmallDisk(monkeypatch, made.web, used(made.web) + 10_000)
    made.change(disk_reserve=DiskReserve(bytes=9 * MB))
    made.server.apply(
        RemoveProject(project="p0"),
        RemoveFile(project="p1", filename="p1-1.0-py3-none-any.whl"),
        Yank(project="p2", version="1.0", reason="broken"),
    )
    made.sync()
    assert not made.page_directory("p0").exists()
    assert made.listed("p1") == ["p1-2.0-py3-none-any.whl"]
    assert made.page("p2")["files"][0]["yanked"] == "broken"
