"""``download-window``: hours, days, several of them, and what is wrong about others."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.options.download_window import DownloadWindow, format_download_window, parse_download_window
from pypi_mirror.options.parsers import BadValue
from pypi_mirror.settings.read import read_settings

EVERY_DAY = tuple(range(7))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("22:00-06:00", "22:00-06:00"),
        ("7:30 - 9:05", "07:30-09:05"),
        ("sat,sun 00:00-24:00", "sat,sun 00:00-24:00"),
        ("Sat , Sun 00:00-24:00", "sat,sun 00:00-24:00"),
        ("Fri-Mon 22:00-06:00", "mon,fri,sat,sun 22:00-06:00"),
        ("mon-sun 1:00-2:00", "01:00-02:00"),
        ("mon-wed,sat 1:00-2:00", "mon,tue,wed,sat 01:00-02:00"),
        ("22:00-06:00, sat,sun 00:00-24:00", "22:00-06:00, sat,sun 00:00-24:00"),
        ("22:00-06:00,\n  sat 8:00-9:00\nsun 8:00-9:00", "22:00-06:00, sat 08:00-09:00, sun 08:00-09:00"),
        ("1:00-2:00, 01:00-02:00", "01:00-02:00"),
    ],
)
def test_windows_and_how_they_are_written(text: str, written: str) -> None:
    assert format_download_window(parse_download_window(text)) == written
    assert parse_download_window(written) == parse_download_window(text)


def test_what_a_window_holds() -> None:
    assert parse_download_window("22:00-06:30, sun 0:00-24:00") == (
        DownloadWindow(days=EVERY_DAY, start=22 * 60, end=6 * 60 + 30),
        DownloadWindow(days=(6,), start=0, end=24 * 60),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("always", "'always' is not a window; write one like"),
        ("22-6", "'22-6' is not a window"),
        ("22:00-06:00 sat 08:00-09:00", "is not a window"),
        ("22:00-06:00, sat", "'sat' is not a window"),
        ("sat 22:00", "'sat 22:00' is not a window"),
        ("25:00-06:00", "'25:00' is not a time of day; they go from 00:00 to 24:00"),
        ("22:60-06:00", "'22:60' is not a time of day"),
        ("22:00-24:01", "'24:01' is not a time of day"),
        ("24:00-06:00", "'24:00' is the end of a day; write 00:00"),
        ("6:00-06:00", "is empty; for whole days write 00:00-24:00"),
        ("satt 00:00-24:00", "'satt' is not one of mon tue wed thu fri sat sun (did you mean 'sat'?)"),
        ("sat- 00:00-24:00", "is not a window"),
        ("²2:00-06:00", "is not a window"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_download_window(text)
    assert said in str(caught.value)


def test_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mirror.conf"
    head = "[mirror]\ndirectory = m\nmaster = https://index.example\n[schedule]\n"
    path.write_text(f"{head}download-window = 22:00-06:00, sat 00:00-24:00")
    windows = read_settings(path).schedule.download_window
    assert format_download_window(windows) == "22:00-06:00, sat 00:00-24:00"
    path.write_text(f"{head}download-window =")
    assert read_settings(path).schedule.download_window == ()
    path.write_text(head)
    assert read_settings(path).schedule.download_window == ()
    path.write_text(f"{head}download-window = at night")
    with pytest.raises(ConfigurationError, match=r"mirror\.conf:5: \[schedule\] download-window: 'at night'"):
        read_settings(path)
