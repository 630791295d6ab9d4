"""What the head of an HTTP answer asks of us: go elsewhere, wait, try again.

One set of rules for both ways to upstream, the bulk transport and the control calls.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from msgspec import Struct

from pypi_mirror.errors import UpstreamError, UpstreamMalformed, UpstreamRefused, UpstreamUnavailable
from pypi_mirror.plain_text import without_secrets
from pypi_mirror.transport.login import LOGIN_ADVICE
from pypi_mirror.transport.zones import leads_inside

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REFUSALS: Final = frozenset({401, 403, 407, 451})


def passes(status: int) -> bool:
    """Whether an answer of this status is upstream's trouble of the moment, worth another try.

    Any 5xx is, those of the caches in front of upstream (520 to 530) included, but for the two that say
    "never": 501 Not Implemented and 505 HTTP Version Not Supported.
    """
    return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))


def failure(url: str, status: int, retry_after: float | None) -> UpstreamError:
    """The error that an answer is which cannot be used."""
    message = f"answered {status}. {LOGIN_ADVICE}" if status == 401 else f"answered {status}"
    if passes(status):
        return UpstreamUnavailable(message, url=url, retry_after=retry_after, answered=True)
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
    date = parse_date(value)
    return None if date is None else max(0.0, date - now())


def parse_date(value: str) -> float | None:
    """An HTTP date as seconds since 1970, None for what is none."""
    try:
        date = parsedate_to_datetime(value)
        # Dates are in GMT (RFC 9110, 5.6.7), and asctime's form does not say so.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def redirect_target(url: str, location: str, *, allow_non_https: bool) -> str:
    """The address that an answer from ``url`` sends us to; ``location`` is the header, as Latin-1 text.

    Raises UpstreamMalformed for one that a mirror does not follow: no http(s), https left without
    ``allow_non_https``, a user name or password in it, an internal address (see ``zones``).
    """
    # Some servers put raw UTF-8 or spaces there; an address is ASCII (RFC 3986).
    encoded = quote(location.encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        target = urljoin(url, encoded)
        parts = urlsplit(target)
        _ = parts.port
    except ValueError as error:
        raise UpstreamMalformed(
            f"redirects to {without_secrets(location)[:300]!r}, which is not a valid address", url=url
        ) from error
    allowed = {"http", "https"} if allow_non_https else {"https", urlsplit(url).scheme}
    if parts.scheme not in allowed or not parts.hostname or parts.username is not None:
        raise UpstreamMalformed(
            f"redirects to {without_secrets(target)[:300]!r}, which is not followed", url=url
        )
    if leads_inside(parts.hostname, base=urlsplit(url).hostname or ""):
        raise UpstreamMalformed(
            f"redirects to {target[:300]!r}, an internal address (refused)",
            url=url,
        )
    return target


class Lead(Struct, frozen=True, kw_only=True):
    """By how many seconds a clock of ours is ahead of a server's: by ``least`` at least, ``most`` at most.

    The two differ for an answer out of a cache: some caches leave the Date of the time when they got it
    (RFC 9111, 4.2.3), others put the present time there, and both say beside it how old it is.
    """

    least: float
    most: float

    @classmethod
    def of(cls, headers: Mapping[str, str], now: float) -> "Lead | None":
        """What an answer that came at ``now`` tells; None when it has no date."""
        date = parse_date(headers.get("Date", ""))
        if date is None:
            return None
        age = headers.get("Age", "").strip()
        # RFC 9111, 1.2.2: a number of any length.
        old = float(age[:10]) if age.isascii() and age.isdigit() else 0.0
        return cls(least=now - date - old, most=now - date)

    def merged(self, other: "Lead | None") -> "Lead":
        """What two answers of about the same time tell: the clock is no further ahead than either says."""
        if other is None:
            return self
        return Lead(least=min(self.least, other.least), most=min(self.most, other.most))
