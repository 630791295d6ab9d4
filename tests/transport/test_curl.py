"""The bulk transport against servers that do what servers do, and what they should not."""

import asyncio
import gzip
import logging
import time
from collections.abc import Callable
from typing import Any

import certifi
import pytest

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.transport.bandwidth import Bandwidth
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request, Response
from pypi_mirror.transport.transfer import USER_AGENT, ca_bundle
from tests.upstream.raw_server import Heard, Say, answer, saying


def transport(
    *,
    workers: int = 2,
    bandwidth: Bandwidth | None = None,
    timeout: float = 10,
    global_timeout: float = 10,
    proxy: str | None = None,
    allow_non_https: bool = False,
) -> CurlTransport:
    return CurlTransport(
        workers=workers,
        bandwidth=bandwidth,
        timeout=timeout,
        global_timeout=global_timeout,
        proxy=proxy,
        allow_non_https=allow_non_https,
    )


def ask(*requests: Request, through: CurlTransport | None = None) -> list[Response]:
    """The answers to ``requests``, one after the other over the same transport."""

    async def run() -> list[Response]:
        async with through or transport() as opened:
            return [await opened.get(request) for request in requests]

    return asyncio.run(run())


def always(say: Say) -> Callable[[Heard], Say]:
    return lambda _: say


class Collected:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.data = b""

    def start(self, status: int) -> None:
        self.started.append(status)

    def write(self, chunk: bytes, /) -> None:
        self.data += chunk


class Full(Collected):
    def write(self, chunk: bytes, /) -> None:
        raise OSError(28, "No space left on device")


class TestAnswers:
    def test_status_headers_and_body(self) -> None:
        with saying(always(answer(200, b"hello", 'ETag: "x"', "X-Two:  b  "))) as server:
            (response,) = ask(Request(url=f"{server.url}/a"))

        assert (response.status, response.body, response.url) == (200, b"hello", f"{server.url}/a")
        assert (response.headers["etag"], response.headers["x-two"]) == ('"x"', "b")
        assert server.heard[0].headers["user-agent"] == USER_AGENT

    @pytest.mark.parametrize("interim", ["HTTP/1.1 100 Continue", "HTTP/1.1 103 Early Hints\r\nETag: early"])
    def test_an_interim_answer_is_not_the_answer(self, interim: str) -> None:
        final = answer(404, b"").data
        with saying(always(Say(data=f"{interim}\r\nLink: </x>\r\n\r\n".encode() + final))) as server:
            (response,) = ask(Request(url=server.url))

        assert response.status == 404
        assert dict(response.headers) == {"content-length": "0"}

    def test_a_reason_with_a_colon_is_no_header(self) -> None:
        with saying(always(Say(data=b"HTTP/1.1 200 OK: fine\r\nContent-Length: 1\r\n\r\nx"))) as server:
            (response,) = ask(Request(url=server.url))

        assert (response.body, dict(response.headers)) == (b"x", {"content-length": "1"})

    def test_a_header_that_looks_like_a_status_line_is_none(self) -> None:
        sink = Collected()
        with saying(always(answer(404, b"no", "HTTP/: 200", "HTTP/1.1 200 : x"))) as server:
            (response,) = ask(Request(url=server.url, sink=sink))

        assert (response.status, sink.started) == (404, [])
        assert response.headers["content-length"] == "2"

    @pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("²", None), ("tomorrow", None)])
    def test_retry_after(self, said: str, seconds: float | None) -> None:
        with saying(always(answer(503, b"", f"Retry-After: {said}"))) as server:
            (response,) = ask(Request(url=server.url))

        assert response.retry_after == seconds

    def test_a_trailer_is_no_header(self) -> None:
        chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nETag: late\r\n\r\n"
        with saying(always(Say(data=chunks))) as server:
            (response,) = ask(Request(url=server.url))

        assert (response.body, dict(response.headers)) == (b"x", {"transfer-encoding": "chunked"})

    def test_what_is_not_http_is_an_error(self) -> None:
        with (
            saying(always(Say(data=b"220 mail.example ESMTP\r\n", close=True))) as server,
            pytest.raises(UpstreamError, match=server.url),
        ):
            ask(Request(url=server.url))


