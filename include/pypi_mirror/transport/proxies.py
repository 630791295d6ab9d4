"""Which proxy a request goes through: one decision for every call to upstream."""

import ipaddress
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Proxy(Struct, frozen=True):
    """``address`` is without user name and password, so that no message of libcurl's can show them."""

    address: str
    user: str | None = None
    password: str | None = None


class Proxies:
    """The proxy of the settings for every address, else those of the environment for each scheme.

    ``http_proxy``, ``https_proxy`` and ``all_proxy`` count in lower and upper case, lower case first. Hosts
    of ``no_proxy`` are reached directly, whatever named the proxy: names with all below them, addresses,
    networks (10.0.0.0/8), each with a port or without, ``*`` for all.
    """

    def __init__(self, option: str | None, environ: Mapping[str, str] = os.environ) -> None:
        named = {key.lower(): value for key, value in environ.items() if key.lower().endswith("_proxy")}
        named |= {key: value for key, value in environ.items() if key.endswith("_proxy")}
        if "REQUEST_METHOD" in environ and "http_proxy" not in environ:
            named.pop("http_proxy", None)  # in a CGI script, that is a header of the client's (CVE-2016-5385)
        everywhere = option or named.get("all_proxy")
        self._by_scheme = {
            scheme: _proxy(value)
            for scheme in _DEFAULT_PORTS
            if (value := option or named.get(f"{scheme}_proxy") or everywhere)
        }
        self._direct = tuple(filter(None, named.get("no_proxy", "").lower().replace(",", " ").split()))

    def __bool__(self) -> bool:
        return bool(self._by_scheme)

    def of(self, url: str) -> Proxy | None:
        """The proxy for ``url``; None for one that is reached directly."""
        parts = urlsplit(url)
        proxy = self._by_scheme.get(parts.scheme)
        if proxy is None:
            return None
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return None if any(_matches(entry, host, port) for entry in self._direct) else proxy


def _proxy(url: str) -> Proxy:
    before, separator, rest = url.rpartition("://")
    userinfo, _, place = rest.rpartition("@")
    user, colon, password = userinfo.partition(":")
    return Proxy(
        f"{before or 'http'}://{place}" if separator else f"http://{place}",
        unquote(user) if userinfo else None,
        unquote(password) if colon else None,
    )


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name
    entry = entry.removeprefix("*").strip(".").removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return host == entry or (bool(entry) and host.endswith(f".{entry}"))
