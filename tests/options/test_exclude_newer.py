"""``exclude-newer``: durations and moments, as uv writes them."""

from datetime import UTC, datetime

import pytest

from pypi_mirror.options import BadValue
from pypi_mirror.options.exclude_newer import ExcludeNewer, format_exclude_newer, parse_exclude_newer

DAY = 86_400


def moment(*parts: int) -> ExcludeNewer:
    return ExcludeNewer(before=int(datetime(*parts, tzinfo=UTC).timestamp()))  # type: ignore[misc,arg-type]


GOOD = [
    ("7 days", ExcludeNewer(seconds=7 * DAY), "1 week"),
    ("1 day", ExcludeNewer(seconds=DAY), "1 day"),
    ("36 hours", ExcludeNewer(seconds=36 * 3600), "36 hours"),
    ("36Hours", ExcludeNewer(seconds=36 * 3600), "36 hours"),
    ("90 minutes", ExcludeNewer(seconds=90 * 60), "90 minutes"),
    ("P7D", ExcludeNewer(seconds=7 * DAY), "1 week"),
    ("P1W", ExcludeNewer(seconds=7 * DAY), "1 week"),
    ("PT36H", ExcludeNewer(seconds=36 * 3600), "36 hours"),
    ("P1DT12H", ExcludeNewer(seconds=36 * 3600), "36 hours"),
    ("2026-11-01", moment(2026, 11, 2), "2026-11-01"),
    ("2026-11-01T12:00:00Z", moment(2026, 11, 1, 12), "2026-11-01T12:00:00Z"),
    ("2026-11-01T12:00:00+02:00", moment(2026, 11, 1, 10), "2026-11-01T10:00:00Z"),
]


@pytest.mark.parametrize(("text", "value", "written"), GOOD)
def test_what_is_read_is_written_back(text: str, value: ExcludeNewer, written: str) -> None:
    assert parse_exclude_newer(text) == value
    assert format_exclude_newer(value) == written
    assert parse_exclude_newer(written) == value


@pytest.mark.parametrize(
    "text",
    ["7", "days", "7 months", "1 year", "P1M", "P", "PT", "0 days", "-7 days", "4000 days", "yesterday",
     "2026-13-01", "2026-11-01T12:00:00"],
)  # fmt: skip
def test_what_is_none_is_an_error(text: str) -> None:
    with pytest.raises(BadValue):
        parse_exclude_newer(text)
