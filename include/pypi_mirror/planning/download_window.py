"""When files may be downloaded: the windows of ``download-window`` as stretches of time. Pure.

A window goes from one time of the clock on the wall to another. In the night that the clock is set forward it
is an hour shorter, or longer when it ends in the hour that is left out; set back, a time that comes twice is
the first of the two. So windows that follow each other on paper do in every night, without a gap.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

import pendulum

from pypi_mirror.options.download_window import DownloadWindow

_MIDNIGHT: Final = 24 * 60
# A weekly window that the clock's change leaves out entirely comes again a week later.
_DAYS_AHEAD: Final = 15


def closed_until(windows: Sequence[DownloadWindow], timezone: str, now: float) -> datetime | None:
    """When the next of ``windows`` opens, in ``timezone``; None while one is open or where there are none.

    ``now`` is in seconds since 1970, ``timezone`` the IANA name of the zone that the windows are in.
    """
    if not windows:
        return None
    zone = pendulum.timezone(timezone)
    moment = datetime.fromtimestamp(now, UTC)
    today = moment.astimezone(zone).date()
    # Asked before every project: what begins later than today matters only where none is open.
    if any(start <= moment < end for start, end in _stretches(windows, zone, today, range(-1, 1))):
        return None
    coming = (start for start, _ in _stretches(windows, zone, today, range(_DAYS_AHEAD + 1)))
    return min(start for start in coming if start > moment).astimezone(zone)


def _stretches(
    windows: Sequence[DownloadWindow], zone: tzinfo, today: date, ahead: range
) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in UTC of each window that begins so many days ``ahead`` of ``today``."""
    for day in (today + timedelta(days=number) for number in ahead):
        for window in windows:
            if day.weekday() in window.days:
                ends_next_day = window.end <= window.start
                start = _instant(zone, day, window.start)
                end = _instant(zone, day, window.end + _MIDNIGHT * ends_next_day)
                if start < end:
                    yield start, end


def _instant(zone: tzinfo, day: date, minute: int) -> datetime:
    """When the clock shows ``minute`` minutes since the midnight with which ``day`` begins."""
    days, minute = divmod(minute, _MIDNIGHT)
    wall = datetime.combine(day + timedelta(days=days), time(*divmod(minute, 60)), zone)
    return wall.astimezone(UTC)
