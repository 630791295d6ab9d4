"""Sizes, with and without units."""

import pytest

from pypi_mirror.options import BadValue
from pypi_mirror.options.sizes import parse_size_with_unit


@pytest.mark.parametrize(("text", "size"), [("500 MB", 500_000_000), ("500 B", 500), ("0", 0)])
def test_with_a_unit_a_size_is_read(text: str, size: int) -> None:
    assert parse_size_with_unit(text) == size


@pytest.mark.parametrize("text", ["500", "1.5"])
def test_a_number_alone_is_asked_for_its_unit(text: str) -> None:
    with pytest.raises(BadValue, match="has no unit"):
        parse_size_with_unit(text)
