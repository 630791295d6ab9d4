"""A wire that is 50 ms long: a TCP relay that holds every byte back for half of a round trip each way.

Opening a connection costs a round trip too, as it does on a real wire: the first bytes wait for it. Needs
no privileges, unlike a network namespace, and no kernel module. Its bandwidth has no bound, nothing is lost
and no window has to grow first, so what is measured through it waits for answers and for nothing else. One
loop over epoll and no event loop of a library: what the relay computes is taken from what it relays for,
where both share a processor. Run as ``python -m bench.relay``; prints the port that it listens on.
"""

import argparse
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

_READ_AT_ONCE = 1 << 18


class Line:
    """Calls made ``delay`` seconds late, in the order in which they were asked for."""

    def __init__(self, delay: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay = delay
        self._clock = clock
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()

    def later(self, call: Callable[[], None]) -> None:
        self._waiting.append((self._clock() + self._delay, call))

    def arrive(self) -> float:
        """Make the calls whose time has come; the seconds until the next one's, -1 when none waits."""
        while self._waiting:
            remaining = self._waiting[0][0] - self._clock()
            if remaining > 0:
                return remaining
            self._waiting.popleft()[1]()
        return -1


class Relay:
    """Connections to ``listener`` reach ``target``, a port of this machine, over ``line``."""

    def __init__(self, listener: socket.socket, target: int, line: Line) -> None:
        self._listener = listener
        self._target = target
        self._line = line
        self._poll = select.epoll()
        self._ends: dict[int, _End] = {}
        listener.setblocking(False)
        self._poll.register(listener, select.EPOLLIN)

    def serve(self) -> NoReturn:
        while True:
            for number, happened in self._poll.poll(self._line.arrive()):
                if number == self._listener.fileno():
                    self._accept()
                elif end := self._ends.get(number):
                    if happened & select.EPOLLOUT:
                        end.send_on()
                    if happened & ~select.EPOLLOUT:
                        end.receive()

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except BlockingIOError:
            return
        client = self._end(accepted)
        # The handshake's way there and back; only then do the client's first bytes go on their way.
        self._line.later(lambda: self._line.later(lambda: self._line.later(lambda: self._dial(client))))

    def _dial(self, client: "_End") -> None:
        try:
            server = self._end(socket.create_connection(("127.0.0.1", self._target)))
        except OSError:
            client.close()
            return
        server.other = client
        client.meet(server)

    def _end(self, connection: socket.socket) -> "_End":
        return _End(connection, self._line, self._poll, self._ends)


class _End:
    """One end of a connection; what arrives here leaves at ``other`` after the line's delay.

    An end that is closed in one direction counts as closed: HTTP knows no use for that.
    """

    def __init__(
        self, connection: socket.socket, line: Line, poll: select.epoll, ends: dict[int, "_End"]
    ) -> None:
        self._connection = connection
        self._line = line
        self._poll = poll
        self._ends = ends
        self._unsent = b""
        self._early: list[bytes] = []
        self._ending = False
        self.other: _End | None = None
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(connection, select.EPOLLIN)
        ends[connection.fileno()] = self

    def receive(self) -> None:
        try:
            data = self._connection.recv(_READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._line.later(lambda: self._pass_on(data))
        if not data:
            self.close()

    def meet(self, other: "_End") -> None:
        """The other end is there now: what came before it follows."""
        self.other = other
        for data in self._early:
            other.send(data)

    def _pass_on(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self.other.send(data)

    def send(self, data: bytes) -> None:
        """Send ``data`` once everything before it has gone; no bytes are the end."""
        if self._connection.fileno() < 0:
            return
        self._ending |= not data
        if self._unsent:
            self._unsent += data
        else:
            self._send_now(data)

    def send_on(self) -> None:
        """The kernel takes bytes again."""
        if self._connection.fileno() >= 0:
            self._poll.modify(self._connection, select.EPOLLIN)
            self._send_now(self._unsent)

    def _send_now(self, data: bytes) -> None:
        try:
            sent = self._connection.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        self._unsent = data[sent:]
        if self._unsent:
            self._poll.modify(self._connection, select.EPOLLIN | select.EPOLLOUT)
        elif self._ending:
            self.close()

    def close(self) -> None:
        if self._ends.pop(self._connection.fileno(), None) is not None:
            self._poll.unregister(self._connection)
            self._connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.relay", description=__doc__)
    parser.add_argument("target", type=int, help="the port on this machine that the wire leads to")
    parser.add_argument("round_trip", type=float, help="seconds")
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        print(listener.getsockname()[1], flush=True)
        Relay(listener, arguments.target, Line(arguments.round_trip / 2)).serve()


if __name__ == "__main__":
    main()
