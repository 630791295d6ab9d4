"""Bodies in memory are bounded together, and none of them is lost for it."""

import asyncio
import gzip

import pytest

from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request, Response
from tests.upstream.raw_server import answer, saying

MB = 1024 * 1024


@pytest.mark.parametrize("compressed", [False, True])
def test_many_large_bodies_at_once(compressed: bool) -> None:
    body = b"x" * (8 * MB)
    said = answer(200, gzip.compress(body), "Content-Encoding: gzip") if compressed else answer(200, body)
    most = 0

    async def one(opened: CurlTransport, url: str) -> int:
        nonlocal most
        response = await opened.get(Request(url=url, compressed=compressed))
        most = max(most, opened._memory.held)
        return len(response.body)

    async def run(url: str) -> tuple[list[int], int]:
        async with CurlTransport(workers=16, timeout=60, global_timeout=60) as opened:
            opened._memory.limit = 20 * MB
            sizes = await asyncio.gather(*(one(opened, f"{url}/{n}") for n in range(16)))
            return sizes, opened._memory.held

    with saying(lambda _: said) as server:
        sizes, left = asyncio.run(run(server.url))

    assert sizes == [len(body)] * 16
    assert most <= 20 * MB + 2 * len(body)
    assert left == 0


def test_memory_is_given_back_with_the_answer_and_after_failures() -> None:
    async def run(url: str) -> tuple[int, int]:
        async with CurlTransport(workers=2, timeout=5, global_timeout=5) as opened:
            response: Response | None = await opened.get(Request(url=url))
            during = opened._memory.held
            del response
            with pytest.raises(Exception, match="larger than"):
                await opened.get(Request(url=url, max_bytes=1))
            task = asyncio.create_task(opened.get(Request(url=url)))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return during, opened._memory.held

    with saying(lambda _: answer(200, b"x" * 2 * MB)) as server:
        assert asyncio.run(run(server.url)) == (2 * MB, 0)


def test_a_body_alone_may_be_larger_than_all_together() -> None:
    async def run(url: str) -> tuple[int, int]:
        async with CurlTransport(workers=2, timeout=5, global_timeout=5) as opened:
            opened._memory.limit = MB
            return len((await opened.get(Request(url=url))).body), opened.requests

    with saying(lambda _: answer(200, b"x" * 3 * MB)) as server:
        assert asyncio.run(run(server.url)) == (3 * MB, 1)
