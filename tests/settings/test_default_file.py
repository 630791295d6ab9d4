"""``include/mirror.conf``: it holds every option, says its default, and loads."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pypi_mirror
from pypi_mirror.settings.option import Option
from pypi_mirror.settings.options import BY_PLACE, OPTIONS
from pypi_mirror.settings.read import read_settings

EXAMPLE = Path(pypi_mirror.__file__).resolve().parents[1] / "mirror.conf"
TEXT = EXAMPLE.read_text()
EXAMPLES = {
    "[allowlist] packages",
    "[blocklist] packages",
    "[blocklist] platforms",
    "[platform] environments",
}
"""Options whose commented line shows what one could write, not the default."""


def options_in(text: str) -> dict[str, str]:
    """The lines ``key = value`` by place, those behind a semicolon too."""
    found: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif option := re.fullmatch(r";?([\w-]+) =(?: (.*))?", line):
            place = f"[{section}] {option[1]}"
            assert place not in found, place
            found[place] = option[2] or ""
    return found


def test_every_option_is_there_and_nothing_else_in_the_same_order() -> None:
    sections = re.findall(r"^\[(\w+)\]", TEXT, re.MULTILINE)
    in_sections = sorted(OPTIONS, key=lambda option: sections.index(option.section))

    assert list(options_in(TEXT)) == [option.place for option in in_sections]


def test_commented_options_show_the_defaults() -> None:
    shown = {
        place: value
        for place, value in options_in(TEXT).items()
        if place not in EXAMPLES and place not in {"[mirror] directory", "[platform] exclude-filename"}
    }

    defaults = {place: BY_PLACE[split(place)].default or "" for place in shown}
    assert shown == {place: value.replace("%", "%%") for place, value in defaults.items()}


def split(place: str) -> tuple[str, str]:
    section, _, key = place.partition(" ")
    return section.strip("[]"), key


def test_it_loads_and_leaves_out_windows_and_macos() -> None:
    settings = read_settings(EXAMPLE, {})

    assert settings.selection.exclude_filename == "macosx|win32|win_amd64|win_arm64"
    assert settings.directory.resolve() == EXAMPLE.parents[1] / "var" / "mirror"


def test_its_examples_load_with_every_semicolon_taken_away(tmp_path: Path) -> None:
    """The commented lines are right as they stand, apart from those that need a value of one's own."""
    path = tmp_path / "mirror.conf"
    path.write_text(re.sub(r"^;", "", TEXT, flags=re.MULTILINE))

    settings = read_settings(path, {})

    assert len(settings.selection.environments) == 4
    assert settings.selection.allowed_projects == {"requests", "numpy", "django"}
    assert settings.selection.blocked_projects == {"example-malware"}
    assert settings.selection.blocked_platforms == ("windows", "macos", "freebsd", "py2.7")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.place)
def test_every_option_has_one_line_that_says_what_it_does(option: Option) -> None:
    assert option.doc.endswith(".")
    assert "\n" not in option.doc


def test_reading_settings_imports_nothing_heavy(tmp_path: Path) -> None:
    """DAG files read the settings each time Airflow parses them."""
    path = tmp_path / "mirror.conf"
    path.write_text("[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n")
    program = (
        "import sys; from pathlib import Path; from pypi_mirror.settings.read import read_settings; "
        f"read_settings(Path({str(path)!r}), {{}}); print(*sys.modules)"
    )
    include = EXAMPLE.parent

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=include, timeout=60
    )

    heavy = {"airflow", "jinja2", "pendulum", "pycurl", "pypi_simple", "requests", "sqlalchemy", "msgspec"}
    assert heavy.isdisjoint(done.stdout.split())
