"""Durations of a fixed length: ``7 days``, ``36 hours``, ``P7D`` (ISO 8601)."""

import re
from typing import Final

from pypi_mirror.options.parsers import BadValue, Parser
from pypi_mirror.wording import count

_UNITS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400}
_WORDS: Final = re.compile(r"([0-9]{1,9})\s*(second|minute|hour|day|week)s?", re.IGNORECASE)
_ISO: Final = re.compile(
    r"P(?=[0-9T])(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,7})H)?(?:([0-9]{1,8})M)?"
    r"(?:([0-9]{1,9})S)?)?",
    re.IGNORECASE,
)


def seconds_in(text: str) -> int | None:
    """Return the seconds of a duration; None for what is none. Months and years have no fixed length."""
    if found := _WORDS.fullmatch(text):
        return int(found[1]) * _UNITS[found[2].lower()]
    if found := _ISO.fullmatch(text):
        units = (_UNITS["week"], _UNITS["day"], _UNITS["hour"], _UNITS["minute"], 1)
        return sum(int(number or 0) * unit for number, unit in zip(found.groups(), units, strict=True))
    return None


def duration_of_days(low: int, high: int) -> Parser[int]:
    """A duration of ``low`` to ``high`` days, as seconds."""

    def parse(text: str) -> int:
        seconds = seconds_in(text)
        if seconds is None:
            raise BadValue(f"{text!r} is not a duration; write it in days or weeks, like 730 days")
        if not low * _UNITS["day"] <= seconds <= high * _UNITS["day"]:
            raise BadValue(
                f"{text!r} is out of range; it goes from {count(low, 'day')} to {count(high, 'day')}"
            )
        return seconds

    return parse


def format_duration(seconds: int) -> str:
    """Return it as it is written in the file, in the largest unit that says it without a fraction."""
    unit, length = next((unit, length) for unit, length in reversed(_UNITS.items()) if seconds % length == 0)
    return count(seconds // length, unit).replace(",", "")
