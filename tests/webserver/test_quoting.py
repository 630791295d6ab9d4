"""Settings into nginx's language: what can be quoted is, what cannot is refused with its key."""

import dataclasses
from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.webserver import quoting

SETTINGS = Settings(path=Path("mirror.conf"), directory=Path("/srv/mirror"), master="https://index.example")


def with_site(**values: object) -> Settings:
    return dataclasses.replace(SETTINGS, site=dataclasses.replace(SETTINGS.site, **values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain", '"plain"'),
        ("a b;{c}#d'", '"a b;{c}#d\'"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ('\\"', '"\\\\\\""'),
    ],
)
def test_words_are_quoted(text: str, quoted: str) -> None:
    assert quoting.quote(text) == quoted


@pytest.mark.parametrize("name", ["a$b", "a\nb", "a\x00b", "a\x7fb", "a\udcffb"])
def test_a_path_that_nginx_cannot_write_is_refused_by_its_key(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"mirror\.conf: \[mirror\] directory: "):
        quoting.quote_path(Path("/srv") / name, key="[mirror] directory", settings=SETTINGS)


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="not an absolute path"):
        quoting.quote_path(Path("srv"), key="[mirror] directory", settings=SETTINGS)


def test_wildcards_are_literal_in_an_include() -> None:
    quoted = quoting.quote_include(Path("/srv/[a]*?"), key="[site] config", settings=SETTINGS)
    assert quoted == '"/srv/[[]a][*][?]"'
    # glob(3) takes a backslash as its own, but nginx asks it only about paths that look like patterns.
    both = quoting.quote_include(Path("/srv/a\\b*"), key="[site] config", settings=SETTINGS)
    assert both == '"/srv/a\\\\\\\\b[*]"'
    plain = quoting.quote_include(Path("/srv/a\\b"), key="[site] config", settings=SETTINGS)
    assert plain == '"/srv/a\\\\b"'


@pytest.mark.parametrize(
    ("listen", "port", "address"),
    [
        ("127.0.0.1", 8080, "127.0.0.1:8080"),
        ("0.0.0.0", 80, "0.0.0.0:80"),
        ("::1", 80, "[::1]:80"),
        ("[::]", 80, "[::]:80 ipv6only=off"),
        ("0:0::0", 80, "[::]:80 ipv6only=off"),
        ("*", 80, "*:80"),
        ("localhost", 80, "localhost:80"),
    ],
)
def test_listening_addresses(listen: str, port: int, address: str) -> None:
    assert quoting.listen_addresses(with_site(listen=(listen,), port=port)) == (address,)


@pytest.mark.parametrize(
    ("listen", "addresses"),
    [
        (("127.0.0.1", "10.0.0.7"), ("127.0.0.1:80", "10.0.0.7:80")),
        (("127.0.0.1", "127.0.0.1"), ("127.0.0.1:80",)),
        (("::", "[::]"), ("[::]:80 ipv6only=off",)),
        (("::", "::1"), ("[::]:80 ipv6only=off", "[::1]:80")),
        # Linux has no two sockets for one address.
        (("0.0.0.0", "::"), ("0.0.0.0:80", "[::]:80 ipv6only=on")),
        (("::", "127.0.0.1"), ("[::]:80 ipv6only=on", "127.0.0.1:80")),
    ],
)
def test_lists_of_listening_addresses(listen: tuple[str, ...], addresses: tuple[str, ...]) -> None:
    assert quoting.listen_addresses(with_site(listen=listen, port=80)) == addresses


def test_no_listening_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] listen"):
        quoting.listen_addresses(with_site(listen=()))


@pytest.mark.parametrize("listen", ["", "a b", "host;", "unix:/x", "127.0.0.1:80", "x}", "a\nb", "-x"])
def test_a_listening_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] listen"):
        quoting.listen_addresses(with_site(listen=("127.0.0.1", listen)))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] port"):
        quoting.listen_addresses(with_site(port=port))


@pytest.mark.parametrize(
    "host", ["", "a b", "a;b", "a{", 'a"', "a\nb", "$host", "~^x", "*.x", "a..b", ".a", "a/b", "-a.b"]
)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] host"):
        quoting.server_name(with_site(host=host))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost", "localhost"),
        ("pypi.lab.example", "pypi.lab.example"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "[::1]"),
    ],
)
def test_hosts(host: str, name: str) -> None:
    assert quoting.server_name(with_site(host=host)) == name


@pytest.mark.parametrize("prefix", ["", "/pypi", "/a/b.c/d-e_f~g"])
def test_prefixes(prefix: str) -> None:
    assert quoting.site_prefix(with_site(prefix=prefix)) == prefix


@pytest.mark.parametrize(
    "prefix",
    [
        "/",
        "pypi",
        "/pypi/",
        "/a//b",
        "/a b",
        "/a;",
        "/a{",
        '/"',
        "/$x",
        "/..",
        "/.x",
        "/@json",
        "/a\n",
        "/%20",
    ],
)
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] prefix"):
        quoting.site_prefix(with_site(prefix=prefix))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/pypi",
        "h/pypi",
        "http:///pypi",
        "http://user:word@h/pypi",
        "http://h/py pi",
        "http://h/\n[global]",
        'http://h/"',
        "http://h/'",
        "http://h/<b>",
        "http://h/?q",
        "http://h/#f",
        "http://h:99999/",
        "http://[::1/",
        "http://h/$(id)",
        "http://h/`id`",
        "http://h/&id",
        "http://h/(id)",
    ],
)
def test_a_public_url_that_would_harm_a_client_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\[site\] public-url"):
        quoting.public_url(with_site(public_url=url))


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:81/pypi"),
        ("0.0.0.0", "http://127.0.0.1:81/pypi"),
        ("*", "http://127.0.0.1:81/pypi"),
        ("::", "http://[::1]:81/pypi"),
        ("[::1]", "http://[::1]:81/pypi"),
    ],
)
def test_where_the_server_next_door_answers(listen: str, url: str) -> None:
    assert quoting.local_url(Site(listen=(listen, "10.0.0.7"), port=81)) == url


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://mirror.example", ""),
        ("https://mirror.example/", ""),
        ("http://mirror.example:8080/pypi", "/pypi"),
        ("https://mirror.example/a/b.c/", "/a/b.c"),
    ],
)
def test_the_path_that_clients_are_told(url: str, path: str) -> None:
    assert quoting.public_path(with_site(public_url=url)) == path


def test_a_server_in_another_container_answers_where_the_settings_say() -> None:
    site = Site(listen=("0.0.0.0",), port=81, probe_url="http://nginx:8080/pypi")
    assert quoting.local_url(site) == "http://nginx:8080/pypi"
