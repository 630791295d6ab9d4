"""Control calls: tried again on what passes, bounded in bytes and time, redirected under the same rules."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.transport.answers import Lead
from pypi_mirror.transport.messages import Response
from pypi_mirror.transport.patience import Patience
from pypi_mirror.transport.transfer import USER_AGENT
from pypi_mirror.transport.zones import AddressGuard
from pypi_mirror.upstream.control import Control
from tests.transport.names import Leads
from tests.upstream.raw_server import Heard, Say, answer, saying


@contextmanager
def control(
    *,
    pauses: list[float] | None = None,
    attempts: int = 3,
    proxy: str | None = None,
    timeout: float = 5,
    global_timeout: float = 60,
    home: str | None = None,
    now: float = 0,
) -> Iterator[Control]:
    made = Control(
        timeout=timeout,
        global_timeout=global_timeout,
        proxy=proxy,
        patience=Patience(attempts=attempts),
        pause=([] if pauses is None else pauses).append,
        address_guard=None if home is None else AddressGuard(home),
        now=lambda: now,
    )
    try:
        yield made
    finally:
        made.close()


def get(made: Control, url: str, max_bytes: int = 1000) -> Response:
    return made.call("GET", url, headers={"Accept": "a/b"}, max_bytes=max_bytes)


def test_an_answer_with_its_headers() -> None:
    with saying(lambda _: answer(200, b"hello", "ETag: x")) as server, control() as made:
        said = get(made, f"{server.url}/x")

    assert (said.status, said.body, said.headers["etag"], said.url) == (200, b"hello", "x", f"{server.url}/x")
    assert (server.heard[0].headers["user-agent"], server.heard[0].headers["accept"]) == (USER_AGENT, "a/b")


def test_compressed_and_chunked_bodies() -> None:
    zipped = gzip.compress(b"hello")
    whole = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in zipped) + b"0\r\n\r\n"
    with saying(lambda _: Say(data=whole + chunks)) as server, control() as made:
        assert get(made, server.url).body == b"hello"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 520])
def test_what_passes_is_tried_again_with_growing_pauses(status: int) -> None:
    pauses: list[float] = []
    answers = iter([answer(status), answer(status), answer(200, b"x")])
    with saying(lambda _: next(answers)) as server, control(pauses=pauses) as made:
        assert get(made, server.url).body == b"x"
        assert made.calls == 3

    assert len(pauses) == 2
    assert pauses[0] < pauses[1]


@pytest.mark.parametrize(
    "say", [answer(503, b"", "Retry-After: 7"), Say(close=True), answer(200, b"x", length=9, close=True)]
)
def test_in_the_end_upstream_is_unavailable(say: Say) -> None:
    with saying(lambda _: say) as server, control() as made, pytest.raises(UpstreamUnavailable) as caught:
        get(made, server.url)

    assert len(server.heard) == 3
    assert caught.value.retry_after == (7 if say.data.startswith(b"HTTP/1.1 503") else None)


@pytest.mark.parametrize(("asked", "longest"), [("7", 7), ("100000", 60), ("²", 1.1)])
def test_upstream_may_ask_for_a_longer_pause_within_bounds(asked: str, longest: float) -> None:
    pauses: list[float] = []
    answers = iter([answer(429, b"", f"Retry-After: {asked}"), answer()])
    with saying(lambda _: next(answers)) as server, control(pauses=pauses) as made:
        get(made, server.url)

    assert longest * 0.8 <= pauses[0] <= longest


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 501])
def test_what_does_not_pass_is_an_answer(status: int) -> None:
    with saying(lambda _: answer(status)) as server, control() as made:
        assert get(made, server.url).status == status
    assert len(server.heard) == 1


def test_a_refused_connection_is_named_plainly() -> None:
    with saying(lambda _: answer()) as server:
        pass
    with control() as made, pytest.raises(UpstreamUnavailable) as caught:
        get(made, server.url)

    assert "refused; check [mirror] master" in str(caught.value)
    assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("body", [b"x" * 1001, gzip.compress(b"\0" * 10_000_000)], ids=["plain", "bomb"])
def test_a_body_has_a_bound(body: bytes) -> None:
    headers = ("Content-Encoding: gzip",) if body[0] == 0x1F else ()
    max_bytes = 1000 if body[0] != 0x1F else 100_000
    with (
        saying(lambda _: answer(200, body, *headers)) as server,
        control() as made,
        pytest.raises(UpstreamMalformed, match="larger than"),
    ):
        get(made, server.url, max_bytes)


def test_a_broken_encoding_is_worth_another_try() -> None:
    with (
        saying(lambda _: answer(200, b"no gzip", "Content-Encoding: gzip")) as server,
        control() as made,
        pytest.raises(UpstreamUnavailable, match="cannot be read"),
    ):
        get(made, server.url)


HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GZIP_HEAD = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("whole", "drops"),
    [
        (b"", b"HTTP/1.1 200 " + b"K" * 500),
        (b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n" * 500),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 500),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 500),
        (HEAD, b"1\r\nx\r\n" * 500),
        (HEAD + b"1;", b"ext=x;" * 500),
        (HEAD + b"0\r\n", b"X-Trailer: y\r\n" * 500),
        # The header of a gzip file may hold a name of any length.
        (GZIP_HEAD + b"\x1f\x8b\x08\x08" + bytes(6), b"n" * 500),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"x" * 500),
        (b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 500\r\n\r\n", b"x" * 500),
    ],
    ids=[
        "status line", "headers", "a header", "100", "103", "chunks", "chunk extension", "trailers",
        "gzip header", "body", "redirect",
    ],
)  # fmt: skip
def test_a_server_that_drips_does_not_hold_us(whole: bytes, drops: bytes) -> None:
    """Every byte comes in time, the whole never does; the tries share the time that one call has."""
    with (
        saying(lambda _: Say(data=whole, drops=drops, hang=True)) as server,
        control(attempts=3, global_timeout=0.3) as made,
        pytest.raises(UpstreamUnavailable, match="timed out"),
    ):
        get(made, server.url)
    assert made.calls == 1


def test_redirects_share_the_time_of_a_call() -> None:
    away = Say(data=b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 8\r\n\r\n", drops=b"x" * 8)
    with (
        saying(lambda _: away) as server,
        control(attempts=1, global_timeout=0.2) as made,
        pytest.raises(UpstreamUnavailable, match="timed out"),
    ):
        get(made, server.url)
    assert len(server.heard) <= 3


def test_a_silent_server_is_given_up() -> None:
    with (
        saying(lambda _: Say(hang=True)) as server,
        control(attempts=1, timeout=0.5) as made,
        pytest.raises(UpstreamUnavailable, match="timed out"),
    ):
        get(made, server.url)


def test_redirects_of_a_get_are_followed() -> None:
    script = {"/1": answer(301, b"", "Location: /2"), "/2": answer(200, b"here")}
    with saying(lambda heard: script[heard.path]) as server, control() as made:
        said = get(made, f"{server.url}/1")

    assert (said.url, said.body) == (f"{server.url}/2", b"here")
    assert server.heard[1].headers["accept"] == "a/b"


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://a:b@127.0.0.1/"])
def test_redirects_elsewhere_are_refused(location: str) -> None:
    with (
        saying(lambda _: answer(302, b"", f"Location: {location}")) as server,
        control() as made,
        pytest.raises(UpstreamMalformed, match="not followed"),
    ):
        get(made, server.url)


def test_redirects_have_an_end() -> None:
    with (
        saying(lambda _: answer(302, b"", "Location: /again")) as server,
        control() as made,
        pytest.raises(UpstreamMalformed, match="more than 5 redirects"),
    ):
        get(made, server.url)
    assert len(server.heard) == 6


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_post_is_not_sent_elsewhere(status: int) -> None:
    with saying(lambda _: answer(status, b"", "Location: /2")) as server, control() as made:
        assert made.call("POST", server.url, data=b"x", max_bytes=10).status == status
    assert [(heard.method, heard.body) for heard in server.heard] == [("POST", b"x")]


def test_a_proxy_is_asked_for_the_whole_address() -> None:
    with saying(lambda _: answer(200, b"by proxy")) as server, control(proxy=server.url) as made:
        assert get(made, "http://index.example/simple/").body == b"by proxy"
    assert server.heard[0].path == "http://index.example/simple/"


def test_a_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with saying(lambda _: answer()) as server, control() as made:
        get(made, server.url)

    assert "authorization" not in server.heard[0].headers


def test_an_address_that_is_none() -> None:
    with control() as made, pytest.raises(UpstreamError):
        get(made, "http://")


def test_calls_share_a_connection() -> None:
    def script(heard: Heard) -> Say:
        return answer(200, heard.path.encode())

    with saying(script) as server, control() as made:
        assert [get(made, f"{server.url}/{n}").body for n in range(3)] == [b"/0", b"/1", b"/2"]
    assert server.connections == 1


def test_a_name_that_leads_inside_is_not_asked(leads: Leads) -> None:
    with saying(lambda _: answer()) as server, control(home="http://index.example") as made:
        port = server.url.rpartition(":")[2]
        leads(f"other.example:{port}:127.0.0.1")
        with pytest.raises(
            UpstreamMalformed, match=r"other\.example leads to 127\.0\.0\.1, an internal address"
        ):
            get(made, f"http://other.example:{port}/")
        assert made.calls == 1
    assert server.connections == 0


def test_a_redirect_to_a_name_that_leads_inside_is_refused(leads: Leads) -> None:
    away = answer(302, b"", "Location: http://meta.example/latest/")
    with saying(lambda _: away) as server, control(home="http://index.example") as made:
        port = server.url.rpartition(":")[2]
        leads(f"index.example:{port}:127.0.0.1", "meta.example:80:169.254.169.254")
        with pytest.raises(UpstreamMalformed, match=r"meta\.example leads to 169\.254\.169\.254"):
            get(made, f"http://index.example:{port}/")


def test_a_name_that_leads_nowhere_is_named() -> None:
    with (
        control(home="http://index.example", attempts=1) as made,
        pytest.raises(UpstreamUnavailable, match=r"check \[mirror\] master"),
    ):
        get(made, "http://nobody.invalid/")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_tells_how_far_our_clock_is_ahead(method: str) -> None:
    dated = "Date: Thu, 01 Jan 1970 00:10:00 GMT"
    first, busy = answer(200, b"", dated, "Age: 60"), answer(503, b"", "Date: Thu, 01 Jan 1970 00:15:00 GMT")
    answers = iter([first, busy, answer(200, b"")])
    with saying(lambda _: next(answers)) as server, control(now=1000) as made:
        assert made.lead is None
        made.call(method, server.url, max_bytes=0)
        assert made.lead == Lead(least=340, most=400)
        made.call(method, server.url, max_bytes=0)
        assert made.lead == Lead(least=100, most=100)
