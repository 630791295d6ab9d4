"""``max-failures``: a number of projects, or a share of the plan."""

from pathlib import Path

import pytest

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.options.max_failures import MaxFailures, format_max_failures, parse_max_failures
from pypi_mirror.options.parsers import BadValue
from pypi_mirror.settings.read import read_settings


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("0", MaxFailures(projects=0)),
        ("50", MaxFailures(projects=50)),
        ("2%", MaxFailures(percent=2.0)),
        ("0.5 %", MaxFailures(percent=0.5)),
        ("100%", MaxFailures(percent=100.0)),
    ],
)
def test_numbers_and_shares(text: str, limit: MaxFailures) -> None:
    assert parse_max_failures(text) == limit
    assert format_max_failures(limit) == text.replace(" ", "")


def test_none_is_written_as_nothing() -> None:
    assert format_max_failures(None) == ""


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "2 percent", "101%", "%", "1" * 20, "²"])
def test_what_is_neither(text: str) -> None:
    with pytest.raises(BadValue):
        parse_max_failures(text)


@pytest.mark.parametrize(
    ("limit", "planned", "most"),
    [
        (MaxFailures(projects=50), 10, 50),
        (MaxFailures(percent=2), 1000, 20),
        # One project of a small plan must not stop the run, unless nothing may fail at all.
        (MaxFailures(percent=2), 3, 1),
        (MaxFailures(percent=2), 51, 2),
        (MaxFailures(percent=0), 1000, 0),
        (MaxFailures(percent=100), 7, 7),
    ],
)
def test_a_share_is_of_the_plan_and_rounded_up(limit: MaxFailures, planned: int, most: int) -> None:
    assert limit.of(planned) == most


def configured(tmp_path: Path, *lines: str) -> MaxFailures | None:
    path = tmp_path / "mirror.conf"
    path.write_text("\n".join(["[mirror]", "directory = mirror", *lines, ""]))
    return read_settings(path, {}).max_failures


def test_in_a_file(tmp_path: Path) -> None:
    assert configured(tmp_path) is None
    assert configured(tmp_path, "max-failures =") is None
    assert configured(tmp_path, "max-failures = 2%%") == MaxFailures(percent=2)
    assert configured(tmp_path, "max-failures = 9", "stop-on-error = false") == MaxFailures(projects=9)


def test_it_clashes_with_stop_on_error(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"mirror\.conf:4: \[mirror\] max-failures: stop-on-error = true"
    ):
        configured(tmp_path, "stop-on-error = true", "max-failures = 9")
