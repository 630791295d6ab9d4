"""The addresses of a file where there is a ``download-mirror``."""

import pytest

from pypi_mirror.pool.sources import Sources

HASHES = (("sha256", "0" * 64),)
URL = "https://files.example/packages/aa/bb/cc/alpha-1.0.tar.gz"


def test_without_a_mirror_files_come_from_where_the_page_says() -> None:
    assert Sources().of(URL, HASHES) == (URL,)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (URL, "packages/aa/bb/cc/alpha-1.0.tar.gz"),
        ("https://files.example/pypi/packages/aa/bb/cc/a.whl", "packages/aa/bb/cc/a.whl"),
        ("https://index.example/wheels/a%2B1.whl", "wheels/a%2B1.whl"),
    ],
)
def test_the_mirror_has_files_at_the_paths_of_the_pool(url: str, path: str) -> None:
    assert Sources("https://near.example/pypi").of(url, HASHES) == (f"https://near.example/pypi/{path}", url)
    assert Sources("https://near.example", fallback=False).of(url, HASHES) == (
        f"https://near.example/{path}",
    )


@pytest.mark.parametrize("fallback", [True, False])
@pytest.mark.parametrize("hashes", [(), (("crc32", "00"),)])
def test_nothing_comes_from_the_mirror_that_no_digest_vouches_for(
    hashes: tuple[tuple[str, str], ...], fallback: bool
) -> None:
    assert Sources("https://near.example", fallback=fallback).of(URL, hashes) == (URL,)
