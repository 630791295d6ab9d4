"""A wire that is 50 ms long: a TCP relay that holds every byte back for half of a round trip each way.

Opening a connection costs a round trip too, as it does on a real wire: the first bytes wait for it. Needs
no privileges, unlike a network namespace, and no kernel module. Run as ``python -m bench.relay``; prints
the port that it listens on.
"""

import argparse
import asyncio
from collections import deque
from collections.abc import Callable


class _Line:
    """Calls made ``delay`` seconds late, in the order in which they were asked for."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def later(self, call: Callable[[], None]) -> None:
        self._waiting.append((self._loop.time() + self._delay, call))
        if len(self._waiting) == 1:
            self._loop.call_later(self._delay, self._arrive)

    def _arrive(self) -> None:
        now = self._loop.time()
        while self._waiting and self._waiting[0][0] <= now + 0.0005:
            self._waiting.popleft()[1]()
        if self._waiting:
            self._loop.call_later(self._waiting[0][0] - now, self._arrive)


class _End(asyncio.Protocol):
    """One end of a connection; what arrives here leaves at ``other`` after the line's delay."""

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.other: _End | None = None
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - the loop makes no other
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.line.later(lambda: self._pass_on(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.line.later(lambda: self._pass_on(None))

    def _pass_on(self, data: bytes | None) -> None:
        if self.other is None:
            self.early.append(data or b"")
            return
        transport = self.other.transport
        if transport is None or transport.is_closing():
            return
        if data is None:
            transport.close()
        else:
            transport.write(data)


class _Client(_End):
    """The end at the client; reaches the server a round trip after the client has come."""

    def __init__(self, line: _Line, target: int) -> None:
        super().__init__(line)
        self._target = target
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.line.later(lambda: self.line.later(self._dial))

    def _dial(self) -> None:
        self._dialling = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        server = _End(self.line)
        server.other = self
        await asyncio.get_running_loop().create_connection(lambda: server, "127.0.0.1", self._target)
        self.other = server
        for data in self.early:
            self._pass_on(data or None)


async def _serve(target: int, round_trip: float) -> None:
    loop = asyncio.get_running_loop()
    line = _Line(round_trip / 2)
    server = await loop.create_server(lambda: _Client(line, target), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__)
    parser.add_argument("target", type=int, help="the port on this machine that the wire leads to")
    parser.add_argument("round_trip", type=float, help="seconds")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.target, arguments.round_trip))


if __name__ == "__main__":
    main()
