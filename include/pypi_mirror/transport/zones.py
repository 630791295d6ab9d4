"""Where addresses lead: out onto the internet, or inside, where no upstream out there may have us ask."""

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit


class Zone(IntEnum):
    """Where an address leads; who is in one zone may send us to the same and to those before it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    LINK_LOCAL = 3
    NOWHERE = 4


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Of IPv4, beside what `ipaddress` knows as not global: special or withdrawn (RFC 6890, RFC 7526), and the
# address under which a provider's own services answer its machines.
_INSIDE_V4: Final = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
# Where clouds tell a machine its secrets, though the address is not link-local.
_METADATA: Final = frozenset(
    map(
        ipaddress.ip_address,
        ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"),
    )
)
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")
# Of IPv6, only this is assigned to the internet (RFC 4291, IANA); all else leads inside or nowhere.
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
# Documentation (RFC 9637), which older Pythons do not know.
_INSIDE_V6: Final = (ipaddress.IPv6Network("3fff::/20"),)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
# Addresses that carry one of IPv4 in their last 32 bits: IPv4-compatible, mapped, translated (RFC 4291,
# RFC 2765), and translated by NAT64 (RFC 6052).
_LAST_32: Final = (
    *map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96")),
    _NAT64,
    _LOCAL_NAT64,
)
# ISATAP's interface identifiers, before the 32 bits of IPv4 (RFC 5214).
_ISATAP: Final = frozenset({0x00005EFE, 0x02005EFE})


@lru_cache(maxsize=1024)
def zone_of(host: str) -> Zone | None:
    """The zone of a host that is an address, in any of the ways to write one; None for a name.

    A cloud's metadata service is link-local, an administration's web page on the loopback interface or in a
    private network: nothing that an upstream out there may have us ask. Of an address of IPv6 that
    carries one of IPv4, for a translator or a tunnel on the way, the one that is farther inside counts.
    """
    # A dot at the end says that a name is whole; libcurl and the C library drop it.
    host = host.rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return Zone.LOOPBACK
    address: _Address
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            # libcurl and the C library also read 2852039166, 0xa9fea9fe and 169.254.43518.
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return None
    if isinstance(address, ipaddress.IPv4Address):
        return _zone_of_v4(address)
    return max(_zone_of_v6(address), *map(_zone_of_v4, _carried(address)), Zone.PUBLIC)


def _zone_of_v4(address: ipaddress.IPv4Address) -> Zone:
    if address.is_loopback or address.is_unspecified:
        return Zone.LOOPBACK
    if address.is_link_local or address in _METADATA:
        return Zone.LINK_LOCAL
    if address.is_multicast or address == _BROADCAST:
        return Zone.NOWHERE
    public = address.is_global and not any(address in network for network in _INSIDE_V4)
    return Zone.PUBLIC if public else Zone.PRIVATE


def _zone_of_v6(address: ipaddress.IPv6Address) -> Zone:
    if address.is_loopback or address.is_unspecified:
        return Zone.LOOPBACK
    if address.is_link_local or address in _METADATA:
        return Zone.LINK_LOCAL
    if address.is_multicast:
        return Zone.NOWHERE
    if address.ipv4_mapped is not None or address in _NAT64:
        return Zone.PUBLIC  # where what it carries is
    public = address in _GLOBAL_V6 and not any(address in network for network in _INSIDE_V6)
    return Zone.PUBLIC if public and (address.is_global or address.sixtofour is not None) else Zone.PRIVATE


def _carried(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """The addresses of IPv4 that a translator or a tunnel would take out of ``address``."""
    if address.is_loopback or address.is_unspecified:
        return
    number = int(address)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    last = number & 0xFFFFFFFF
    isatap = (number >> 32) & 0xFFFFFFFF in _ISATAP
    if (isatap or any(address in network for network in _LAST_32)) and (last or address not in _LOCAL_NAT64):
        yield ipaddress.IPv4Address(last)
    if address in _LOCAL_NAT64 and not (number >> 56) & 0xFF:
        # RFC 6052, 2.2: behind a prefix of 48, 56 or 64 bits, around bits 64 to 71, and zeros to the end.
        bits = (number >> 64 << 56) | (number & (1 << 56) - 1)  # without those eight
        for prefix in (48, 56, 64):
            behind = 120 - prefix - 32
            if not bits & ((1 << behind) - 1):
                yield ipaddress.IPv4Address((bits >> behind) & 0xFFFFFFFF)


def leads_inside(host: str, *, base: str) -> bool:
    """Whether ``host`` is an address in a zone that the host ``base`` may not send us to.

    ``base`` may be a name that a private network gives; the loopback interface and a link are for those whose
    own address says that they are there. Where a name leads only a :class:`AddressGuard` can tell.
    """
    zone = zone_of(host)
    if zone is None:
        return False
    own = zone_of(base)
    return _is_beyond(zone, Zone.PRIVATE if own is None else own)


class AddressGuard:
    """Refuses internal addresses that names lead to; asked about each before anything is sent there.

    We may be sent to the zones that upstream itself lies in, and to those before them. ``home`` is upstream's
    own address, a URL, which the settings name and nobody else: its host is connected to wherever it lies,
    and where that is tells the rest. A name that leads to several zones counts for the first of them: who
    lists 127.0.0.1 among the addresses of a name on the internet lies on the internet. ``named`` are other
    URLs that the settings name: their hosts may lie anywhere, and tell nothing of where upstream lies.
    """

    def __init__(self, home: str, *, named: Iterable[str] = ()) -> None:
        self._home = _host(home)
        self._own = zone_of(self._home)
        self._named = frozenset(map(_host, named))

    def refusal(self, url: str, address: str) -> str | None:
        """Why ``address``, to which the host of ``url`` leads, must not be asked; None when it may be."""
        host, zone = _host(url), zone_of(address)
        if zone is None:
            return f"{host} leads to {address!r}, which is not a valid address"
        if host == self._home:
            self._own = zone if self._own is None else min(self._own, zone)
            return None
        if host in self._named:
            return None
        if not _is_beyond(zone, Zone.PUBLIC if self._own is None else self._own):
            return None
        return f"{host} leads to {address}, an internal address (refused)"


def _is_beyond(zone: Zone, own: Zone) -> bool:
    return zone is Zone.NOWHERE or zone > own


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""