class TestHandlesAreUsedAgain:
    def test_no_header_of_a_request_appears_in_the_next(self) -> None:
        with saying(always(answer(200, b"x"))) as server:
            first = Request(
                url=server.url,
                headers=("Range: bytes=5-", "Accept: a/b", 'If-None-Match: "x"'),
                compressed=True,
            )
            ask(first, Request(url=server.url), Request(url=server.url, headers=("X-Own: 1",)))

        before, plain, own = (heard.headers for heard in server.heard)
        assert (before["range"], before["accept"], before["accept-encoding"]) == ("bytes=5-", "a/b", "gzip")
        assert set(plain) == {"host", "user-agent", "accept"}
        assert plain["accept"] == "*/*"
        assert set(own) == {"host", "user-agent", "accept", "x-own"}
        assert server.connections == 1

    def test_no_answer_has_headers_or_bytes_of_the_one_before(self) -> None:
        script = {"/1": answer(200, b"first", 'ETag: "1"'), "/2": answer(200, b"second")}
        with saying(lambda heard: script[heard.path]) as server:
            first, second = ask(Request(url=f"{server.url}/1"), Request(url=f"{server.url}/2"))

        assert (first.body, second.body) == (b"first", b"second")
        assert "etag" not in second.headers

    def test_after_a_failure_too(self) -> None:
        script = {"/lost": Say(close=True), "/2": answer(200, b"second")}

        async def run(url: str) -> Response:
            async with transport(workers=1) as opened:
                with pytest.raises(UpstreamUnavailable):
                    await opened.get(Request(url=f"{url}/lost", headers=("Range: bytes=5-",)))
                return await opened.get(Request(url=f"{url}/2"))

        with saying(lambda heard: script[heard.path]) as server:
            assert asyncio.run(run(server.url)).body == b"second"
        assert "range" not in server.heard[-1].headers

    def test_a_connection_that_the_server_closed_meanwhile_is_made_anew(self) -> None:
        with saying(lambda heard: answer(200, b"x", close=heard.path == "/1")) as server:
            responses = ask(*(Request(url=f"{server.url}/{n}") for n in (1, 2)))

        assert [response.body for response in responses] == [b"x", b"x"]
        assert server.connections == 2


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_are_followed_with_the_same_headers(self, status: int) -> None:
        script = {"/1": answer(status, b"moved", "Location: /2"), "/2": answer(200, b"here")}
        with saying(lambda heard: script[heard.path]) as server:
            (response,) = ask(Request(url=f"{server.url}/1", headers=("Accept: a/b",)))

        assert (response.url, response.body) == (f"{server.url}/2", b"here")
        assert server.heard[1].headers["accept"] == "a/b"

    @pytest.mark.parametrize(("hops", "good"), [(5, True), (6, False)])
    def test_up_to_a_number(self, hops: int, good: bool) -> None:
        def script(heard: Heard) -> Say:
            number = int(heard.path[1:])
            return answer(302, b"", f"Location: /{number + 1}") if number < hops else answer(200, b"end")

        with saying(script) as server:
            if good:
                assert ask(Request(url=f"{server.url}/0"))[0].body == b"end"
            else:
                with pytest.raises(UpstreamMalformed, match="more than 5 redirects"):
                    ask(Request(url=f"{server.url}/0"))
                assert len(server.heard) == 6

    @pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://a@127.0.0.1/"])
    def test_elsewhere_are_refused(self, location: str) -> None:
        with (
            saying(always(answer(302, b"", f"Location: {location}"))) as server,
            pytest.raises(UpstreamMalformed, match="not followed"),
        ):
            ask(Request(url=server.url), through=transport(allow_non_https=True))

    def test_to_raw_utf8_are_followed(self) -> None:
        with saying(
            lambda heard: (
                answer(200, b"x") if "caf" in heard.path else answer(302, b"", "Location: /caf\xc3\xa9")
            )
        ) as server:
            (response,) = ask(Request(url=server.url))

        assert response.url == f"{server.url}/caf%C3%A9"

    def test_without_a_location_are_answers(self) -> None:
        with saying(always(answer(302, b"", "Content-Type: text/html"))) as server:
            assert ask(Request(url=server.url))[0].status == 302

    def test_do_not_reach_the_sink(self) -> None:
        script = {"/1": answer(302, b"moved" * 100, "Location: /2"), "/2": answer(200, b"here")}
        sink = Collected()
        with saying(lambda heard: script[heard.path]) as server:
            ask(Request(url=f"{server.url}/1", sink=sink, max_bytes=4))

        assert (sink.started, sink.data) == ([200], b"here")


