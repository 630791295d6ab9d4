"""Where a disk is heading: a straight line through samples of its use.

The line's slope is that of Theil and Sen: the median of the slopes between all pairs of samples. Unlike a
line of least squares it is not moved by what happens in a quarter of the time: a sweep of tombstones, a
backup that somebody left there for a day, the hours of a large import. The line is laid through the newest
sample, for that is what is on the disk. It is drawn from a week: what was before, above all a first sync,
says little of the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import median
from typing import Final

_DAY: Final = 24 * 3600
# Seconds that are looked at, into how many stretches they are cut (each pair of them is a slope), and what it
# takes to say anything.
WINDOW: Final = 7 * _DAY
MOST: Final = 84
_LEAST: Final = 6
_LEAST_SPAN: Final = _DAY
# A disk that is full in a hundred years is not filling up.
_NEVER: Final = 10 * 365 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """By how many bytes a day the disk fills, and when only its reserve will be left at that pace.

    ``bytes_a_day`` is None with too few samples to tell, ``full_at`` also where the disk does not fill up
    within ten years.
    """

    full_at: datetime | None
    bytes_a_day: int | None


def forecast(used: Sequence[tuple[int, int]], *, room: int) -> Forecast:
    """From (seconds since 1970, bytes used), oldest first; ``room`` is what may still be filled."""
    if len(used) < _LEAST or used[-1][0] - used[0][0] < _LEAST_SPAN:
        return Forecast(full_at=None, bytes_a_day=None)
    slope = median((y - x) / (b - a) for (a, x), (b, y) in combinations(used, 2) if b > a)
    seconds = max(0, room) / slope if slope > 0 else _NEVER
    full_at = None
    if seconds < _NEVER:
        full_at = datetime.fromtimestamp(used[-1][0], UTC) + timedelta(seconds=round(seconds))
    return Forecast(full_at=full_at, bytes_a_day=round(slope * _DAY))
