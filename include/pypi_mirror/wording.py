"""Numbers, sizes and times in plain English, as every face of the project says them.

``browser/wording.js`` writes the same in browsers; ``tests/test_wording.py`` compares the two.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400
# Below so many hours or days, the minutes or hours matter.
_FEW: Final = 6


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 file``, ``12,345 files``, ``2 batches``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def of(done: int, planned: int, noun: str) -> str:
    """``3 of 12 files`` while some are to be done, else ``12 files``."""
    return f"{done:,} of {count(planned, noun)}" if planned > done else count(done, noun)


def some_of(names: Sequence[str], most: int = 10) -> str:
    """The first of ``names``: ``alpha, beta and 12 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def size(number: int) -> str:
    """Bytes in decimal units, three digits or so: ``1 byte``, ``1.23 GB``."""
    if number == 1:
        return "1 byte"
    value, unit = float(number), 0
    # 999.95 would be written as 1000.
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    digits = 0 if unit == 0 or value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_UNITS[unit]}"


def speed(bytes_a_second: float) -> str:
    """``1.20 MB/s``."""
    return f"{size(int(bytes_a_second))}/s"


def percent(share: float) -> str:
    """A share of 1, rounded down, so that 100% is all of it: ``40%``."""
    return f"{math.floor(share * 100)}%"


def duration(seconds: float) -> str:
    """``40 seconds``, ``12 minutes``, ``3 hours 2 minutes``, ``45 days``: one unit, rounded down, and
    the next one where the first is small.
    """
    if seconds < _MINUTE:
        return count(max(0, int(seconds)), "second")
    if seconds < _HOUR:
        return count(int(seconds // _MINUTE), "minute")
    large, small, noun, part = (
        (_HOUR, _MINUTE, "hour", "minute") if seconds < 2 * _DAY else (_DAY, _HOUR, "day", "hour")
    )
    whole, rest = int(seconds // large), int(seconds % large // small)
    return f"{count(whole, noun)} {count(rest, part)}" if whole < _FEW and rest else count(whole, noun)


def moment(time: datetime) -> str:
    """``2026-11-22 13:05 UTC``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def moment_of(seconds: float) -> str:
    """``moment`` of seconds since 1970, as the ledger has times."""
    return moment(datetime.fromtimestamp(seconds, UTC))
