"""Lets `requests` connect only where a border lets it."""

import socket
from collections.abc import Callable
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from pypi_mirror.errors import UpstreamMalformed
from pypi_mirror.zones import Border


class BorderAdapter(HTTPAdapter):
    """Raises UpstreamMalformed for a host that leads across ``border``, before anything is sent there.

    Connections to a proxy of the environment come from elsewhere in `requests`, and are not looked at.
    """

    def __init__(self, border: Border) -> None:
        self._border = border
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._border)


def _pools(border: Border) -> dict[str, type[HTTPConnectionPool]]:
    """The pools of urllib3 by scheme, for connections that are looked at before anything is sent."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(border, "http", self, super()._new_conn)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(border, "https", self, super()._new_conn)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _opened(
    border: Border, scheme: str, connection: HTTPConnection, connect: Callable[[], socket.socket]
) -> socket.socket:
    """A connected socket. The name is looked up first: inside, nobody may even be knocked at."""
    host = connection.host
    url = (
        f"{scheme}://[{host}]:{connection.port}/" if ":" in host else f"{scheme}://{host}:{connection.port}/"
    )
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        found = []  # connecting says why
    refusals = [border.refusal(url, str(address[0])) for *_, address in found]
    if refusals and None not in refusals:
        raise UpstreamMalformed(str(refusals[0]), url=url)
    opened = connect()
    # The second look-up may have said something else, and of several addresses any may be the one.
    refused = border.refusal(url, opened.getpeername()[0])
    if refused is not None:
        opened.close()
        raise UpstreamMalformed(refused, url=url)
    return opened
