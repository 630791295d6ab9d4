"""An HTTP server that sends exactly the bytes a test says, for what no well-behaved server would send."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO

_DROP = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """A request as it arrived; ``path`` is the whole address for a request to a proxy."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """The bytes of an answer; then the connection is kept, closed, or left hanging without another word.

    ``drops`` come after ``data``, some every twentieth of a second.
    """

    data: bytes = b""
    drops: bytes = b""
    close: bool = False
    hang: bool = False


Script = Callable[[Heard], Say]


def answer(
    status: int = 200, body: bytes = b"", *headers: str, close: bool = False, length: int | None = None
) -> Say:
    """A well-formed answer; ``length`` is what Content-Length says where it is not the body's."""
    lines = [
        f"HTTP/1.1 {status} Said",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return Say(data="\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body, close=close)


class RawServer:
    """``heard`` are the requests, ``most_at_once`` how many of them were being answered at one time."""

    def __init__(self, script: Script) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.most_at_once = 0
        self._script = script
        self._at_once = 0
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        # A client that has gone is what many tests are about.
        with suppress(OSError), connection, connection.makefile("rb") as stream:
            while (heard := _read(stream)) is not None:
                say = self._answer(heard)
                connection.sendall(say.data)
                for start in range(0, len(say.drops), _DROP):
                    time.sleep(0.05)
                    connection.sendall(say.drops[start : start + _DROP])
                if say.hang:
                    stream.read()  # until the client, or the end of the test, closes the connection
                if say.close or say.hang:
                    return

    def _answer(self, heard: Heard) -> Say:
        with self._lock:
            self.heard.append(heard)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._script(heard)
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def saying(script: Script) -> Iterator[RawServer]:
    """A server whose every answer is what ``script`` makes of the request; gone at the end."""
    server = RawServer(script)
    try:
        yield server
    finally:
        server.close()


def _read(stream: BinaryIO) -> Heard | None:
    readline = stream.readline
    first = readline().split()
    if len(first) < 2:
        return None
    headers = {}
    while (line := readline().strip()) != b"":
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    body = stream.read(int(headers.get("content-length", "0")))
    return Heard(method=first[0].decode(), path=first[1].decode(), headers=headers, body=body)
