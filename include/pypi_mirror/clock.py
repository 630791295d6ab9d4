"""What time it is: the one place that asks, so that tests can say."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since 1970 in UTC."""

    def __call__(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def __call__(self) -> float:
        return time.time()
