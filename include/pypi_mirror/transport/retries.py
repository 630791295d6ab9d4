"""Trying requests again, on behalf of a whole batch: what one request alone cannot know.

A *budget* keeps a sick upstream from getting several times the load. A *breaker* tells an upstream that is
down from a project that fails: when the tries of a request are used up and nothing begun since then was
answered, upstream is asked for something that it had a moment ago. Where not even that comes, all requests
wait, and one alone keeps asking.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeVar

from pypi_mirror.errors import (
    MirrorError,
    UpstreamDown,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamUnavailable,
)
from pypi_mirror.transport.answers import failure
from pypi_mirror.transport.messages import Request, Transport
from pypi_mirror.transport.patience import Patience, Tries

log = logging.getLogger(__name__)

T = TypeVar("T")

NO_CACHE: Final = "Cache-Control: no-cache"
# Retries may be so many, and every third request beyond. With a third of all requests failing at random
# every project still arrives; an upstream that is worse off is not asked more often for it.
_FLOOR: Final = 100
_SHARE: Final = 1 / 3


class Retries:
    """Tries requests of one kind (pages, or files) again; belongs to one batch.

    ``index`` is the address of upstream's root index: something it is known to have as long as nothing else
    is.
    """

    __slots__ = (
        "_begun", "_down", "_known_good", "_latest", "_out", "_outages", "_retried", "_transport", "_verdict",
        "patience",
    )  # fmt: skip

    def __init__(self, transport: Transport, patience: Patience, *, index: str) -> None:
        self.patience = patience
        self._transport = transport
        self._known_good = index
        # Requests are numbered as they begin; the latest of those that were answered.
        self._begun = 0
        self._latest = 0
        self._retried = 0
        self._outages = 0
        # True while nobody is answered, until the lock's owner finds that over; for ever once it is down.
        self._out = False
        self._down: UpstreamDown | None = None
        self._verdict = asyncio.Lock()

    async def run(self, url: str, attempt: Callable[[MirrorError | None], Awaitable[T]]) -> T:
        """What ``attempt`` returns, tried again on what passes; it is told what ended the try before it.

        ``url`` is what it asks for. Raises the last error of ``attempt``, and UpstreamDown.
        """
        if self._out:
            await self._until_over()
        outages = self._outages
        self._begun = begun = self._begun + 1
        try:
            result = await attempt(None)
        except MirrorError as error:
            return await self._again(url, attempt, error, begun, outages)
        if begun > self._latest:
            self._latest = begun
        self._known_good = url
        return result

    async def is_allowed(self, delays: Iterator[float]) -> bool:
        """Take a retry from the budget; while it has none, wait through ``delays``, to their end at most."""
        while self._retried >= _FLOOR + _SHARE * self._begun:
            delay = next(delays, None)
            if delay is None:
                return False
            await self.patience.sleep(delay)
        self._retried += 1
        return True

    async def _again(
        self,
        url: str,
        attempt: Callable[[MirrorError | None], Awaitable[T]],
        error: MirrorError,
        begun: int,
        outages: int,
    ) -> T:
        """The tries after the first, whose number was ``begun``, when there had been so many ``outages``."""
        tries = Tries(self.patience)
        while (pause := tries.pause_after(error)) is not None:
            failed_at = self._begun
            if self._retried == self._latest == 0:
                # Somebody may be waiting for a first answer: say why there is none.
                log.warning("%s; trying again", error)
            await self.patience.sleep(pause)
            if not await self.is_allowed(tries.delays):
                break
            self._begun = number = self._begun + 1
            try:
                result = await attempt(error)
            except MirrorError as again:
                error, begun = again, failed_at
            else:
                self._latest = max(self._latest, number)
                self._known_good = url
                return result
        lost = isinstance(error, UpstreamUnavailable | UpstreamRefused)
        if lost and await self._was_out(error, begun, outages):
            return await self.run(url, attempt)
        raise error

    async def _was_out(self, error: MirrorError, begun: int, outages: int) -> bool:
        """Whether ``error`` came of an outage, which is over now; if not, it is its request's own.

        What began after the request numbered ``begun`` speaks for upstream. Raises UpstreamDown when the
        outage does not end.
        """
        async with self._verdict:
            self._raise_if_down()
            if self._outages != outages:
                return True
            if self._latest > begun:
                return False
            reason = await self._trouble()
            if reason is None:
                return False
            log.warning("upstream does not answer: %s (%s); waiting for it", reason, error)
            self._outages += 1
            self._out = True
            try:
                await self._wait_out(reason)
            finally:
                self._out = self._down is not None
        return True

    async def _wait_out(self, reason: str) -> None:
        for delay in self.patience.delays_within(self.patience.outage_wait):
            await self.patience.sleep(delay)
            trouble = await self._trouble()
            if trouble is None:
                log.warning("upstream answers again")
                return
            reason = trouble
        waited = self.patience.outage_wait
        self._down = UpstreamDown(
            f"{reason}; nothing else was answered for {waited:g} s" if waited else reason
        )
        raise self._down

    async def _until_over(self) -> None:
        async with self._verdict:
            self._raise_if_down()

    def _raise_if_down(self) -> None:
        if self._down is not None:
            raise UpstreamDown(self._down.reason)

    async def _trouble(self) -> str | None:
        """Ask for the first byte of what upstream is known to have; None when it answers, else why not."""
        request = Request(url=self._known_good, headers=(NO_CACHE, "Range: bytes=0-0"), max_bytes=1)
        self._begun = number = self._begun + 1
        try:
            response = await self._transport.get(request)
        except UpstreamUnavailable as error:
            return str(error)
        except UpstreamMalformed:
            # It sends more than the one byte, or sends us elsewhere: it is there.
            pass
        else:
            problem = failure(request.url, response.status, None)
            if isinstance(problem, UpstreamUnavailable | UpstreamRefused):
                return str(problem)
        self._latest = max(self._latest, number)
        return None
