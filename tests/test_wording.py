"""Numbers, sizes and times as people are told them."""

import pytest

from pypi_mirror.wording import count, duration, moment_of, size, some_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (2, "2 bytes"),
        (999, "999 bytes"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_500_000_000, "1.50 GB"),
        (10**14, "100 TB"),
        (5 * 10**18, "5000 PB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


def test_counts() -> None:
    assert [count(number, "file") for number in (0, 1, 1234)] == ["0 files", "1 file", "1,234 files"]


def test_of_many_names_the_first_are_said() -> None:
    names = [f"name-{number}" for number in range(1, 1_204)]
    assert [some_of(names[:number], 3) for number in (0, 1, 3)] == ["", "name-1", "name-1, name-2, name-3"]
    assert some_of(names, 3) == "name-1, name-2, name-3 and 1,200 more"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (172_799, "47 h 59 min"),
        (172_800, "2 days"),
        (86_400 * 1_000, "1,000 days"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_moments() -> None:
    assert moment_of(1_763_816_700.9) == "2025-11-22 13:05 UTC"
