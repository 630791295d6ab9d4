"""Names that lead inside: refused before a connection is made, for a connection and not for a request."""

import asyncio
import fcntl
import os
import socket
from pathlib import Path

import pytest

from pypi_mirror.errors import UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request
from pypi_mirror.transport.zones import AddressGuard
from tests.transport.names import Leads
from tests.upstream.raw_server import RawServer, answer, saying

HOME = "http://index.example"


def port_of(server: RawServer) -> str:
    return server.url.rpartition(":")[2]


def statuses(home: str, *urls: str, proxy: str | None = None) -> list[int]:
    async def run() -> list[int]:
        async with CurlTransport(
            workers=4, timeout=5, global_timeout=10, proxy=proxy, address_guard=AddressGuard(home)
        ) as opened:
            return [(await opened.get(Request(url=url))).status for url in urls]

    return asyncio.run(run())


def test_a_name_that_leads_inside_is_not_connected_to(leads: Leads) -> None:
    with saying(lambda _: answer()) as server:
        port = port_of(server)
        leads(f"files.example:{port}:127.0.0.1")
        with pytest.raises(
            UpstreamMalformed, match=r"files\.example leads to 127\.0\.0\.1, an internal address"
        ):
            statuses(HOME, f"http://files.example:{port}/x")
    assert server.connections == 0


def test_an_address_of_ipv6_is_an_address(leads: Leads) -> None:
    leads("files.example:80:[fd00::5]")
    with pytest.raises(UpstreamMalformed, match="leads to fd00::5, an internal address"):
        statuses(HOME, "http://files.example/x")


def test_an_address_that_only_libcurl_reads_is_looked_at_too() -> None:
    with pytest.raises(UpstreamMalformed, match=r"leads to 169\.254\.169\.254, an internal address"):
        statuses("http://127.0.0.1", "http://169.254.169%2e254/latest/")


def test_a_redirect_to_a_name_that_leads_inside_is_refused(leads: Leads) -> None:
    with saying(lambda _: answer(302, b"", "Location: http://meta.example/latest/")) as server:
        port = port_of(server)
        leads(f"index.example:{port}:127.0.0.1", "meta.example:80:169.254.169.254")
        with pytest.raises(UpstreamMalformed, match=r"meta\.example leads to 169\.254\.169\.254"):
            statuses(HOME, f"{HOME}:{port}/")
    assert len(server.heard) == 1


def test_upstream_may_lie_inside_and_so_may_what_it_names(leads: Leads) -> None:
    with saying(lambda _: answer()) as server:
        port = port_of(server)
        leads(f"index.example:{port}:127.0.0.1", f"files.example:{port}:127.0.0.1")
        assert statuses(HOME, f"{HOME}:{port}/", f"http://files.example:{port}/x") == [200, 200]


def test_of_several_addresses_one_that_may_be_asked_is(leads: Leads) -> None:
    with saying(lambda _: answer()) as server:
        port = port_of(server)
        leads(f"files.example:{port}:169.254.169.254,127.0.0.1")
        assert statuses("http://127.0.0.1", f"http://files.example:{port}/x") == [200]


def test_a_connection_that_fails_is_no_refusal(leads: Leads) -> None:
    with saying(lambda _: answer()) as server:
        port = port_of(server)
    leads(f"index.example:{port}:127.0.0.1")
    with pytest.raises(UpstreamUnavailable):
        statuses(HOME, f"{HOME}:{port}/")


def test_a_proxy_looks_names_up_itself() -> None:
    with saying(lambda _: answer()) as server:
        assert statuses(HOME, "http://files.example/x", proxy=server.url) == [200]


def test_a_proxy_of_the_environment_does_so_too(leads: Leads, monkeypatch: pytest.MonkeyPatch) -> None:
    with saying(lambda _: answer()) as server:
        port = port_of(server)
        leads(f"direct.example:{port}:127.0.0.1")
        monkeypatch.setenv("http_proxy", server.url)
        monkeypatch.setenv("no_proxy", "direct.example")
        assert statuses(HOME, "http://files.example/x") == [200]
        with pytest.raises(UpstreamMalformed, match="leads to 127"):
            statuses(HOME, f"http://direct.example:{port}/x")
    assert len(server.heard) == 1


def test_connections_are_kept_and_as_libcurl_makes_them() -> None:
    async def run(url: str) -> list[int]:
        async with CurlTransport(
            workers=4, timeout=5, global_timeout=10, address_guard=AddressGuard(url)
        ) as opened:
            for number in range(5):
                await opened.get(Request(url=f"{url}/{number}"))
            return [check(each) for each in connections_to(int(url.rpartition(":")[2]))]

    def check(descriptor: int) -> int:
        assert not os.get_inheritable(descriptor)
        assert fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_NONBLOCK
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        return descriptor

    with saying(lambda _: answer()) as server:
        assert len(asyncio.run(run(server.url))) == 1
        assert connections_to(int(port_of(server))) == []
    assert (server.connections, len(server.heard)) == (1, 5)


def connections_to(port: int) -> list[int]:
    """This process's descriptors of connections to that port."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            with socket.socket(fileno=os.dup(int(each.name))) as connection:
                internet = connection.family == socket.AF_INET
                if internet and connection.getpeername()[1] == port:
                    found.append(int(each.name))
        except OSError:  # no socket, or not connected
            pass
    return found
