"""``download-window``: hours of all days (``22:00-06:00``) or of some (``sat,sun 00:00-24:00``)."""

import re
from typing import Final

from msgspec import Struct

from pypi_mirror.options.parsers import BadValue, nearest


class DownloadWindow(Struct, frozen=True, kw_only=True):
    """Hours of some days in which files may be downloaded: minutes since midnight, ``days`` from 0, Monday.

    One whose ``end`` is not after its ``start`` ends on the day after the one it is named for.
    """

    days: tuple[int, ...]
    start: int
    end: int


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_EVERY_DAY: Final = tuple(range(len(_DAYS)))
_WHOLE_DAY: Final = 24 * 60

_NAME: Final = r"[A-Za-z]+(?: ?- ?[A-Za-z]+)?"
_WINDOW: Final = re.compile(
    rf"(?:(?P<days>{_NAME}(?: ?, ?{_NAME})*) )?"
    r"(?P<start>[0-9]{1,2}:[0-9]{2}) ?- ?(?P<end>[0-9]{1,2}:[0-9]{2})(?: ?, ?|$)"
)


def parse_download_window(text: str) -> tuple[DownloadWindow, ...]:
    """The windows, separated by commas or line ends, as they are written."""
    rest = " ".join(re.sub(r",?\s*\n", ", ", text).split())
    windows = []
    while rest:
        found = _WINDOW.match(rest)
        if found is None:
            raise BadValue(f"{rest!r} is not a window; write one like 22:00-06:00 or sat,sun 00:00-24:00")
        windows.append(_window(found))
        rest = rest[found.end() :]
    return tuple(dict.fromkeys(windows))


def format_download_window(windows: tuple[DownloadWindow, ...]) -> str:
    """As they are written in the file."""
    return ", ".join(map(_format, windows))


def _window(found: re.Match[str]) -> DownloadWindow:
    start, end = _minute(found["start"]), _minute(found["end"])
    if start == _WHOLE_DAY:
        raise BadValue(f"{found['start']!r} is the end of a day; write 00:00, and the day after")
    if start == end:
        raise BadValue(f"{found['start']}-{found['end']} is empty; for whole days write 00:00-24:00")
    return DownloadWindow(days=_days(found["days"]), start=start, end=end)


def _days(text: str | None) -> tuple[int, ...]:
    """The days by number, Monday is 0; from Saturday to Monday is three."""
    if text is None:
        return _EVERY_DAY
    days: set[int] = set()
    for part in text.split(","):
        first, _, last = (word.strip() for word in part.partition("-"))
        start, end = _day(first), _day(last or first)
        days.update((start + ahead) % len(_DAYS) for ahead in range((end - start) % len(_DAYS) + 1))
    return tuple(sorted(days))


def _day(text: str) -> int:
    try:
        return _DAYS.index(text.lower())
    except ValueError as error:
        raise BadValue(f"{text!r} is not one of {' '.join(_DAYS)}{nearest(text, _DAYS)}") from error


def _minute(text: str) -> int:
    hour, minute = map(int, text.split(":"))
    if minute > 59 or hour * 60 + minute > _WHOLE_DAY:
        raise BadValue(f"{text!r} is not a time of day; they go from 00:00 to 24:00")
    return hour * 60 + minute


def _format(window: DownloadWindow) -> str:
    hours = f"{_clock(window.start)}-{_clock(window.end)}"
    if window.days == _EVERY_DAY:
        return hours
    return f"{','.join(_DAYS[day] for day in window.days)} {hours}"


def _clock(minute: int) -> str:
    return "{:02}:{:02}".format(*divmod(minute, 60))
