"""How long to try again: bounded retries with exponential backoff and jitter."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from pypi_mirror.errors import (
    CutOff,
    DigestMismatch,
    FileBusy,
    MirrorError,
    SizeMismatch,
    UpstreamUnavailable,
)

# Seconds that a task which failed waits before it is tried again, at most.
LONGEST_PAUSE: Final = 3600
# The bytes that came are not those that were asked for: a cache on the way may have them wrong.
WRONG_BYTES: Final = (DigestMismatch, SizeMismatch, CutOff)
# That happens once or twice; more often they are upstream's own.
_BELIEVED_AFTER: Final = 3


class Sleep(Protocol):
    """Waits without blocking other requests; tests pass one that only records."""

    async def __call__(self, seconds: float, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Bounds on trying again inside one batch; all durations are seconds.

    ``attempts`` counts tries of one request; the first pause is about ``first_delay``, each next one twice
    as long, none above ``longest_delay``. ``stale_wait`` is the time in all that a page older than the
    changelog is given to catch up, ``missing_wait`` that of a page that should be there and is 404.
    ``outage_wait`` is how long an upstream that answers nobody is waited for.
    """

    attempts: int = 5
    first_delay: float = 1.0
    longest_delay: float = 60.0
    stale_wait: float = 300.0
    missing_wait: float = 90.0
    outage_wait: float = 60.0
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


class Tries:
    """The tries of one request after the first has failed: which failures get another one, and when.

    ``delays`` are the pauses that are left.
    """

    __slots__ = ("_patience", "_wrong", "delays")

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._wrong = 0
        self.delays = patience.delays()

    def pause_after(self, error: MirrorError) -> float | None:
        """Seconds to wait before the next try, None when ``error`` is final."""
        retry_after = None
        if isinstance(error, WRONG_BYTES):
            self._wrong += 1
            if self._wrong >= _BELIEVED_AFTER:
                return None
        elif isinstance(error, UpstreamUnavailable):
            retry_after = error.retry_after
        elif not isinstance(error, FileBusy):
            return None
        delay = next(self.delays, None)
        return None if delay is None else self._patience.pause(delay, retry_after)
