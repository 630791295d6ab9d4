"""``disk-reserve``: shares and sizes, and what is neither."""

import pytest

from pypi_mirror.options.disk_reserve import DiskReserve, format_disk_reserve, parse_disk_reserve
from pypi_mirror.options.parsers import BadValue


@pytest.mark.parametrize(
    ("text", "reserve", "shown"),
    [
        ("5%", DiskReserve(percent=5), "5%"),
        ("0.5 %", DiskReserve(percent=0.5), "0.5%"),
        ("50GB", DiskReserve(bytes=50_000_000_000), "50GB"),
        ("50 gb", DiskReserve(bytes=50_000_000_000), "50GB"),
        ("1.5TB", DiskReserve(bytes=1_500_000_000_000), "1500GB"),
        ("3GiB", DiskReserve(bytes=3 * 1024**3), "3GiB"),
        ("1001", DiskReserve(bytes=1001), "1001"),
        ("0", DiskReserve(), "0"),
        ("0%", DiskReserve(), "0"),
    ],
)
def test_a_share_or_a_size(text: str, reserve: DiskReserve, shown: str) -> None:
    assert parse_disk_reserve(text) == reserve
    assert format_disk_reserve(reserve) == shown


@pytest.mark.parametrize("text", ["much", "5 percent", "-1GB", "5%%", "1e9", "50GBit", "GB", "1,5GB"])
def test_what_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadValue, match="write one like 5%, 50GB or 0"):
        parse_disk_reserve(text)


def test_a_share_that_leaves_nothing_to_use_is_refused() -> None:
    with pytest.raises(BadValue, match="from 0% to 90%"):
        parse_disk_reserve("95%")
