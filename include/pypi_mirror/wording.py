"""Numbers, sizes and times in plain English, as every face of the project says them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB", "PB")


def count(number: int, noun: str) -> str:
    """``1 file``, ``12,345 files``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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


def duration(seconds: int) -> str:
    """``40 s``, ``12 min``, ``3 h 2 min``, ``45 days``."""
    minutes = seconds // 60
    if minutes < 1:
        return f"{seconds} s"
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60):,} days"
    hours, minutes = divmod(minutes, 60)
    return " ".join(f"{number} {unit}" for number, unit in ((hours, "h"), (minutes, "min")) if number)


def moment(time: datetime) -> str:
    """``2026-11-22 13:05 UTC``."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def moment_of(seconds: float) -> str:
    """``moment`` of seconds since 1970, as the ledger has times."""
    return moment(datetime.fromtimestamp(seconds, UTC))
