"""Sums over the whole ledger, remembered for a while: many look at them at once, and again every few seconds.

What took long to add up is not added up again for ten times as long, so that those who look never take more
than a tenth of a core, whatever the size of the mirror; in a small mirror nothing is remembered.
"""

import time
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Final, TypeVar

from pypi_mirror.mirror import Mirror

T = TypeVar("T")

# Seconds; what is faster is not worth remembering.
_FAST: Final = 0.1
_SHARE: Final = 10.0
_MOST_KEPT: Final = 64


class Remembered:
    """For one process; ``clock`` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._lock = Lock()

    def __call__(self, whose: Hashable, name: str, ask: Callable[[], T], *about: Hashable) -> T:
        """What ``ask`` returns, or has returned a while ago for ``name`` ``about`` the same.

        Of several threads that want it at once one asks, and the others wait for it.
        """
        key = (whose, name, *about)
        with self._lock:
            lock = self._locks.setdefault(key[:2], Lock())
        with lock:
            known = self._kept.get(key)
            if known is not None and self._clock() < known[0]:
                answer: T = known[1]
                return answer
            began = self._clock()
            answer = ask()
            took = self._clock() - began
            self._keep(key, answer, took)
            return answer

    def _keep(self, key: Hashable, answer: object, took: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            if took < _FAST:
                return
            while len(self._kept) >= _MOST_KEPT:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
            self._kept[key] = (self._clock() + _SHARE * took, answer)


remembered: Final = Remembered()


def newest_run(mirror: Mirror) -> tuple[object, ...]:
    """Changes when a run begins or ends, so that what is remembered never outlives the run it is of."""
    return tuple((run.id, run.state, run.finished_at) for run in mirror.ledger.runs.latest())
