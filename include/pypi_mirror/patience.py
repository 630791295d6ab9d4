"""How long to try again: bounded retries with exponential backoff and jitter."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
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

    def __post_init__(self) -> None:
        if self.first_delay <= 0 or self.longest_delay <= 0:
            raise ValueError("pauses without length never add up to a wait; both delays must be positive")

    def delays(self) -> Iterator[float]:
        """The pauses between the tries of one request: ``attempts - 1`` of them."""
        return islice(self._growing(), max(0, self.attempts - 1))

    def delays_within(self, total: float) -> Iterator[float]:
        """Growing pauses that add up to ``total`` and no more."""
        left = total
        for delay in self._growing():
            if left <= 0:
                return
            yield min(delay, left)
            left -= delay

    def pause(self, delay: float, retry_after: float | None) -> float:
        """``delay``, or what upstream asks for where that is longer, but never beyond ``longest_delay``."""
        return max(delay, min(retry_after or 0.0, self.longest_delay))

    def _growing(self) -> Iterator[float]:
        delay = self.first_delay
        while True:
            delay = min(delay, self.longest_delay)
            # A tenth up or down keeps workers that failed together from coming back together.
            yield delay * random.uniform(0.9, 1.1)  # noqa: S311 - not for secrets
            delay *= 2
