"""Which proxy a request goes through, by one rule for every call; and that no proxy is a way inside."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from pypi_mirror.errors import UpstreamError, UpstreamMalformed
from pypi_mirror.transport.curl import CurlTransport
from pypi_mirror.transport.messages import Request
from pypi_mirror.transport.patience import Patience
from pypi_mirror.transport.proxies import Proxies, Proxy
from pypi_mirror.transport.zones import AddressGuard
from pypi_mirror.upstream.control import Control
from tests.transport.names import Leads
from tests.upstream.raw_server import RawServer, answer, saying

HOME = "http://index.example"
URL = f"{HOME}/simple/"
Ask = Callable[[str, str | None], bytes]


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, URL, None),
        ({"http_proxy": "http://p:1"}, URL, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, URL, "http://p:1"),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": "http://q:2"}, URL, "http://q:2"),
        ({"HTTP_PROXY": "http://p:1", "http_proxy": ""}, URL, None),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, URL, None),
        ({"http_proxy": "p:1"}, URL, "http://p:1"),
        ({"https_proxy": "http://p:1"}, URL, None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://index.example/", "http://p:1"),
        ({"all_proxy": "socks5h://p:1"}, URL, "socks5h://p:1"),
        ({"ALL_PROXY": "http://p:1", "http_proxy": "http://q:2"}, URL, "http://q:2"),
        ({"http_proxy": "http://p:1", "NO_PROXY": "index.example"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": "other.example, EXAMPLE"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": ".example"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": "*.example"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": "x.example"}, URL, "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "dex.example"}, URL, "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "index.example:80"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": "index.example:81"}, URL, "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "*"}, URL, None),
        ({"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3/", None),
        ({"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3/", "http://p:1"),
        ({"http_proxy": "http://p:1", "no_proxy": "::1,[fd00::1]:80"}, "http://[fd00::1]/", None),
    ],
)
def test_of_the_environment(environ: Mapping[str, str], url: str, proxy: str | None) -> None:
    assert Proxies(None, environ).of(url) == (None if proxy is None else Proxy(proxy))


def test_that_of_the_settings_goes_before_and_no_proxy_counts_for_it_too() -> None:
    proxies = Proxies("http://me:p%40ss@p:1", {"http_proxy": "http://q:2", "NO_PROXY": "vm"})
    assert proxies.of(URL) == Proxy("http://p:1", "me", "p@ss")
    assert proxies.of("http://vm:8080/x") is None


def in_bulk(url: str, proxy: str | None) -> bytes:
    async def run() -> bytes:
        async with CurlTransport(
            workers=2, timeout=5, global_timeout=10, proxy=proxy, address_guard=AddressGuard(HOME)
        ) as opened:
            return (await opened.get(Request(url=url))).body

    return asyncio.run(run())


def by_control(url: str, proxy: str | None) -> bytes:
    control = Control(
        timeout=5,
        global_timeout=10,
        proxy=proxy,
        patience=Patience(attempts=1),
        address_guard=AddressGuard(HOME),
    )
    try:
        return control.call("GET", url, max_bytes=1000).body
    finally:
        control.close()


@pytest.fixture(params=[in_bulk, by_control])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param  # type: ignore[no-any-return]


def port_of(server: RawServer) -> str:
    return server.url.rpartition(":")[2]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_every_call_goes_through_that_of_the_environment(
    ask: Ask, variable: str, leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads()
    with saying(lambda _: answer(200, b"by proxy")) as server:
        monkeypatch.setenv(variable, server.url)
        assert ask(URL, None) == b"by proxy"
    assert server.heard[0].path == URL


def test_what_no_proxy_names_is_reached_directly_and_not_inside(
    ask: Ask, leads: Leads, monkeypatch: pytest.MonkeyPatch
) -> None:
    with saying(lambda _: answer()) as proxy, saying(lambda _: answer()) as inside:
        leads(f"vm:{port_of(inside)}:127.0.0.1")
        monkeypatch.setenv("NO_PROXY", "vm")
        with pytest.raises(UpstreamMalformed, match=r"vm leads to 127\.0\.0\.1, an internal address"):
            ask(f"http://vm:{port_of(inside)}/x.whl", proxy.url)
    assert (proxy.connections, inside.connections) == (0, 0)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "169.254.169.254", "2130706433"]
)
def test_no_proxy_is_asked_for_an_internal_address(ask: Ask, leads: Leads, host: str) -> None:
    leads()
    with (
        saying(lambda _: answer()) as proxy,
        pytest.raises(UpstreamMalformed, match="an internal address"),
    ):
        ask(f"http://{host}/x.whl", proxy.url)
    assert proxy.connections == 0


def test_a_redirect_through_a_proxy_leads_no_more_inside(ask: Ask, leads: Leads) -> None:
    leads()
    with (
        saying(lambda _: answer(302, b"", "Location: http://10.0.0.1/x")) as proxy,
        pytest.raises(UpstreamMalformed, match="an internal address"),
    ):
        ask(URL, proxy.url)
    assert [heard.path for heard in proxy.heard] == [URL]


@pytest.mark.parametrize("proxy", ["http://me:hunter2@127.0.0.1:1", "nonsense://me:hunter2@127.0.0.1:1"])
def test_no_error_shows_a_secret_of_a_proxy(ask: Ask, leads: Leads, proxy: str) -> None:
    leads()
    with pytest.raises(UpstreamError) as caught:
        ask(URL, proxy)
    assert "hunter2" not in str(caught.value)


def test_a_proxy_is_told_who_we_are(ask: Ask, leads: Leads) -> None:
    leads()
    with saying(lambda _: answer(200, b"x")) as proxy:
        ask(URL, proxy.url.replace("//", "//me:p%40ss@"))
    assert proxy.heard[0].headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
