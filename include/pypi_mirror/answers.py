"""What the head of an HTTP answer asks of us: go elsewhere, wait, try again.

One set of rules for both ways to upstream, the bulk transport and the control calls.
"""

from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from pypi_mirror.errors import UpstreamMalformed

MAX_REDIRECTS: Final = 5
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def passes(status: int) -> bool:
    """Whether an answer of this status is upstream's trouble of the moment, worth another try.

    Any 5xx is, those of the caches in front of upstream (520 to 530) included, but for the two that say
    "never": 501 Not Implemented and 505 HTTP Version Not Supported.
    """
    return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))


def parse_retry_after(value: str) -> float | None:
    """The seconds of a Retry-After header, None where there are none (a date counts as none)."""
    value = value.strip()
    return float(value) if value.isascii() and value.isdigit() else None


def redirect_target(url: str, location: str, *, allow_non_https: bool) -> str:
    """The address that an answer from ``url`` sends us to; ``location`` is the header, as Latin-1 text.

    Raises UpstreamMalformed for one that a mirror does not follow: no http(s), https left without
    ``allow_non_https``, a user name or password in it.
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
    return target
