"""What time it is: the one place that asks, so that tests can say; and seconds as times with a time zone."""

import time
from datetime import UTC, datetime, tzinfo
from typing import Protocol


class Clock(Protocol):
    """Seconds since 1970 in UTC."""

    def __call__(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def __call__(self) -> float:
        return time.time()


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def utc_or_none(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc(seconds)


def time_zone(name: str) -> tzinfo:
    """The time zone of that name; OSError, ValueError or KeyError where there is none."""
    if name == "UTC":
        return UTC
    # Most mirrors never need it.
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)
