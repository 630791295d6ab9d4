"""Where files are downloaded from: where upstream's page says, or a nearer mirror first."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import urlsplit

from pypi_mirror.digests import checkable
from pypi_mirror.errors import UpstreamError, UpstreamUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

# A mirror that fails so often in a row is down: to ask it again for each file would take hours.
_GIVEN_UP_AFTER: Final = 8
_POOL: Final = "/packages/"


class Sources:
    """The addresses of a file; belongs to one batch.

    ``mirror`` is the site of a mirror that has files at the same paths, ``packages/…``, with no trailing
    slash. It is asked first, and upstream for what it does not have, or has with other bytes; without
    ``fallback`` it alone. Nothing comes from there that no digest of upstream's vouches for.
    """

    def __init__(self, mirror: str | None = None, *, fallback: bool = True) -> None:
        self._mirror = mirror
        self._fallback = fallback
        self._failed = 0

    def of(self, url: str, hashes: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
        """The addresses of what upstream has at ``url`` with these digests, in their order."""
        if self._mirror is None or not checkable(hashes) or (self._fallback and self._is_given_up):
            return (url,)
        path = urlsplit(url).path
        _, pool, rest = path.partition(_POOL)
        nearer = f"{self._mirror}{pool}{rest}" if pool else f"{self._mirror}{path}"
        return (nearer, url) if self._fallback else (nearer,)

    async def first(self, addresses: tuple[str, ...], fetch: Callable[[str], Awaitable[T]]) -> T:
        """What ``fetch`` returns of the first address that has it, None being nothing; at the last one, what
        it returns or raises.
        """
        for address in addresses[:-1]:
            try:
                found = await fetch(address)
            except UpstreamError as error:
                self._note(error)
            else:
                self._failed = 0
                if found is not None:
                    return found
        return await fetch(addresses[-1])

    def _note(self, error: UpstreamError) -> None:
        if not isinstance(error, UpstreamUnavailable):
            log.debug("%s; upstream is asked", error)
            return
        self._failed += 1
        if self._is_given_up:
            log.warning("download-mirror does not answer: %s; this batch takes files from upstream", error)

    @property
    def _is_given_up(self) -> bool:
        return self._failed >= _GIVEN_UP_AFTER
