"""``include/mirror.conf`` is made from the declarations; PYPI_MIRROR_RERECORD=1 writes it again."""

import re
import subprocess
import sys
from pathlib import Path
from textwrap import TextWrapper

import pytest

import pypi_mirror
from pypi_mirror.options import Option
from pypi_mirror.options.packages import whole_projects
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.settings.options import OPTIONS, SECTIONS
from pypi_mirror.settings.read import read_settings
from tests.golden import assert_golden

EXAMPLE = Path(pypi_mirror.__file__).resolve().parents[1] / "mirror.conf"
COMMENT = TextWrapper(108, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
HEAD = """\
# What this mirror holds, how it is kept, and how it is served.
#
# The syntax is bandersnatch's: sections, `key = value`, lists with an item on each indented line. Lines
# that begin with # or ; are comments. Here # explains, and ; is an option at its default or an example:
# remove the semicolon to set it. Two options are set here: [mirror] directory, and [platform]
# exclude-filename, which leaves out files for Windows and macOS. A percent sign is written %%.
# `pypi-mirror config check` names every mistake in this file with its line.
# A bandersnatch.conf works here, too, as far as it asks for what this mirror has.
#
# No secrets in this file: those of the ledger and the proxy come from the environment variables
# PYPI_MIRROR_LEDGER_URL and PYPI_MIRROR_PROXY, a login at upstream from PYPI_MIRROR_LOGIN or Airflow's
# connection pypi_mirror_upstream, those of mail and webhook from Airflow's connections.
#
# Copy this file and name the copy: `pypi-mirror VERB -c FILE`, or the environment variable PYPI_MIRROR_CONF,
# which Airflow's processes need too. Without either, /etc/pypi-mirror/mirror.conf counts, never this example.
"""


def template() -> str:
    """The file as the declarations say: a section's subject, and each option explained above its line."""
    parts = [HEAD]
    for section in SECTIONS:
        options = "\n".join(map(explained, (option for option in OPTIONS if option.section == section)))
        parts.append(f"# {section.doc}\n[{section.name}]\n\n{options}")
    return "\n".join(parts)


def explained(option: Option) -> str:
    """The comment of an option, and its line or lines."""
    paragraphs = f"{option.doc} {option.more}".rstrip().split("\n")
    comment = "\n".join(f"# {each}" if each.startswith(" ") else COMMENT.fill(each) for each in paragraphs)
    if option.preset is not None:
        lines = [f"{option.key} = {option.preset}"]
    elif len(option.example) > 1:
        lines = [f";{option.key} =", *(f";    {item}" for item in option.example)]
    else:
        lines = [f";{option.key} = {next(iter(option.example), option.default or '')}".rstrip()]
    return "\n".join([comment, *lines, ""]).replace("%", "%%")


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


def test_it_is_what_the_declarations_say() -> None:
    assert_golden(EXAMPLE, template().encode())


def test_every_option_is_there_and_nothing_else_in_the_same_order() -> None:
    assert list(options_in(EXAMPLE.read_text())) == [option.place for option in OPTIONS]


def test_it_loads_and_leaves_out_windows_and_macos() -> None:
    settings = read_settings(EXAMPLE, {})

    assert settings.policy.of(ExcludedFilenames).exclude_filename == "macosx|win32|win_amd64|win_arm64"
    assert settings.directory.resolve() == EXAMPLE.parents[1] / "var" / "mirror"


def test_its_examples_load_with_every_semicolon_taken_away(tmp_path: Path) -> None:
    """The commented lines are right as they stand, apart from those that need a value of one's own."""
    path = tmp_path / "mirror.conf"
    path.write_text(re.sub(r"^;", "", EXAMPLE.read_text(), flags=re.MULTILINE))

    settings = read_settings(path, {})

    assert len(settings.policy.of(ServedEnvironments).environments) == 4
    allowed = settings.policy.of(AllowedPackages)
    assert {rule.project for rule in allowed.packages} == {"requests", "urllib3", "django"}
    assert whole_projects(settings.policy.of(BlockedPackages).packages) == {
        "example-malware",
        "example-test-*",
    }
    assert settings.policy.of(BlockedPlatforms).platforms == ("windows", "macos", "freebsd", "py2.7")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.place)
def test_every_option_has_one_line_that_says_what_it_does(option: Option) -> None:
    assert option.doc.endswith(".")
    assert "\n" not in option.doc


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if isinstance(option.default_value, bool)],
    ids=lambda option: option.place,
)
def test_a_switch_says_what_it_decides_and_not_that_it_is_so(option: Option) -> None:
    """The page in Airflow shows the sentence beside ``false``, too."""
    assert option.doc.startswith("Whether ")


def test_only_two_options_are_set() -> None:
    """As its head says."""
    active = re.findall(r"^[\w-]+ =", EXAMPLE.read_text(), re.MULTILINE)
    assert active == ["directory =", "exclude-filename ="]


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

    heavy = {"airflow", "jinja2", "zoneinfo", "pycurl", "pypi_simple", "requests", "sqlalchemy"}
    assert heavy.isdisjoint(done.stdout.split())
