"""Links lead to the file from where the page is served."""

from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.pages.links import PoolLinks, UpstreamLinks, quote_path
from tests.pages.samples import pooled

FILE = pooled("foo_bar-1.0-py3-none-any.whl")


@pytest.mark.parametrize("prefix", ["", "/pypi", "/deep/er"])
def test_relative_links_hold_under_any_prefix(prefix: str) -> None:
    site = f"https://mirror.example{prefix}"

    link = PoolLinks(public_url=site).file(FILE)
    assert urljoin(f"{site}/simple/foo-bar/", link) == f"{site}/{FILE.path}"


@pytest.mark.parametrize("root_uri", ["https://files.example/pool", "https://files.example/pool/"])
def test_root_uri_makes_links_absolute(root_uri: str) -> None:
    links = PoolLinks(public_url="https://mirror.example", root_uri=root_uri)

    assert links.file(FILE) == f"https://files.example/pool/{FILE.path}"
    assert links.provenance(FILE) == f"https://files.example/pool/{FILE.path}.provenance"


def test_provenance_has_a_fully_qualified_address() -> None:
    """PEP 740 asks for it."""
    links = PoolLinks(public_url="https://mirror.example/pypi")

    assert links.provenance(FILE) == f"https://mirror.example/pypi/{FILE.path}.provenance"


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("a/foo-1!2.0+local.1.whl", "a/foo-1!2.0+local.1.whl"),
        ("a/b c%20#?.zip", "a/b%20c%2520%23%3F.zip"),
        ("a/ä.zip", "a/%C3%A4.zip"),
        ('a/"<>\\.zip', "a/%22%3C%3E%5C.zip"),
    ],
)
def test_only_what_a_path_cannot_hold_is_encoded(path: str, quoted: str) -> None:
    assert quote_path(path) == quoted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_path_is_nothing_but_a_path(path: str) -> None:
    parts = urlsplit(f"https://mirror.example/{quote_path(path)}")

    assert (parts.query, parts.fragment) == ("", "")
    assert unquote(parts.path) == f"/{path}"


def test_a_mirror_without_files_links_to_upstreams() -> None:
    links = UpstreamLinks()

    assert links.file(FILE) == links.absolute(FILE) == FILE.remote.url
