"""The wire passes every byte on, in order and late, and ends with either of its ends."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.relay import Line


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_made_after_the_delay_in_their_order() -> None:
    clock, made = _Clock(), list[str]()
    line = Line(0.5, clock=clock)
    line.later(lambda: made.append("first"))
    clock.now = 0.25
    line.later(lambda: made.append("second"))
    assert (line.arrive(), made) == (0.25, [])
    clock.now = 0.5
    assert (line.arrive(), made) == (0.25, ["first"])
    clock.now = 1.0
    assert (line.arrive(), made) == (-1, ["first", "second"])


def test_a_call_that_asks_for_another_one_waits_again() -> None:
    clock, made = _Clock(), list[str]()
    line = Line(0.5, clock=clock)
    line.later(lambda: line.later(lambda: made.append("there and back")))
    clock.now = 0.5
    assert (line.arrive(), made) == (0.5, [])
    clock.now = 1.0
    assert (line.arrive(), made) == (-1, ["there and back"])


@contextmanager
def _wire(target: int) -> Iterator[socket.socket]:
    """A connection over a short wire to ``target``."""
    command = [sys.executable, "-m", "bench.relay", str(target), "0.001"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as relay:
        assert relay.stdout is not None
        try:
            with socket.create_connection(("127.0.0.1", int(relay.stdout.readline())), 30) as connection:
                yield connection
        finally:
            relay.terminate()


@pytest.mark.servers
def test_more_than_the_kernel_takes_at_once_arrives_whole_both_ways() -> None:
    sent = bytes(range(256)) * 40_000  # 10 MB: neither end's buffers hold it
    with socket.create_server(("127.0.0.1", 0)) as server, _wire(server.getsockname()[1]) as client:

        def echo() -> None:
            accepted, _ = server.accept()
            with accepted:
                accepted.sendall(_read(accepted, len(sent)))

        echoing = threading.Thread(target=echo)
        echoing.start()
        client.sendall(sent)
        assert _read(client, len(sent)) == sent
        assert client.recv(1) == b""  # the server has closed, and so does the wire
        echoing.join()


@pytest.mark.servers
def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with _wire(port) as client:
        client.sendall(b"anybody?")
        assert client.recv(1) == b""


@pytest.mark.servers
def test_a_client_that_leaves_is_seen_by_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, _wire(server.getsockname()[1]) as client:
        client.sendall(b"bye")
        client.close()
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(30)
            assert _read(accepted, 3) == b"bye"
            assert accepted.recv(1) == b""


def _read(connection: socket.socket, count: int) -> bytes:
    received = bytearray()
    while len(received) < count and (data := connection.recv(1 << 16)):
        received += data
    return bytes(received)
