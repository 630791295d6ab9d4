"""The bulk transport over HTTP/2, as PyPI speaks it: a real nginx with a certificate of its own."""

import asyncio
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import pytest

from pypi_mirror.settings.read import read_settings
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request
from pypi_mirror.transport.zones import AddressGuard
from tests.certificates import certificate
from tests.cli.process import CommandLine, wait_until
from tests.requirements_present import require
from tests.runs.audit import audit
from tests.runs.bench import Bench
from tests.warehouse import many, running
from tests.warehouse.behaviour import Hosts
from tests.webserver.sites import free_port

pytestmark = pytest.mark.servers

NGINX = Path("/usr/sbin/nginx")
# nginx sends the first second's bytes at once: a file of 2,000 takes a moment, in which others are sent.
_SLOW = "limit_rate 1500;"


@dataclass(frozen=True, kw_only=True)
class Nginx:
    url: str
    log: Path

    def seen(self) -> list[tuple[str, str, str]]:
        """Protocol, number of the connection and status of each request that was answered."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(protocol, connection, status) for protocol, connection, status in lines]


@contextmanager
def nginx(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    port: int = 0,
    http2: bool = True,
    per_connection: int = 1_000,
    location: str = "",
) -> Iterator[Nginx]:
    """Serves ``directory``; our transport, and processes started from here, trust its certificate.

    A connection is closed after ``per_connection`` requests; ``location`` are more directives.
    """
    require(NGINX.exists(), f"{NGINX}")
    port = port or free_port()
    public, private = certificate(directory)
    monkeypatch.setenv("SSL_CERT_FILE", str(public))
    configuration = directory / "nginx.conf"
    configuration.write_text(f"""
        daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
        events {{}}
        http {{
            log_format seen "$server_protocol $connection $status";
            access_log {directory}/access.log seen;
            client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            limit_conn_zone $server_port zone=at_once:1m;
            limit_conn_status 429;
            server {{
                listen 127.0.0.1:{port} ssl{" http2" if http2 else ""};
                ssl_certificate {public}; ssl_certificate_key {private};
                keepalive_requests {per_connection};
                location / {{ root {directory}; {location} }}
            }}
        }}""")
    with subprocess.Popen(
        [NGINX, "-p", directory, "-c", configuration], stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_until(lambda: listens(port))
            yield Nginx(url=f"https://127.0.0.1:{port}", log=directory / "access.log")
        finally:
            process.terminate()
            process.wait(20)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def statuses(url: str, number: int, *, workers: int) -> Counter[int]:
    """What became of ``number`` requests made together."""

    async def run() -> Counter[int]:
        address_guard = AddressGuard(url)
        async with CurlTransport(
            workers=workers, timeout=10, global_timeout=60, address_guard=address_guard
        ) as opened:
            requests = [opened.get(Request(url=f"{url}/page?{n}")) for n in range(number)]
            return Counter(response.status for response in await asyncio.gather(*requests))

    return asyncio.run(run())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "page").write_bytes(b"x" * 2_000)
    return tmp_path


def test_all_requests_of_a_transport_go_over_one_connection(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nginx(directory, monkeypatch) as server:
        assert statuses(server.url, 300, workers=64) == {200: 300}
    seen = server.seen()
    assert len(seen) == 300
    assert {protocol for protocol, _, _ in seen} == {"HTTP/2.0"}
    assert len({connection for _, connection, _ in seen}) == 1


def test_what_runs_at_once_is_streams(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server refuses a ninth at once: eight workers never have one, sixteen do."""
    with nginx(directory, monkeypatch, location=f"limit_conn at_once 8; {_SLOW}") as server:
        assert statuses(server.url, 12, workers=8) == {200: 12}
        assert statuses(server.url, 16, workers=16) == {200: 8, 429: 8}
    assert len({connection for _, connection, _ in server.seen()}) == 2


@pytest.mark.parametrize(("workers", "each"), [(1, 20), (16, 50), (128, 200)])
def test_a_connection_that_the_server_ends_loses_no_request(
    directory: Path, monkeypatch: pytest.MonkeyPatch, workers: int, each: int
) -> None:
    with nginx(directory, monkeypatch, per_connection=each) as server:
        assert statuses(server.url, 1_000, workers=workers) == {200: 1_000}
    seen = server.seen()
    assert {protocol for protocol, _, _ in seen} == {"HTTP/2.0"}
    assert len({connection for _, connection, _ in seen}) >= 1_000 // each


def test_where_tls_brings_no_http2_requests_have_connections_of_their_own(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nginx(directory, monkeypatch, http2=False, location=_SLOW) as server:
        assert statuses(server.url, 20, workers=16) == {200: 20}
    seen = server.seen()
    assert {protocol for protocol, _, _ in seen} == {"HTTP/1.1"}
    assert len({connection for _, connection, _ in seen}) == 16


def test_a_whole_sync_over_connections_that_end_early_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where another bundle is named as well, ours counts, for the few calls by `requests` too.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    front = free_port()
    public = f"https://127.0.0.1:{front}"
    with (
        running(many(100, 3, 200).build(), hosts=Hosts(site=public, files=public)) as upstream,
        nginx(
            tmp_path,
            monkeypatch,
            port=front,
            per_connection=30,
            location=f"proxy_pass {upstream.url}; proxy_set_header Host $http_host;",
        ) as server,
    ):
        line = CommandLine.of(tmp_path, upstream)
        line.configuration.write_text(line.configuration.read_text().replace(upstream.url, public))
        said = line.run("sync", "--processes", "2")
        assert said.code == 0, said.err
        assert "100 projects synced" in said.out
        audit(Bench(server=upstream, settings=read_settings(line.configuration, {})))
        bulk = [connection for protocol, connection, _ in server.seen() if protocol == "HTTP/2.0"]
        assert len(bulk) >= 100 + 300
        assert len(set(bulk)) >= len(bulk) // 30
