"""A bound on the bytes that come in: what is taken has to be paid for in time."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

# Seconds of a quiet line that may be made up for: about as late as a busy loop can be.
_MADE_UP: Final = 0.1


class Bandwidth:
    """``rate`` bytes a second, whatever the size of the pieces; ``now`` is a clock in seconds.

    Whoever has bytes takes them first and pays afterwards: nothing should be taken while :meth:`wait` says
    that there is something left to pay.
    """

    __slots__ = ("_now", "_paid_at", "_per_byte", "rate")

    def __init__(self, rate: float, *, now: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._per_byte = 1 / rate
        self._now = now
        self._paid_at = now()

    def take(self, number: int) -> None:
        self._paid_at = max(self._paid_at, self._now() - _MADE_UP) + number * self._per_byte

    def wait(self) -> float:
        """The seconds until what was taken is paid for, 0 when it is."""
        return max(0.0, self._paid_at - self._now())

    async def is_paid(self) -> None:
        """Returns when nothing is left to pay."""
        while wait := self.wait():
            await asyncio.sleep(wait)
