"""An HTTP server for answers that no index would give: any header, any body, without an end if need be."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

JSON = "application/vnd.pypi.simple.v1+json"
_BLOCK = 1 << 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """``stream`` comes after ``body``, no length is announced. ``headers`` are lines, sent as they are.

    ``then`` is what comes when it is asked for again. ``is_raw`` says that ``stream`` is all there is, the
    status line included.
    """

    body: bytes = b""
    content_type: str = JSON
    status: int = 200
    headers: tuple[bytes, ...] = ()
    stream: Callable[[], Iterator[bytes]] | None = None
    then: "Answer | None" = None
    is_raw: bool = False


@dataclass(kw_only=True, slots=True)
class Site:
    """What is where: paths, as they are asked for, to answers. ``url`` is known once it runs.

    ``held`` is by path how many seconds somebody listened to its answer, at most.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    url: str = ""
    held: dict[str, float] = field(default_factory=dict)

    def add(self, answers: Mapping[str, Answer]) -> None:
        self.answers |= answers


def page(document: Any, **more: Any) -> Answer:
    """A JSON document; NaN is written as Python does."""
    return Answer(body=json.dumps(document).encode(), **more)


def endless(block: bytes, *, size: int | None = None, pause: float = 0.0) -> Callable[[], Iterator[bytes]]:
    """``block`` over and over, ``size`` bytes of it where that is given."""

    def stream() -> Iterator[bytes]:
        sent = 0
        while size is None or sent < size:
            yield block
            sent += len(block)
            if pause:
                time.sleep(pause)

    return stream


def dripping(start: bytes, drop: bytes, *, pause: float = 0.2, seconds: float = 60) -> Answer:
    """``start``, then ``drop`` every ``pause`` seconds, for ``seconds``."""

    def stream() -> Iterator[bytes]:
        yield start
        for _ in range(int(seconds / pause)):
            time.sleep(pause)
            yield drop

    return Answer(stream=stream, is_raw=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._say()

    def _say(self) -> None:
        site = cast("_Server", self.server).site
        answer = site.answers.get(self.path)
        if answer is None:
            answer = Answer(status=404, content_type="text/plain", body=b"not here")
        elif answer.then is not None:
            site.answers[self.path] = answer.then
        head = [
            f"HTTP/1.1 {answer.status} Said".encode(),
            f"Content-Type: {answer.content_type}".encode(),
            *answer.headers,
        ]
        if answer.stream is None:
            head.append(f"Content-Length: {len(answer.body)}".encode())
        else:
            head.append(b"Connection: close")
            self.close_connection = True
        began = time.monotonic()
        try:
            if not answer.is_raw:
                self.wfile.write(b"\r\n".join(head) + b"\r\n\r\n" + answer.body)
            for block in answer.stream() if answer.stream is not None else ():
                self.wfile.write(block)
        except (BrokenPipeError, ConnectionResetError):
            # The other side has had enough, as it should.
            self.close_connection = True
        finally:
            site.held[self.path] = max(site.held.get(self.path, 0.0), time.monotonic() - began)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def running(site: Site) -> Iterator[Site]:
    server = _Server(site)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
