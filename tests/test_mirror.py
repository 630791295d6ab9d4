"""What the settings allow a run is cut into parts for those that are at work at once."""

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.cli.processes import Shared, run_all
from pypi_mirror.mirror import Mirror, open_mirror, share
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings


def settings_of(directory: Path, **mirror: Any) -> Settings:
    path = directory / "mirror.conf"
    options = {"directory": directory / "mirror", "master": "https://index.example", **mirror}
    path.write_text("[mirror]\n" + "".join(f"{key.replace('_', '-')} = {v}\n" for key, v in options.items()))
    return read_settings(path, {})


@pytest.mark.parametrize("workers", [1, 2, 7, 128, 256])
@pytest.mark.parametrize("sharers", [1, 2, 3, 4, 7])
def test_the_parts_together_are_no_more_than_the_whole(workers: int, sharers: int) -> None:
    part = share(workers, sharers)
    assert part >= 1
    # Where there are more parts than requests, each needs one all the same: callers start no more parts.
    assert part * sharers <= max(workers, sharers)
    assert (part + 1) * sharers > workers


def test_a_transport_has_its_part_of_requests_and_bandwidth(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, workers=30, bandwidth_limit="20MB/s")
    with open_mirror(settings) as mirror:
        whole, quarter = mirror.transport(), mirror.transport(sharers=4)
    assert (whole._concurrency.most, quarter._concurrency.most) == (30, 7)
    assert whole._bandwidth is not None
    assert quarter._bandwidth is not None
    assert (whole._bandwidth.rate, quarter._bandwidth.rate) == (20_000_000, 5_000_000)


def sharers_of(piece: int, _: Mirror, shared: Shared[object]) -> tuple[int, int]:
    return piece, shared.sharers


@pytest.mark.parametrize(
    ("workers", "asked", "pieces", "sharers"), [(128, 4, 8, 4), (3, 4, 8, 3), (128, 4, 2, 2), (1, 4, 8, 1)]
)
def test_no_more_processes_share_the_limits_than_are_at_work(
    tmp_path: Path, workers: int, asked: int, pieces: int, sharers: int
) -> None:
    work = [partial(sharers_of, piece) for piece in range(pieces)]
    with open_mirror(settings_of(tmp_path, workers=workers)) as mirror:
        told = run_all(mirror, work, processes=asked, progress=nullcontext(lambda _: None))
    assert sorted(told) == [(piece, sharers) for piece in range(pieces)]
