"""A line in the log every few seconds: how far a batch is, how fast, and how long it will take."""

import logging
import time
from collections.abc import Callable
from typing import Final

from pypi_mirror.wording import count, duration, size, speed

log = logging.getLogger(__name__)

# Seconds between two lines; the first comes when something has been going on for that long.
_EVERY: Final = 5.0
# Projects are too unequal for a promise before that many are done.
_FORETELLS: Final = 5


class ProgressLine:
    """``planned`` projects are to be done; ``received`` tells how many bytes upstream has sent so far.

    The bytes are counted as they come, so that a file that takes an hour is seen to go on.
    """

    def __init__(
        self, planned: int, received: Callable[[], int], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._planned = planned
        self._received = received
        self._now = now
        self._done = 0
        self._began = self._said = now()
        self._bytes = 0

    def done(self) -> None:
        """One more project is done, or has failed."""
        self._done += 1

    def say(self) -> None:
        """Called about once a second: writes the line when it is time."""
        now = self._now()
        if now - self._said < _EVERY:
            return
        received = self._received()
        rate = (received - self._bytes) / (now - self._said)
        self._said, self._bytes = now, received
        log.info(
            "%d of %s done, %s received, %s%s",
            self._done, count(self._planned, "project"), size(received), speed(rate), self._left(now),
        )  # fmt: skip

    def _left(self, now: float) -> str:
        if not _FORETELLS <= self._done < self._planned:
            return ""
        seconds = (self._planned - self._done) * (now - self._began) / self._done
        return f", about {duration(seconds)} left"
