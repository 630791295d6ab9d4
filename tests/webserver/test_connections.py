"""Where nginx listens, and how many connections it takes: of one address, of all, and of those that stall."""

import dataclasses
import http.client
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pypi_mirror.settings.values import Settings
from tests.requirements_present import skip_without
from tests.webserver.sites import BINARIES, FILE, FILE_BYTES, serving, settings_for

pytestmark = pytest.mark.servers

_HALF_OPEN = 2_300


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as attempt:
            attempt.bind(("::1", 0))
    except OSError:
        return False
    return True


def _other_address() -> str | None:
    """An address of this machine that is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as attempt:
        try:
            # Nothing is sent: the kernel says which address it would send from.
            attempt.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = attempt.getsockname()[0]
        return address


@pytest.fixture(params=BINARIES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    return settings_for(tmp_path, nginx=str(request.param))


def with_site(settings: Settings, **values: object) -> Settings:
    return dataclasses.replace(settings, site=dataclasses.replace(settings.site, **values))  # type: ignore[arg-type]


def status_at(address: str, settings: Settings, path: str = "/simple/") -> int:
    connection = http.client.HTTPConnection(address, settings.site.port, timeout=5)
    try:
        connection.request("GET", settings.site.prefix + path)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


@skip_without(_has_ipv6(), "IPv6 on the loopback")
@pytest.mark.parametrize(
    ("listen", "answering", "silent"),
    [
        (("::",), ("127.0.0.1", "::1"), ()),
        (("0.0.0.0", "::"), ("127.0.0.1", "::1"), ()),
        (("127.0.0.1", "::1"), ("127.0.0.1", "::1"), ("127.0.0.2",)),
        (("::", "127.0.0.2"), ("127.0.0.2", "::1"), ("127.0.0.1",)),
        (("127.0.0.2", "127.0.0.3"), ("127.0.0.2", "127.0.0.3"), ("127.0.0.1", "::1")),
    ],
)
def test_it_listens_where_it_is_told(
    settings: Settings, listen: tuple[str, ...], answering: tuple[str, ...], silent: tuple[str, ...]
) -> None:
    told = with_site(settings, listen=listen)
    with serving(told):
        for address in answering:
            assert status_at(address, told) == 200, address
        for address in silent:
            with pytest.raises(ConnectionRefusedError):
                status_at(address, told)


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _HALF_OPEN
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"needs {wanted} open files, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("begun", [b"", b"GET /pypi/simple/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_connections_that_never_ask_keep_nobody_else_out(
    settings: Settings, many_files: None, begun: bytes
) -> None:
    with serving(settings) as site, ExitStack() as stack:
        for _ in range(_HALF_OPEN):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", settings.site.port), timeout=5)
            )
            connection.sendall(begun)
        assert site.get("/simple/").status == 200
        assert site.get(f"/{FILE}").body == FILE_BYTES


def test_half_a_request_is_given_up(settings: Settings) -> None:
    with (
        serving(settings),
        socket.create_connection(("127.0.0.1", settings.site.port), timeout=60) as connection,
    ):
        connection.sendall(b"GET /pypi/simple/ HTTP/1.1\r\nHost: ")
        with suppress(ConnectionResetError):
            assert connection.recv(1) in {b"", b"H"}


@skip_without(_other_address(), "an address that is not the loopback")
def test_one_address_has_its_share_and_this_machine_is_not_limited(settings: Settings) -> None:
    address = _other_address() or ""
    limited = with_site(settings, listen=("0.0.0.0",), connections_per_client=1)
    with serving(limited) as site:
        asked = [http.client.HTTPConnection(address, limited.site.port, timeout=10) for _ in range(20)]
        refused = []
        for connection in asked:
            connection.request("GET", "/pypi/simple/", headers={"Origin": "https://lab.example"})
            response = connection.getresponse()
            response.read()
            connection.close()
            if response.status != 200:
                refused.append(response)
        assert refused, "twenty within a moment, where five may be"
        for response in refused:
            assert response.status == 429
            assert response.getheader("Retry-After") == "1"
            assert response.headers.get_all("Access-Control-Allow-Origin") == ["*"]
        assert {site.get("/simple/").status for _ in range(30)} == {200}


@skip_without(_other_address(), "an address that is not the loopback")
@pytest.mark.parametrize("per_client", [1000, 0], ids=["by-default", "unlimited"])
def test_a_laboratory_behind_one_address_is_served(settings: Settings, per_client: int) -> None:
    address = _other_address() or ""
    lab = with_site(settings, listen=("0.0.0.0",), connections_per_client=per_client)
    with serving(lab), ThreadPoolExecutor(50) as clients:
        statuses = list(clients.map(lambda _: status_at(address, lab, f"/{FILE}"), range(1_000)))
    assert set(statuses) == {200}
