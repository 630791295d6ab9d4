"""A mail server and a webhook receiver on the loopback that keep what they are sent."""

import email
import email.policy
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar, cast

_Server = TypeVar("_Server", bound=socketserver.BaseServer)


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs to deliver a message."""

    def handle(self) -> None:
        self._say("220 mail.example ready")
        while line := self.rfile.readline().decode().strip():
            match line.split()[0].upper():
                case "EHLO" | "HELO" | "MAIL" | "RCPT" | "RSET":
                    self._say("250 mail.example")
                case "DATA":
                    self._say("354 go on")
                    cast("MailServer", self.server).keep(self._content())
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case command:
                    self._say(f"502 {command} is not known here")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        super().__init__(("127.0.0.1", 0), _Smtp)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def keep(self, content: bytes) -> None:
        self.messages.append(email.message_from_bytes(content, policy=email.policy.default))


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = cast("Webhook", self.server)
        if server.refuses:
            self.send_error(503, "out of order")
            return
        server.calls.append((self.path, json.loads(body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests read ``calls``."""


class Webhook(ThreadingHTTPServer):
    """While it ``refuses``, it answers 503 and keeps nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuses = False
        super().__init__(("127.0.0.1", 0), _Hook)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


@contextmanager
def serving(server: _Server) -> Iterator[_Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
