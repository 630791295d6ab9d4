"""Networks in which host names lead where a test says, with TLS: clients reach them through a proxy.

What DNS does for people a proxy does here (``CONNECT``), so that no file of this machine changes.
"""

import re
import select
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pypi_mirror.webserver.nginx_binary import packaged_nginx
from tests.docs.fenced_blocks import ROOT, blocks_of
from tests.requirements_present import require
from tests.webserver.sites import free_port

_PATIENCE = 20.0
_MAIN = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def tls_server() -> str:
    """The server with TLS that the guide shows."""
    (found,) = [
        block.text
        for block in blocks_of(ROOT / "docs/offline.md")
        if block.kind == "text" and "ssl_certificate" in block.text
    ]
    return found


@contextmanager
def network(folder: Path, *, leads_to: int, certificate: Path, key: Path) -> Iterator[str]:
    """All names lead to the guide's server with TLS, and that to the port ``leads_to``; yields the proxy."""
    folder.mkdir()
    port = free_port()
    server = tls_server()
    for theirs, ours in (
        (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        (r"127\.0\.0\.1:8080", f"127.0.0.1:{leads_to}"),
        (r"/\S+\.crt", str(certificate)),
        (r"/\S+\.key", str(key)),
    ):
        server, replaced = re.subn(theirs, ours, server)
        assert replaced == 1, theirs
    config = folder / "nginx.conf"
    config.write_text(_MAIN.format(folder=folder, server=server))
    nginx = subprocess.Popen(
        [_nginx_with_tls(), "-p", folder, "-e", folder / "error.log", "-c", config],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    proxy = _Proxy(port)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        _await(port)
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
        nginx.terminate()
        nginx.wait()


def _nginx_with_tls() -> Path:
    for program in (Path("/usr/sbin/nginx"), packaged_nginx()):
        if program is not None and program.exists():
            built = subprocess.run([program, "-V"], capture_output=True, text=True, check=True)
            if "http_ssl_module" in built.stderr:
                return program
    require(None, "an nginx with TLS")
    raise AssertionError


def _await(port: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.02)
        else:
            return


class _Proxy(socketserver.ThreadingTCPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.port = port


class _Tunnel(socketserver.StreamRequestHandler):
    server: _Proxy

    def handle(self) -> None:
        request = self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        if not re.fullmatch(rb"CONNECT [a-z.]+:443 HTTP/1\.[01]\r\n", request):
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.port)) as target:
            self.wfile.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            _relay(self.connection, target)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Until either side ends."""
    while True:
        for ready in select.select([one, other], [], [], _PATIENCE)[0] or [one]:
            try:
                data = ready.recv(65536)
            except OSError:
                return
            if not data:
                return
            (other if ready is one else one).sendall(data)
