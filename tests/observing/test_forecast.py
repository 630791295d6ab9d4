"""Where a disk is heading."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from pypi_mirror.observing.history import Forecast, forecast

DAY = 24 * 3600
START = 1_700_000_000
GB = 10**9
UNKNOWN = Forecast(full_at=None, bytes_a_day=None)


def growing(
    days: float, a_day: float, *, every: float = 0.25, start: float = 100 * GB
) -> list[tuple[int, int]]:
    number = int(days / every) + 1
    return [(START + int(i * every * DAY), int(start + i * every * a_day)) for i in range(number)]


def test_a_disk_that_fills_evenly() -> None:
    used = growing(7, 10 * GB)
    found = forecast(used, room=100 * GB)
    assert found.bytes_a_day == 10 * GB
    assert found.full_at == datetime.fromtimestamp(used[-1][0], UTC) + timedelta(days=10)


@pytest.mark.parametrize(
    "used",
    [
        [],
        [(START, 1)],
        growing(0.9, GB, every=0.1),
        growing(5, GB, every=1.25),
        # Six samples, all of one moment.
        [(START, number) for number in range(6)],
    ],
    ids=["none", "one", "too short", "too few", "one moment"],
)
def test_with_too_little_to_go_by_nothing_is_said(used: list[tuple[int, int]]) -> None:
    assert forecast(used, room=GB) == UNKNOWN


@pytest.mark.parametrize("a_day", [0, -5 * GB])
def test_a_disk_that_does_not_fill(a_day: int) -> None:
    assert forecast(growing(7, a_day), room=GB) == Forecast(full_at=None, bytes_a_day=a_day)


def test_a_disk_that_lasts_for_ages_is_not_said_to_be_full_one_day() -> None:
    assert forecast(growing(7, 1_000), room=10**12) == Forecast(full_at=None, bytes_a_day=1_000)


def test_without_room_it_is_full_now() -> None:
    used = growing(7, GB)
    assert forecast(used, room=-5).full_at == datetime.fromtimestamp(used[-1][0], UTC)


def test_a_backup_that_lay_there_for_a_day_changes_little() -> None:
    plain = growing(7, 10 * GB)
    disturbed = [(at, size + (200 * GB if 2 * DAY <= at - START < 3 * DAY else 0)) for at, size in plain]
    found = forecast(disturbed, room=100 * GB)
    assert found.bytes_a_day == pytest.approx(10 * GB, rel=0.15)


def test_a_sweep_does_not_look_like_a_disk_that_empties() -> None:
    swept = [(at, size - (30 * GB if at - START >= 6 * DAY else 0)) for at, size in growing(7, 10 * GB)]
    found = forecast(swept, room=100 * GB)
    assert found.bytes_a_day is not None
    assert found.bytes_a_day > 5 * GB


def test_noise_averages_out() -> None:
    chance = random.Random(7)
    noisy = [(at, size + chance.randrange(-GB, GB)) for at, size in growing(7, 10 * GB)]
    assert forecast(noisy, room=100 * GB).bytes_a_day == pytest.approx(10 * GB, rel=0.05)
