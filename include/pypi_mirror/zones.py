"""Where addresses lead: out onto the internet, or inside, where no upstream out there may have us ask."""

import ipaddress
import socket
from enum import IntEnum
from functools import lru_cache
from urllib.parse import urlsplit


class Zone(IntEnum):
    """Where an address leads; who is in one zone may send us to the same and to those before it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    LINK_LOCAL = 3
    NOWHERE = 4


@lru_cache(maxsize=1024)
def zone_of(host: str) -> Zone | None:
    """The zone of a host that is an address, in any of the ways to write one; None for a name.

    A cloud's metadata service is link-local, an administration's web page on the loopback interface or in a
    private network: nothing that an upstream out there may have us ask.
    """
    # A dot at the end says that a name is whole; libcurl and the C library drop it.
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return Zone.LOOPBACK
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # libcurl and the C library also read 2852039166, 0xa9fea9fe and 169.254.43518.
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback or address.is_unspecified:
        return Zone.LOOPBACK
    if address.is_link_local:
        return Zone.LINK_LOCAL
    if address.is_multicast:
        return Zone.NOWHERE
    return Zone.PUBLIC if address.is_global else Zone.PRIVATE


def leads_inside(host: str, *, base: str) -> bool:
    """Whether ``host`` is an address in a zone that the host ``base`` may not send us to.

    ``base`` may be a name that a private network gives; the loopback interface and a link are for those whose
    own address says that they are there. Where a name leads only a :class:`Border` can tell.
    """
    zone = zone_of(host)
    if zone is None:
        return False
    own = zone_of(base)
    return _is_beyond(zone, Zone.PRIVATE if own is None else own)


class Border:
    """Keeps names from leading inside: asked about every address before anything is sent there.

    We may be sent to the zones that upstream itself lies in, and to those before them. ``home`` is upstream's
    own address, a URL, which the settings name and nobody else: its host is connected to wherever it lies,
    and where that is tells the rest. A name that leads to several zones counts for the first of them: who
    lists 127.0.0.1 among the addresses of a name on the internet lies on the internet.
    """

    def __init__(self, home: str) -> None:
        self._home = _host(home)
        self._own = zone_of(self._home)

    def refusal(self, url: str, address: str) -> str | None:
        """Why ``address``, to which the host of ``url`` leads, must not be asked; None when it may be."""
        host, zone = _host(url), zone_of(address)
        if zone is None:
            return f"{host} leads to {address!r}, which is no address"
        if host == self._home:
            self._own = zone if self._own is None else min(self._own, zone)
            return None
        if not _is_beyond(zone, Zone.PUBLIC if self._own is None else self._own):
            return None
        return f"{host} leads to {address}, an address inside; a mirror does not ask there for one outside"


def _is_beyond(zone: Zone, own: Zone) -> bool:
    return zone is Zone.NOWHERE or zone > own


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