class TestBounds:
    def test_a_body_of_just_the_size_is_taken(self) -> None:
        with saying(always(answer(200, b"x" * 1000))) as server:
            assert len(ask(Request(url=server.url, max_bytes=1000))[0].body) == 1000

    @pytest.mark.parametrize("length", [None, 10**9])
    def test_a_larger_body_is_cut_off(self, length: int | None) -> None:
        with (
            saying(always(answer(200, b"x" * 1001, length=length))) as server,
            pytest.raises(UpstreamMalformed, match="larger than 1000 bytes"),
        ):
            ask(Request(url=server.url, max_bytes=1000))

    def test_a_gzip_bomb_is_cut_off(self) -> None:
        bomb = gzip.compress(b"\0" * 20_000_000)
        with (
            saying(always(answer(200, bomb, "Content-Encoding: gzip"))) as server,
            pytest.raises(UpstreamMalformed, match="larger than 100000 bytes"),
        ):
            ask(Request(url=server.url, max_bytes=100_000, compressed=True))

    @pytest.mark.parametrize("with_sink", [False, True])
    def test_the_body_of_an_error_is_dropped_and_does_not_count(self, with_sink: bool) -> None:
        """A 503 for a file of 10 bytes has a longer text than the file, and is a 503 all the same."""
        sink = Collected() if with_sink else None
        with saying(always(answer(503, b"trouble" * 100))) as server:
            (response,) = ask(Request(url=server.url, sink=sink, max_bytes=10))

        assert (response.status, response.body) == (503, b"")
        assert sink is None or (sink.started, sink.data) == ([], b"")

    def test_the_body_of_an_error_has_an_end(self) -> None:
        with (
            saying(always(answer(404, b"x" * 1_100_000))) as server,
            pytest.raises(UpstreamMalformed, match="larger than 1048576 bytes"),
        ):
            ask(Request(url=server.url, max_bytes=10**10))


class TestCompression:
    def test_is_undone_where_it_was_asked_for(self) -> None:
        with saying(always(answer(200, gzip.compress(b"hello"), "Content-Encoding: gzip"))) as server:
            assert ask(Request(url=server.url, compressed=True))[0].body == b"hello"

    def test_is_left_alone_where_it_was_not(self) -> None:
        """An sdist whose server calls it encoded must arrive as it was uploaded, or its digest is wrong."""
        sdist = gzip.compress(b"hello")
        with saying(always(answer(200, sdist, "Content-Encoding: gzip"))) as server:
            (_, response) = ask(Request(url=server.url, compressed=True), Request(url=server.url))

        assert response.body == sdist

    def test_that_is_broken_is_worth_another_try(self) -> None:
        broken = gzip.compress(b"hello" * 100)[:-20] + b"x" * 20
        with (
            saying(always(answer(200, broken, "Content-Encoding: gzip"))) as server,
            pytest.raises(UpstreamUnavailable),
        ):
            ask(Request(url=server.url, compressed=True))


