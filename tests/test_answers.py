"""Which redirects are followed and which answers are worth another try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.answers import parse_retry_after, passes, redirect_target
from pypi_mirror.errors import UpstreamMalformed

PAGE = "https://index.example/simple/alpha/"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/simple/beta/", "https://index.example/simple/beta/"),
        ("../beta/", "https://index.example/simple/beta/"),
        ("//files.example/x", "https://files.example/x"),
        ("https://files.example:8443/x?y=%20z", "https://files.example:8443/x?y=%20z"),
        ("/a b", "https://index.example/a%20b"),
        ("/caf\xc3\xa9", "https://index.example/caf%C3%A9"),
    ],
)
def test_addresses_that_are_followed(location: str, target: str) -> None:
    assert redirect_target(PAGE, location, allow_non_https=False) == target


@pytest.mark.parametrize(
    "location",
    [
        "http://index.example/simple/alpha/",
        "file:///etc/passwd",
        "ftp://files.example/x",
        "gopher://files.example/x",
        "https://user@files.example/x",
        "https://:secret@files.example/x",
        "https://files.example:port/x",
        "https://[::1/x",
    ],
)
def test_addresses_that_are_not(location: str) -> None:
    with pytest.raises(UpstreamMalformed, match="redirects to"):
        redirect_target(PAGE, location, allow_non_https=False)


def test_https_is_left_only_where_that_is_allowed() -> None:
    assert redirect_target(PAGE, "http://files.example/x", allow_non_https=True) == "http://files.example/x"
    assert redirect_target("http://127.0.0.1:1/", "/x", allow_non_https=False) == "http://127.0.0.1:1/x"


@given(st.text(st.characters(max_codepoint=255)))
def test_any_location_gives_an_ascii_http_address_or_is_refused(location: str) -> None:
    try:
        target = redirect_target(PAGE, location, allow_non_https=False)
    except UpstreamMalformed:
        return
    assert target.isascii()
    assert target.isprintable()
    assert target.startswith("https://")
    assert " " not in target


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("0", 0.0), ("9" * 400, float("inf"))]
    + [(none, None) for none in ("", "soon", "-1", "1.5", "²", "Wed, 21 Oct 2015 07:28:00 GMT")],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 522, 529, 530])
def test_troubles_that_pass(status: int) -> None:
    assert passes(status)


@pytest.mark.parametrize("status", [200, 206, 301, 304, 400, 401, 403, 404, 410, 416, 451, 501, 505])
def test_answers_that_stay(status: int) -> None:
    assert not passes(status)
