"""What the head of an HTTP answer asks of us: go elsewhere, wait, try again.

One set of rules for both ways to upstream, the bulk transport and the control calls.
"""

import ipaddress
import socket
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import IntEnum
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamUnavailable

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REFUSALS: Final = frozenset({401, 403, 407, 451})


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
    own address says that they are there.
    """
    zone = zone_of(host)
    if zone is None:
        return False
    own = zone_of(base)
    return zone is Zone.NOWHERE or zone > (Zone.PRIVATE if own is None else own)


def passes(status: int) -> bool:
    """Whether an answer of this status is upstream's trouble of the moment, worth another try.

    Any 5xx is, those of the caches in front of upstream (520 to 530) included, but for the two that say
    "never": 501 Not Implemented and 505 HTTP Version Not Supported.
    """
    return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))


def failure(url: str, status: int, retry_after: float | None) -> UpstreamError:
    """The error that an answer is which cannot be used."""
    message = f"answered {status}"
    if passes(status):
        return UpstreamUnavailable(message, url=url, retry_after=retry_after)
    return (UpstreamRefused if status in _REFUSALS else UpstreamError)(message, url=url)


def parse_retry_after(value: str, now: Callable[[], float] = time.time) -> float | None:
    """The seconds to wait that a Retry-After header asks for (RFC 9110, 10.2.3), None where it asks nothing.

    It has seconds or a date, in any of HTTP's three forms; a date that has passed asks for no wait.
    """
    value = value.strip()
    if not value.isascii():
        return None
    if value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # Dates are in GMT (RFC 9110, 5.6.7), and asctime's form does not say so.
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now())


def redirect_target(url: str, location: str, *, allow_non_https: bool) -> str:
    """The address that an answer from ``url`` sends us to; ``location`` is the header, as Latin-1 text.

    Raises UpstreamMalformed for one that a mirror does not follow: no http(s), https left without
    ``allow_non_https``, a user name or password in it, an address inside (see :func:`leads_inside`).
    """
    # Some servers put raw UTF-8 or spaces there; an address is ASCII (RFC 3986).
    encoded = quote(location.encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        target = urljoin(url, encoded)
        parts = urlsplit(target)
        _ = parts.port
    except ValueError as error:
        raise UpstreamMalformed(f"redirects to {location[:300]!r}, which is no address", url=url) from error
    allowed = {"http", "https"} if allow_non_https else {"https", urlsplit(url).scheme}
    if parts.scheme not in allowed or not parts.hostname or parts.username is not None:
        raise UpstreamMalformed(f"redirects to {target[:300]!r}, which is not followed", url=url)
    if leads_inside(parts.hostname, base=urlsplit(url).hostname or ""):
        raise UpstreamMalformed(
            f"redirects to {target[:300]!r}, an address inside; a mirror does not ask there for one outside",
            url=url,
        )
    return target
