"""``exclude-newer``: a duration (``7 days``, ``P7D``), or a moment (``2026-11-01``, RFC 3339)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

from pypi_mirror.options.durations import format_duration, seconds_in
from pypi_mirror.options.parsers import BadValue

_LONGEST: Final = 3650 * 86_400


class ExcludeNewer(Struct, frozen=True, kw_only=True):
    """Files are held for so many ``seconds``, or those uploaded ``before`` a moment (seconds since 1970) are
    mirrored and no others; the other one of the two is None.
    """

    seconds: int | None = None
    before: int | None = None


def parse_exclude_newer(text: str) -> ExcludeNewer:
    """As uv reads its setting of that name, but for months and years, which have no fixed length.

    A date means the whole of that day, in UTC.
    """
    seconds = seconds_in(text.strip())
    if seconds is not None:
        if not 0 < seconds <= _LONGEST:
            raise BadValue(f"{text!r} is not a duration of a second to ten years")
        return ExcludeNewer(seconds=seconds)
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        pass
    else:
        return ExcludeNewer(before=int(datetime.combine(day + timedelta(days=1), time(), UTC).timestamp()))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadValue(
            f"{text!r} is neither a duration (7 days, 36 hours, P7D) nor a moment (2026-11-01, "
            "2026-11-01T12:00:00Z)"
        ) from error
    if moment.tzinfo is None:
        raise BadValue(f"{text!r} has no time zone; write it with one, like {text.strip()}Z")
    return ExcludeNewer(before=int(moment.timestamp()))


def format_exclude_newer(value: ExcludeNewer | None) -> str:
    if value is None:
        return ""
    if value.seconds is not None:
        return format_duration(value.seconds)
    moment = datetime.fromtimestamp(value.before or 0, UTC)
    if moment.time() == time():
        return (moment.date() - timedelta(days=1)).isoformat()
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
