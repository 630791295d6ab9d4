"""Which redirects are followed and which answers are worth another try."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamUnavailable
from pypi_mirror.transport.answers import failure, parse_retry_after, passes, redirect_target

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
    + [
        # HTTP's three forms of a date, all of them two minutes from now.
        ("Wed, 21 Oct 2015 07:30:00 GMT", 120.0),
        ("Wednesday, 21-Oct-15 07:30:00 GMT", 120.0),
        ("Wed Oct 21 07:30:00 2015", 120.0),
        ("Wed, 21 Oct 2015 07:27:59 GMT", 0.0),
        ("Mon, 21 Oct 1901 07:28:00 GMT", 0.0),
    ]
    + [
        (none, None)
        for none in (
            "",
            "soon",
            "-1",
            "1.5",
            "²",
            "Wed, 41 Oct 2015 07:28:00 GMT",
            "Wed, 21 Oct 99999 1:1:1 GMT",
        )
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    now = datetime(2015, 10, 21, 7, 28, tzinfo=UTC).timestamp()
    assert parse_retry_after(value, lambda: now) == seconds


@given(st.text(max_size=60))
def test_any_retry_after_is_read(value: str) -> None:
    seconds = parse_retry_after(value)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, UpstreamUnavailable), (429, UpstreamUnavailable), (403, UpstreamRefused), (400, UpstreamError)],
)
def test_an_answer_of_no_use_is_an_error_of_its_kind(status: int, error: type[UpstreamError]) -> None:
    made = failure(PAGE, status, 7.0)
    assert type(made) is error
    assert str(made) == f"{PAGE}: answered {status}"
    assert getattr(made, "retry_after", 7.0) == 7.0


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 522, 529, 530])
def test_troubles_that_pass(status: int) -> None:
    assert passes(status)


@pytest.mark.parametrize("status", [200, 206, 301, 304, 400, 401, 403, 404, 410, 416, 451, 501, 505])
def test_answers_that_stay(status: int) -> None:
    assert not passes(status)


def test_a_redirect_inside_is_not_followed() -> None:
    with pytest.raises(UpstreamMalformed, match="internal address"):
        redirect_target("https://index.example/x", "//[::1]/x", allow_non_https=True)
