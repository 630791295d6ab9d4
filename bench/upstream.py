"""The upstream both mirrors read: one nginx worker over a static tree, and the changelog behind it."""

import re
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from socketserver import ThreadingMixIn
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from bench.catalogue import StaticTree

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root};
        types {{ }}
        location = /simple {{
            default_type application/vnd.pypi.simple.v1+json;
            try_files /simple/index.json =404;
        }}
        location /simple/ {{
            default_type application/vnd.pypi.simple.v1+json;
            add_header X-PyPI-Last-Serial {serial};
            try_files ${{uri}}index.json =404;
        }}
        location = /pypi {{ proxy_pass http://127.0.0.1:{changelog_port}; }}
        location /pypi/ {{
            default_type application/json;
            add_header X-PyPI-Last-Serial {serial};
        }}
        location /packages/ {{ default_type application/octet-stream; }}
        location = /requests {{ stub_status; }}
    }}
}}
"""
_REQUESTS = re.compile(r"^ \d+ \d+ (\d+) *$", re.MULTILINE)


class Upstream:
    """A running upstream. ``requests()`` counts what it has been asked since it started."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._asked = 0

    def requests(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/requests", timeout=10) as answer:
            match = _REQUESTS.search(answer.read().decode())
        assert match is not None  # noqa: S101 - the format of stub_status
        self._asked += 1
        return int(match[1]) - self._asked


@contextmanager
def upstream(tree: StaticTree, home: Path, port: int) -> Iterator[Upstream]:
    """Serve ``tree`` as it is now; a tree that changes is to be served anew, for its serial moved."""
    home.mkdir(parents=True, exist_ok=True)
    with _changelog(tree) as changelog_port:
        configuration = home / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                home=home, root=tree.root, port=port, serial=tree.serial, changelog_port=changelog_port
            )
        )
        with nginx(configuration, port):
            yield Upstream(port)


@contextmanager
def nginx(configuration: Path, port: int) -> Iterator[None]:
    """nginx in the foreground under ``configuration`` until the block ends."""
    binary = which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin")
    if binary is None:
        raise SystemExit("bench: there is no nginx on this machine; install it first")
    process = subprocess.Popen(
        [binary, "-e", str(configuration.parent / "error.log"), "-c", str(configuration)],
        start_new_session=True,
    )
    try:
        wait_for_port(port, process)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _changelog(tree: StaticTree) -> Iterator[int]:
    """XML-RPC in a thread of ours, for the one or two calls of a run that a static file cannot answer."""
    with _Server(("127.0.0.1", 0), _Handler, logRequests=False, allow_none=True) as server:
        server.register_function(
            lambda since: [event for event in tree.events if event[4] > since], "changelog_since_serial"
        )
        server.register_function(lambda: tree.serial, "changelog_last_serial")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


class _Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/pypi",)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until something listens on ``port``; SystemExit when ``process`` ends before."""
    for _ in range(200):
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit(f"bench: {process.args!r} does not listen on port {port}")
