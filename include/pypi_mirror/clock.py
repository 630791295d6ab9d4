"""What time it is: the one place that asks, so that tests can say; and what upstream thinks of that."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pypi_mirror.answers import parse_date


class Clock(Protocol):
    """Seconds since 1970 in UTC."""

    def __call__(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def __call__(self) -> float:
        return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """By how many seconds a clock of ours is ahead of a server's: by ``least`` at least, ``most`` at most.

    The two differ for an answer out of a cache: some caches leave the Date of the time when they got it
    (RFC 9111, 4.2.3), others put the present time there, and both say beside it how old it is.
    """

    least: float
    most: float

    @classmethod
    def of(cls, headers: Mapping[str, str], now: float) -> "Lead | None":
        """What an answer that came at ``now`` tells; None when it has no date."""
        date = parse_date(headers.get("Date", ""))
        if date is None:
            return None
        age = headers.get("Age", "").strip()
        # RFC 9111, 1.2.2: a number of any length.
        old = float(age[:10]) if age.isascii() and age.isdigit() else 0.0
        return cls(least=now - date - old, most=now - date)

    def merged(self, other: "Lead | None") -> "Lead":
        """What two answers of about the same time tell: the clock is no further ahead than either says."""
        if other is None:
            return self
        return Lead(least=min(self.least, other.least), most=min(self.most, other.most))