class TestLostConnections:
    @pytest.mark.parametrize(
        "say",
        [
            Say(close=True),
            Say(data=b"HTTP/1.1 200 OK\r\nContent-Le", close=True),
            answer(200, b"half", length=8, close=True),
            Say(data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", close=True),
        ],
        ids=["before", "in the head", "in the body", "in the chunks"],
    )
    def test_are_worth_another_try(self, say: Say) -> None:
        with saying(always(say)) as server, pytest.raises(UpstreamUnavailable, match=server.url):
            ask(Request(url=server.url))

    def test_refused_ones_too(self) -> None:
        with saying(always(Say())) as server:
            pass
        with pytest.raises(UpstreamUnavailable):
            ask(Request(url=server.url))

    def test_what_came_before_is_in_the_sink(self) -> None:
        sink = Collected()
        with (
            saying(always(answer(200, b"half", length=8, close=True))) as server,
            pytest.raises(UpstreamUnavailable),
        ):
            ask(Request(url=server.url, sink=sink))

        assert (sink.started, sink.data) == ([200], b"half")

    def test_an_answer_that_never_ends_is_given_up(self) -> None:
        with (
            saying(always(Say(data=answer(200, b"half", length=8).data, hang=True))) as server,
            pytest.raises(UpstreamUnavailable, match="timed out"),
        ):
            ask(Request(url=server.url), through=transport(global_timeout=0.05))

    def test_a_silent_server_is_given_up(self) -> None:
        with (
            saying(always(Say(hang=True))) as server,
            pytest.raises(UpstreamUnavailable, match="too slow"),
        ):
            ask(Request(url=server.url), through=transport(timeout=1, global_timeout=60))


class TestSink:
    def test_gets_a_part_with_its_status(self) -> None:
        sink = Collected()
        with saying(always(answer(206, b"rest", "Content-Range: bytes 4-7/8"))) as server:
            (response,) = ask(Request(url=server.url, headers=("Range: bytes=4-",), sink=sink))

        assert (sink.started, sink.data, response.body) == ([206], b"rest", b"")

    def test_an_error_of_its_own_comes_out_as_it_is(self) -> None:
        with (
            saying(always(answer(200, b"x"))) as server,
            pytest.raises(OSError, match="No space left"),
        ):
            ask(Request(url=server.url, sink=Full()))


class TestManyAtOnce:
    def test_no_more_than_workers(self) -> None:
        def script(heard: Heard) -> Say:
            time.sleep(0.005)
            return answer(200, heard.path.encode())

        async def run(url: str) -> list[Response]:
            async with transport(workers=4) as opened:
                requests = [opened.get(Request(url=f"{url}/{n}")) for n in range(60)]
                responses = await asyncio.gather(*requests)
                assert opened.requests == 60
                return responses

        with saying(script) as server:
            responses = asyncio.run(run(server.url))

        assert [response.body for response in responses] == [f"/{n}".encode() for n in range(60)]
        assert 1 < server.most_at_once <= 4
        assert server.connections <= 4

    def test_the_others_wait_outside_of_libcurl(self) -> None:
        """Inside, their time would run while they wait for a connection."""

        async def run(url: str) -> int:
            async with transport(workers=4) as opened:
                tasks = [asyncio.create_task(opened.get(Request(url=f"{url}/{n}"))) for n in range(60)]
                await asyncio.sleep(0)
                inside = len(opened._transfers)
                await asyncio.gather(*tasks)
                return inside

        with saying(always(answer(200, b"x"))) as server:
            assert asyncio.run(run(server.url)) == 4

    @pytest.mark.parametrize("head", [b"", answer(200, b"half", length=8).data], ids=["silent", "begun"])
    def test_large_files_that_take_for_ever_leave_room_for_small_ones(self, head: bytes) -> None:
        def script(heard: Heard) -> Say:
            return answer(200, b"x") if heard.path == "/small" else Say(data=head, hang=True)

        async def run(url: str) -> int:
            async with transport(workers=4) as opened:
                large = [Request(url=f"{url}/large/{n}", large=True) for n in range(10)]
                tasks = [asyncio.create_task(opened.get(request)) for request in large]
                # They come first: no answer has told libcurl yet what the server speaks.
                await asyncio.sleep(0)
                for _ in range(5):
                    async with asyncio.timeout(5):
                        assert (await opened.get(Request(url=f"{url}/small"))).body == b"x"
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                # Whoever was in line or under way has given the place back.
                async with asyncio.timeout(5):
                    await opened.get(Request(url=f"{url}/small", large=True))
                return opened.requests

        with saying(script) as server:
            assert asyncio.run(run(server.url)) == 3 + 5 + 1
        assert server.connections <= 4 + 3

    def test_where_one_request_runs_at_once_it_may_be_for_a_large_file(self) -> None:
        async def run(url: str) -> None:
            async with transport(workers=1) as opened, asyncio.timeout(5):
                requests = [Request(url=f"{url}/{n}", large=n % 2 == 0) for n in range(10)]
                await asyncio.gather(*map(opened.get, requests))

        with saying(always(answer(200, b"x"))) as server:
            asyncio.run(run(server.url))
        assert server.most_at_once == 1

    def test_one_after_the_other_share_a_connection(self) -> None:
        with saying(always(answer(200, b"x"))) as server:
            ask(*(Request(url=f"{server.url}/{n}") for n in range(20)), through=transport(workers=1))

        assert (server.connections, len(server.heard)) == (1, 20)

    def test_a_failure_does_not_touch_the_others(self) -> None:
        def script(heard: Heard) -> Say:
            return Say(close=True) if heard.path == "/7" else answer(200, b"x")

        async def run(url: str) -> list[Response | BaseException]:
            async with transport(workers=3) as opened:
                requests = [opened.get(Request(url=f"{url}/{n}")) for n in range(20)]
                return await asyncio.gather(*requests, return_exceptions=True)

        with saying(script) as server:
            results = asyncio.run(run(server.url))

        assert [n for n, each in enumerate(results) if isinstance(each, BaseException)] == [7]
        assert isinstance(results[7], UpstreamUnavailable)


class TestBandwidth:
    def test_bytes_wait_for_their_turn_and_none_is_lost(self) -> None:
        sizes = [1, 5_000, 60_000, 0, 200_000]
        bandwidth = Bandwidth(2_000_000)
        bodies = [bytes([65 + n]) * size for n, size in enumerate(sizes)]

        async def run(url: str) -> tuple[list[Response], int]:
            async with transport(workers=8, bandwidth=bandwidth) as opened:
                held = 0

                def hold(*arguments: Any) -> bool:
                    nonlocal held
                    waits = type(opened)._hold(opened, *arguments)
                    held += waits
                    return waits

                opened._hold = hold  # type: ignore[method-assign]
                # More than a quiet line makes up for: whatever comes first has to wait.
                bandwidth.take(300_000)
                requests = [opened.get(Request(url=f"{url}/{n}")) for n in range(len(sizes))]
                return await asyncio.gather(*requests), held

        with saying(lambda heard: answer(200, bodies[int(heard.path[1:])])) as server:
            responses, held = asyncio.run(run(server.url))

        assert [response.body for response in responses] == bodies
        assert held >= len([size for size in sizes if size])

    def test_a_compressed_body_counts_as_it_came(self) -> None:
        body = gzip.compress(b"x" * 1_000_000)
        taken = []

        class Counted(Bandwidth):
            def take(self, number: int) -> None:
                taken.append(number)
                super().take(number)

        bandwidth = Counted(10_000_000)
        bandwidth.take(2_000_000)
        with saying(always(answer(200, body, "Content-Encoding: gzip"))) as server:
            (response,) = ask(
                Request(url=server.url, compressed=True), through=transport(bandwidth=bandwidth)
            )

        assert len(response.body) == 1_000_000
        assert len(body) < sum(taken[1:]) < len(body) + 300

    def test_a_page_waits_until_the_bytes_before_it_are_paid(self) -> None:
        async def run(url: str) -> float:
            bandwidth = Bandwidth(10_000_000)
            async with transport(bandwidth=bandwidth) as opened:
                bandwidth.take(3_000_000)
                task = asyncio.create_task(opened.get(Request(url=url, compressed=True)))
                await asyncio.sleep(0.01)
                assert not opened._transfers
                await task
                return bandwidth.wait()

        with saying(always(answer(200, b"x"))) as server:
            assert asyncio.run(run(server.url)) < 0.01

    def test_a_sink_that_fails_when_its_turn_has_come(self) -> None:
        bandwidth = Bandwidth(10_000_000)
        bandwidth.take(2_000_000)
        with (
            saying(always(answer(200, b"x"))) as server,
            pytest.raises(OSError, match="No space left"),
        ):
            ask(Request(url=server.url, sink=Full()), through=transport(bandwidth=bandwidth))

    def test_who_is_cancelled_while_held_is_forgotten(self) -> None:
        async def run(url: str) -> Response:
            bandwidth = Bandwidth(10_000_000)
            async with transport(workers=1, bandwidth=bandwidth) as opened:
                bandwidth.take(3_000_000)
                task = asyncio.create_task(opened.get(Request(url=url)))
                while not opened._held:
                    await asyncio.sleep(0.001)
                task.cancel()
                await asyncio.wait([task])
                return await opened.get(Request(url=url))

        with saying(always(answer(200, b"x"))) as server:
            assert asyncio.run(run(server.url)).body == b"x"


class TestConcurrency:
    def test_it_follows_what_upstream_takes_and_says_so(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        async def run(url: str) -> tuple[int, int]:
            async with transport(workers=64) as opened:
                good = [opened.get(Request(url=f"{url}/good")) for _ in range(100)]
                await asyncio.gather(*good)
                before = opened._concurrency.limit
                bad = [opened.get(Request(url=f"{url}/busy")) for _ in range(3 * before)]
                assert {response.status for response in await asyncio.gather(*bad)} == {503}
                return before, opened._concurrency.limit

        with saying(lambda heard: answer(503 if heard.path == "/busy" else 200, b"x")) as server:
            before, after = asyncio.run(run(server.url))

        assert after <= before // 2
        assert caplog.messages == [f"{100 + 3 * before} requests; final concurrency {after} of 64"]

    def test_what_we_cut_off_ourselves_is_no_refusal(self) -> None:
        async def run(url: str) -> int:
            async with transport(workers=8) as opened:
                for request in (Request(url=url, max_bytes=1), Request(url=url, sink=Full())):
                    with pytest.raises((UpstreamMalformed, OSError)):
                        await opened.get(request)
                return opened._concurrency.limit

        with saying(always(answer(200, b"xxx"))) as server:
            assert asyncio.run(run(server.url)) == 8


class TestCancelling:
    def test_gives_the_place_to_others(self) -> None:
        async def run(url: str) -> Response:
            async with transport(workers=1) as opened:
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(opened.get(Request(url=f"{url}/hang")), timeout=0.02)
                return await opened.get(Request(url=f"{url}/x"))

        with saying(lambda heard: Say(hang=True) if heard.path == "/hang" else answer(200, b"x")) as server:
            assert asyncio.run(run(server.url)).body == b"x"

    def test_while_waiting_for_a_place(self) -> None:
        async def run(url: str) -> Response:
            async with transport(workers=1) as opened:
                running = asyncio.create_task(opened.get(Request(url=f"{url}/slow")))
                waiting = asyncio.create_task(opened.get(Request(url=f"{url}/never")))
                await asyncio.sleep(0.01)
                waiting.cancel()
                await asyncio.wait([waiting])
                assert waiting.cancelled()
                return await running

        def script(heard: Heard) -> Say:
            time.sleep(0.05)
            return answer(200, heard.path.encode())

        with saying(script) as server:
            assert asyncio.run(run(server.url)).body == b"/slow"
        assert [heard.path for heard in server.heard] == ["/slow"]

    def test_what_came_until_then_is_counted(self) -> None:
        async def run(url: str) -> tuple[int, int, int]:
            async with transport() as opened:
                before = opened.received
                await opened.get(Request(url=f"{url}/x"))
                whole = opened.received
                task = asyncio.create_task(opened.get(Request(url=f"{url}/half", sink=Collected())))
                while opened.received == whole:
                    await asyncio.sleep(0.005)
                during = opened.received
                task.cancel()
                await asyncio.wait([task])
                assert opened.received == during
                return before, whole, during

        half = Say(data=answer(200, b"abc", length=8).data, hang=True)
        with saying(lambda heard: half if heard.path == "/half" else answer(200, b"four")) as server:
            assert asyncio.run(run(server.url)) == (0, 4, 7)

    def test_leaving_ends_what_runs(self) -> None:
        async def run(url: str) -> None:
            async with transport() as opened:
                task = asyncio.create_task(opened.get(Request(url=url)))
                await asyncio.sleep(0.02)
            await asyncio.wait([task])
            assert task.cancelled()

        with saying(always(Say(hang=True))) as server:
            asyncio.run(run(server.url))


class TestSurroundings:
    def test_a_proxy_is_asked_for_the_whole_address(self) -> None:
        with saying(always(answer(200, b"by proxy"))) as server:
            (response,) = ask(
                Request(url="http://index.example/simple/"), through=transport(proxy=server.url)
            )

        assert response.body == b"by proxy"
        assert server.heard[0].path == "http://index.example/simple/"

    def test_certificate_authorities(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(variable, raising=False)
        assert ca_bundle() == certifi.where()
        monkeypatch.setenv("CURL_CA_BUNDLE", "/curl.pem")
        assert ca_bundle() == "/curl.pem"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/requests.pem")
        assert ca_bundle() == "/requests.pem"
        monkeypatch.setenv("SSL_CERT_FILE", "/ssl.pem")
        assert ca_bundle() == "/ssl.pem"
