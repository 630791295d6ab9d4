"""The ASGI application: routes a request, lets faults change the answer, delivers and records it.

It is plain ASGI without a framework's routing, because tests make tens of thousands of requests.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from starlette.types import Receive, Scope, Send

from tests.warehouse.answers import FileSlice
from tests.warehouse.control import PREFIX, Control
from tests.warehouse.faults import Delivery, Elsewhere, Faults
from tests.warehouse.requests import Recorded, Request, RequestLog
from tests.warehouse.routes import Routes

_CHUNK = 1 << 18


class App:
    """``routes`` answer, ``faults`` spoil, ``log`` remembers, ``clock`` (seconds since 1970) dates."""

    def __init__(self, routes: Routes, faults: Faults, log: RequestLog, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.routes = routes
        self.faults = faults
        self.log = log
        self.control = Control(routes.warehouse, faults, log)
        self._elsewhere = Elsewhere(older_page=routes.older_page, missing=routes.missing)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b"" if scope["method"] in {"GET", "HEAD"} else await _body(receive)
        request = Request(method=scope["method"], path=scope["path"], pairs=scope["headers"], body=body)
        if request.path.startswith(PREFIX):
            delivery = Delivery(answer=self.control.respond(request))
            await _deliver(delivery, self.clock(), request, scope, receive, send)
            return
        kind, answer = self.routes.respond(request)
        delivery = self.faults.change(Delivery(answer=answer), request, self._elsewhere)
        # Recorded before it goes out: who has read the answer finds its request in the log.
        self.log.add(_recorded(kind, request, delivery))
        await _deliver(delivery, self.clock(), request, scope, receive, send)


def _recorded(kind: str, request: Request, delivery: Delivery) -> Recorded:
    size = 0 if request.method == "HEAD" else len(delivery.answer.body)
    if delivery.drop_after is not None:
        size = min(size, max(delivery.drop_after, 0))
    return Recorded(
        method=request.method,
        path=request.path,
        kind=kind,
        status=0 if delivery.drop_after == -1 else delivery.answer.status,
        size=size,
        pairs=request.pairs,
        body=request.body,
    )


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _deliver(
    delivery: Delivery, now: float, request: Request, scope: Scope, receive: Receive, send: Send
) -> None:
    if delivery.delay:
        await asyncio.sleep(delivery.delay)
    if delivery.drop_after == -1:
        await _drop(scope, receive, reset=delivery.reset)
        return
    answer = delivery.answer
    headers = [_date(int(now)), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    plain = isinstance(answer.body, bytes) and delivery.drop_after is None and delivery.drip is None
    if plain or request.method == "HEAD":
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
        return
    size, pause = delivery.drip or (_CHUNK, 0.0)
    for chunk in _chunks(answer.body, size, delivery.drop_after):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if pause:
            await asyncio.sleep(pause)
    if delivery.drop_after is not None:
        await _drop(scope, receive, reset=delivery.reset)
        return
    await send({"type": "http.response.body", "body": b""})


@lru_cache(maxsize=8)
def _date(now: int) -> tuple[bytes, bytes]:
    return (b"date", formatdate(now, usegmt=True).encode())


def _chunks(body: bytes | FileSlice, size: int, stop: int | None) -> Iterator[bytes]:
    """The body, at most ``stop`` bytes of it, ``size`` bytes at a time."""
    end = len(body) if stop is None else min(stop, len(body))
    if isinstance(body, bytes):
        for start in range(0, end, size):
            yield body[start : min(start + size, end)]
        return
    with body.path.open("rb") as stream:
        stream.seek(body.start)
        for start in range(0, end, size):
            yield stream.read(min(size, end - start))


async def _drop(scope: Scope, receive: Receive, *, reset: bool) -> None:
    """Closes the connection under the answer, then waits until the server has noticed."""
    transport: Any = scope["extensions"]["transport"]
    if reset:
        # Linger for no time at all: the kernel then sends RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
