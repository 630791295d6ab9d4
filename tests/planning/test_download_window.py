"""When files may be downloaded: windows across midnight, over weeks, and in the nights the clock is set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.options.download_window import DownloadWindow, parse_download_window
from pypi_mirror.planning.pause import closed_until

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago"]
MINUTE = 60
# Three years of minutes, in which every zone's clock is set six times.
MOMENTS = st.integers(0, 3 * 366 * 24 * 60).map(
    lambda minute: datetime(2025, 1, 1, tzinfo=UTC).timestamp() + minute * MINUTE
)


@st.composite
def windows(draw: st.DrawFn) -> DownloadWindow:
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda end: end != start))
    days = draw(st.lists(st.integers(0, 6), min_size=1, unique=True).map(sorted))
    return DownloadWindow(days=tuple(days), start=start, end=end)


def until(text: str, zone: str, *moment: int, fold: int = 0) -> str | None:
    """When the next of the windows ``text`` opens, as the clock on the wall of ``zone`` shows it."""
    local = datetime(*moment, tzinfo=ZoneInfo(zone), fold=fold)  # type: ignore[arg-type,misc]
    found = closed_until(parse_download_window(text), zone, local.timestamp())
    return None if found is None else f"{found:%a %H:%M %Z}"


@pytest.mark.parametrize(
    ("text", "moment", "opens"),
    [
        ("22:00-06:00", (2026, 11, 22, 21, 59), "Sun 22:00 CET"),
        ("22:00-06:00", (2026, 11, 22, 22, 0), None),
        ("22:00-06:00", (2026, 11, 23, 5, 59), None),
        ("22:00-06:00", (2026, 11, 23, 6, 0), "Mon 22:00 CET"),
        ("22:00-24:00, 00:00-06:00", (2026, 11, 23, 0, 0), None),
        ("22:00-00:00", (2026, 11, 22, 23, 59), None),
        ("22:00-00:00", (2026, 11, 23, 0, 0), "Mon 22:00 CET"),
        # Named for the evening it begins on.
        ("fri 22:00-06:00", (2026, 11, 28, 5, 0), None),
        ("fri 22:00-06:00", (2026, 11, 27, 5, 0), "Fri 22:00 CET"),
        ("sat,sun 00:00-24:00", (2026, 11, 22, 23, 59), None),
        ("sat,sun 00:00-24:00", (2026, 11, 23, 0, 0), "Sat 00:00 CET"),
        ("mon-fri 22:00-06:00, sat,sun 00:00-24:00", (2026, 11, 23, 0, 0), "Mon 22:00 CET"),
        ("12:00-13:00, 18:00-19:00", (2026, 11, 23, 14, 0), "Mon 18:00 CET"),
    ],
)
def test_a_window_on_plain_days(text: str, moment: tuple[int, ...], opens: str | None) -> None:
    assert until(text, "Europe/Berlin", *moment) == opens


@pytest.mark.parametrize(
    ("text", "moment", "fold", "opens"),
    [
        # 2026-03-29: after 01:59 CET comes 03:00 CEST.
        ("22:00-06:00", (2026, 3, 29, 3, 0), 0, None),
        ("22:00-06:00", (2026, 3, 29, 6, 0), 0, "Sun 22:00 CEST"),
        ("02:30-06:00", (2026, 3, 29, 1, 59), 0, "Sun 03:30 CEST"),
        ("02:10-02:50", (2026, 3, 29, 3, 20), 0, None),
        # Half of it is left out, and what is left is over before it could begin: the next night, then.
        ("02:30-03:15", (2026, 3, 29, 1, 0), 0, "Mon 02:30 CEST"),
        ("sun 02:30-03:15", (2026, 3, 29, 1, 0), 0, "Sun 02:30 CEST"),
        # 2026-10-25: after 02:59 CEST comes 02:00 CET.
        ("02:30-06:00", (2026, 10, 25, 2, 15), 0, "Sun 02:30 CEST"),
        ("02:30-06:00", (2026, 10, 25, 2, 15), 1, None),
        ("22:00-02:30", (2026, 10, 25, 2, 15), 1, "Sun 22:00 CET"),
    ],
)
def test_the_nights_in_which_the_clock_is_set(
    text: str, moment: tuple[int, ...], fold: int, opens: str | None
) -> None:
    assert until(text, "Europe/Berlin", *moment, fold=fold) == opens


def test_without_windows_it_is_always_open() -> None:
    assert closed_until((), "Europe/Berlin", 0.0) is None


@given(st.sampled_from(ZONES), MOMENTS)
def test_whole_days_never_close(zone: str, now: float) -> None:
    assert closed_until(parse_download_window("00:00-24:00"), zone, now) is None


@given(st.sampled_from(ZONES), MOMENTS, st.lists(st.integers(0, 1439), min_size=1, max_size=4, unique=True))
def test_windows_that_follow_each_other_leave_no_gap(zone: str, now: float, cuts: list[int]) -> None:
    """Whatever the clock does in between; a cut alone is a window of a day."""
    cuts.sort()
    every_day = tuple(range(7))
    around = tuple(
        DownloadWindow(days=every_day, start=start, end=end)
        for start, end in zip(cuts, [*cuts[1:], cuts[0]], strict=True)
        if start != end
    ) or parse_download_window("00:00-24:00")
    assert closed_until(around, zone, now) is None


@given(st.sampled_from(ZONES), MOMENTS, st.lists(windows(), min_size=1, max_size=3))
def test_it_opens_when_it_says_and_not_before(zone: str, now: float, some: list[DownloadWindow]) -> None:
    opens = closed_until(some, zone, now)
    if opens is None:
        return
    assert opens.utcoffset() == datetime.fromtimestamp(opens.timestamp(), ZoneInfo(zone)).utcoffset()
    assert now < opens.timestamp() <= now + timedelta(days=15).total_seconds()
    assert closed_until(some, zone, opens.timestamp()) is None
    assert closed_until(some, zone, opens.timestamp() - 1) == opens
    assert closed_until(some, zone, (now + opens.timestamp()) / 2) == opens


@given(MOMENTS, st.lists(windows(), min_size=1, max_size=3))
def test_where_no_clock_is_set_it_is_open_as_the_clock_shows(now: float, some: list[DownloadWindow]) -> None:
    local = datetime.fromtimestamp(now, UTC)
    minute, day, before = local.hour * 60 + local.minute, local.weekday(), (local.weekday() - 1) % 7

    def shows(window: DownloadWindow) -> bool:
        if window.start < window.end:
            return day in window.days and window.start <= minute < window.end
        return (day in window.days and minute >= window.start) or (
            before in window.days and minute < window.end
        )

    assert (closed_until(some, "UTC", now) is None) == any(map(shows, some))
