"""The gzip twin of a page, whatever the page's size."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.pages.formats import compressed_twin


@given(
    st.lists(st.sampled_from([b"<a href=", b"\n", b"sha256=", b"0f" * 32, bytes(range(256))]), max_size=600)
)
def test_holds_the_page(parts: list[bytes]) -> None:
    page = b"".join(parts)
    assert gzip.decompress(compressed_twin(page)) == page


@pytest.mark.parametrize("size", [0, 1, 255, 256, 511, 512, 513, 32_767, 32_768, 32_769, 200_000])
def test_no_size_costs_compression(size: int) -> None:
    """A window as large as the page finds all that a larger one would."""
    page = (b'<a href="../../packages/%d">' * 8_000 % tuple(range(8_000)))[:size]
    assert gzip.decompress(compressed_twin(page)) == page
    assert len(compressed_twin(page)) <= len(zlib.compress(page, 6, wbits=31)) * 1.02 + 8
