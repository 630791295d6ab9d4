"""How long to try again: bounded retries with exponential backoff and jitter."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Sleep(Protocol):
    """Waits without blocking other requests; tests pass one that only records."""

    async def __call__(self, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Bounds on trying again inside one batch; all durations are seconds.

    ``attempts`` counts tries of one request; the first pause is about ``first_delay``, each next one twice
    as long, none above ``longest_delay``. ``stale_wait`` is the time in all that a page older than the
    changelog is given to catch up, ``missing_wait`` that of a page that should be there and is 404.
    """

    attempts: int = 5
    first_delay: float = 1.0
    longest_delay: float = 60.0
    stale_wait: float = 300.0
    missing_wait: float = 90.0
    sleep: Sleep = asyncio.sleep

    def delays(self) -> Iterator[float]:
        """The pauses between the tries of one request: ``attempts - 1`` of them."""
        for n in range(self.attempts - 1):
            yield self._jittered(min(self.first_delay * 2**n, self.longest_delay))

    def delays_within(self, total: float) -> Iterator[float]:
        """Growing pauses that add up to ``total`` and no more."""
        spent, n = 0.0, 0
        while spent < total:
            delay = min(self._jittered(min(self.first_delay * 2**n, self.longest_delay)), total - spent)
            spent, n = spent + delay, n + 1
            yield delay

    @staticmethod
    def _jittered(delay: float) -> float:
        # A tenth up or down keeps workers that failed together from coming back together.
        return delay * random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
