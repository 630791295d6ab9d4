"""``bandwidth-limit`` in bytes and in bits, and what is not a rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.options.bandwidth import format_bandwidth, parse_bandwidth
from pypi_mirror.options.parsers import BadValue


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20MB/s", 20e6),
        ("20 mB/s", 20e6),
        ("100Mbit/s", 12.5e6),
        ("1gbit/s", 125e6),
        ("1.5MiB/s", 1.5 * 1024**2),
        ("10000B/s", 10e3),
    ],
)
def test_rates(text: str, rate: float) -> None:
    assert parse_bandwidth(text) == rate


@pytest.mark.parametrize("text", ["20", "20MB", "20Mb/s", "fast", "-1MB/s", "MB/s", "20 MB/h"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(BadValue, match="write one like 20MB/s or 100Mbit/s"):
        parse_bandwidth(text)


def test_too_little() -> None:
    with pytest.raises(BadValue, match="it begins at 10kB/s"):
        parse_bandwidth("1kB/s")


@given(st.integers(10_000, 10**12))
def test_what_is_shown_is_read_again(rate: int) -> None:
    assert parse_bandwidth(format_bandwidth(float(rate))) == rate
