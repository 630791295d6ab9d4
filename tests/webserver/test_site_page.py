"""The front page: right without JavaScript, escaped, permitted by its own policy; and mirror.json."""

import base64
import dataclasses
import hashlib
import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from pypi_mirror.model import RunState
from pypi_mirror.options.environments import Environment, describe_environment
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Settings, Site
from pypi_mirror.webserver.clients import pip_conf, poetry_source, uv_toml
from pypi_mirror.webserver.site_page import content_security_policy, holdings, render_page, write_site_files
from pypi_mirror.webserver.status import LeftToDo, MirrorStatus, render_status
from tests.golden import assert_golden
from tests.policies import policy

LINUX = Environment(
    system="linux",
    machine="x86_64",
    implementation="cpython",
    pythons=((3, 10), (3, 11), (3, 12), (3, 13)),
    libc=("glibc", 2, 28),
)
SETTINGS = Settings(
    directory=Path("/srv/mirror"),
    master="https://index.example",
    policy=policy(environments=(LINUX,), exclude_filename="macosx|win32|win_amd64"),
    site=Site(host="pypi.lab.example", public_url="http://pypi.lab.example:8080/pypi"),
)
STATUS = MirrorStatus(
    cursor=29876543,
    upstream_serial=29876602,
    updated_at=datetime(2026, 11, 22, 12, 30, 5, tzinfo=UTC),
    checked_at=datetime(2026, 11, 22, 13, 0, tzinfo=UTC),
    projects=1234,
    files=45678,
    bytes=987_654_321_000,
    dropped_files=98765,
    dropped_bytes=2_345_678_901_234,
    last_run=RunState.SUCCESS,
    backlog=3,
    parked=1,
)
NEW = MirrorStatus(
    cursor=None,
    upstream_serial=None,
    updated_at=None,
    checked_at=None,
    projects=0,
    files=0,
    bytes=0,
    dropped_files=0,
    dropped_bytes=0,
    last_run=None,
    backlog=0,
    parked=0,
)

GOLDEN = Path(__file__).with_name("golden")


class _Reader(HTMLParser):
    """The page's text outside of script and style, the figures by name, the code blocks, the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.figures: dict[str, str] = {}
        self.code: list[str] = []
        self.inline: dict[str, str] = {}
        self.addresses: list[str] = []
        self._tags: list[str] = []
        self._figure: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"meta", "br"}:
            return
        self._tags.append(tag)
        given = dict(attrs)
        self._figure = given.get("data-figure")
        self.addresses += [value for name, value in attrs if name in {"href", "src"} and value]
        if self._tags[-2:] == ["pre", "code"]:
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._tags.pop() == tag, f"{tag} is closed out of turn"
        self._figure = None

    def handle_data(self, data: str) -> None:
        if self._tags and self._tags[-1] in {"script", "style"}:
            self.inline[self._tags[-1]] = data
            return
        self.words.append(data)
        if self._figure:
            self.figures[self._figure] = data
        if self._tags[-2:] == ["pre", "code"]:
            self.code[-1] += data


def read(settings: Settings = SETTINGS, status: MirrorStatus = STATUS) -> _Reader:
    reader = _Reader()
    reader.feed(render_page(settings, status).decode())
    reader.close()
    assert reader._tags == []
    return reader


def test_the_page_is_the_golden_one() -> None:
    assert_golden(GOLDEN / "index.html", render_page(SETTINGS, STATUS))


def test_the_page_is_right_without_javascript() -> None:
    assert read().figures == {
        "updated": "Last complete sync: 2026-11-22 12:30 UTC.",
        "behind": "Upstream is 59 events ahead.",
        "projects": "1,234",
        "files": "45,678",
        "bytes": "988 GB",
        "cursor": "29,876,543",
        "backlog": "3",
        "dropped": "2.35 TB in 98,765 files",
    }


def test_a_mirror_that_never_ran_says_so() -> None:
    page = read(status=NEW)
    text = " ".join(page.words)
    assert "not synced yet" in text
    assert "The first sync is not complete yet" in page.figures["updated"]
    assert page.figures["cursor"] == "–"
    assert "dropped" not in page.figures


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (RunState.SUCCESS, "last run succeeded"),
        (RunState.FAILED, "last run failed"),
        (RunState.RUNNING, "syncing now"),
        (RunState.PAUSED, "sync paused"),
    ],
)
def test_the_state_of_the_last_run_by_page_and_script_alike(state: RunState, words: str) -> None:
    page = read(status=replace(STATUS, last_run=state))
    assert words in page.words
    assert f'{state.value}: "{words}"' in page.inline["script"]


def test_a_paused_mirror_says_when_it_goes_on() -> None:
    until = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
    page = read(status=replace(STATUS, last_run=RunState.PAUSED, paused_until=until))
    assert page.figures["paused"] == "Downloads resume at 2026-11-22 21:00 UTC."
    assert "`Downloads resume at ${minutes(status.paused_until)}.`" in page.inline["script"]
    assert "paused" not in read().figures


def test_the_code_blocks_are_the_files_that_can_be_downloaded() -> None:
    code = read().code
    assert pip_conf(SETTINGS) in code
    assert uv_toml(SETTINGS) in code
    assert poetry_source(SETTINGS) in code
    assert (
        "pip install --index-url http://pypi.lab.example:8080/pypi/simple/ "
        "--trusted-host pypi.lab.example PACKAGE\n"
    ) in code


def test_the_page_asks_nothing_of_other_hosts() -> None:
    page = read()
    assert page.addresses
    assert not [address for address in page.addresses if ":" in address or address.startswith("/")]
    assert re.findall(r"fetch\(\"([^\"]+)\"", page.inline["script"]) == ["mirror.json"]


@pytest.mark.parametrize(("tag", "directive"), [("script", "script-src"), ("style", "style-src")])
def test_the_policy_permits_exactly_the_inline_script_and_style(tag: str, directive: str) -> None:
    digest = base64.b64encode(hashlib.sha256(read().inline[tag].encode()).digest()).decode()
    assert f"{directive} 'sha256-{digest}';" in content_security_policy()
    assert "unsafe" not in content_security_policy()


def test_what_the_settings_say_is_text_and_never_markup() -> None:
    evil = '</style><script>alert("x")</script>'
    settings = dataclasses.replace(
        SETTINGS, master=evil, policy=policy(exclude_filename=evil, blocked_platforms=(evil,))
    )
    page = read(settings)
    assert page.inline == read().inline
    assert " ".join(page.words).count(evil) == 3


def test_files_are_written_only_when_they_change(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, directory=tmp_path)
    names = ("index.html", "mirror.json", "pip.conf", "uv.toml", "poetry.toml")
    assert write_site_files(settings, STATUS) == names
    assert write_site_files(settings, STATUS) == ()
    assert write_site_files(settings, replace(STATUS, files=1)) == ("index.html", "mirror.json")
    assert (tmp_path / "web" / "pip.conf").read_text() == pip_conf(settings)


def test_mirror_json() -> None:
    assert json.loads(render_status(STATUS)) == {
        "cursor": 29876543,
        "upstream_serial": 29876602,
        "updated_at": "2026-11-22T12:30:05Z",
        "checked_at": "2026-11-22T13:00:00Z",
        "projects": 1234,
        "files": 45678,
        "bytes": 987654321000,
        "dropped_files": 98765,
        "dropped_bytes": 2345678901234,
        "held_files": 0,
        "last_run": "success",
        "paused_until": None,
        "backlog": 3,
        "parked": 1,
        "waiting": None,
        "clock_ahead": None,
        "lag_seconds": None,
        "upstream_silent_since": None,
        "left": None,
        "disk_free": None,
        "disk_full_at": None,
        "unknown_names": [],
        "unmet_rules": [],
        "refused_files": 0,
        "refused_fields": 0,
        "silent_losses": [],
        "dependencies": None,
    }


def test_mirror_json_of_a_first_sync_in_parts_that_fills_the_disk() -> None:
    status = replace(
        STATUS,
        lag_seconds=90,
        upstream_silent_since=datetime(2026, 11, 22, 13, 5, tzinfo=UTC),
        left=LeftToDo(projects=7, bytes=None),
        disk_free=10**12,
        disk_full_at=datetime(2026, 12, 24, tzinfo=UTC),
        unknown_names=("alhpa",),
    )
    document = json.loads(render_status(status))
    assert document["lag_seconds"] == 90
    assert document["upstream_silent_since"] == "2026-11-22T13:05:00Z"
    assert document["left"] == {"projects": 7, "bytes": None}
    assert (document["disk_free"], document["disk_full_at"]) == (10**12, "2026-12-24T00:00:00Z")
    assert document["unknown_names"] == ["alhpa"]


def test_the_script_reads_fields_that_mirror_json_has() -> None:
    fields = set(re.findall(r"status\.([a-z_]+)", read().inline["script"]))
    assert fields <= set(json.loads(render_status(STATUS)))


@pytest.mark.parametrize(
    ("cursor", "upstream", "behind"), [(5, 9, 4), (9, 9, 0), (9, 5, 0), (None, 9, None), (9, None, None)]
)
def test_events_behind(cursor: int | None, upstream: int | None, behind: int | None) -> None:
    assert replace(STATUS, cursor=cursor, upstream_serial=upstream).events_behind == behind


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        (LINUX, "Linux x86_64, CPython 3.10 to 3.13, glibc 2.28 or newer"),
        (
            Environment(
                system="macos",
                machine="arm64",
                implementation="cpython",
                pythons=((3, 12), (3, 10)),
                macos=(14, 0),
            ),
            "macOS arm64, CPython 3.10 and 3.12, macOS up to 14.0",
        ),
        (
            Environment(
                system="windows",
                machine="amd64",
                implementation="cpython",
                pythons=((3, 13), (3, 14), (3, 9)),
                free_threaded=True,
            ),
            "Windows amd64, CPython 3.9t, 3.13t and 3.14t",
        ),
        (
            Environment(
                system="linux",
                machine="aarch64",
                implementation="pypy",
                pythons=((3, 10),),
                libc=("musl", 1, 2),
            ),
            "Linux aarch64, PyPy 3.10, musl 1.2 or newer",
        ),
    ],
)
def test_environments(environment: Environment, text: str) -> None:
    assert describe_environment(environment) == text


FILTERS = """
[mirror]
directory = mirror
master = https://index.example
[allowlist]
packages =
    one
    two>1
[blocklist]
packages =
    three
    two==2
platforms = windows
[filter_prerelease]
packages = *
[filter_regex]
packages = .*-nightly
releases = .*dev.*
[latest_release]
keep = 3
[size_project_metadata]
max_package_size = 1 GB
[versions_count_project_metadata]
min_versions = 2
max_versions = 9
[platform]
environments = linux x86_64, CPython 3.12, glibc 2.28
exclude-filename = win32
exclude-formats = egg
max-file-size = 1 GB
sdists = {sdists}
[regex_release_file_metadata]
patterns = any:release_file.packagetype = bdist_wheel
[version_range_release_file_metadata]
versions = release_file.requires_python = 3.12
[cooldown]
exclude-newer = 7 days
"""


@pytest.mark.parametrize("sdists", ["needed", "none"])
def test_the_filters_sentences_end_as_sentences_and_do_not_contradict_each_other(
    tmp_path: Path, sdists: str
) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text(FILTERS.format(sdists=sdists))
    said = holdings(read_settings(conf, {}))
    assert len(said) >= 17
    assert [sentence for sentence in said if not sentence.endswith(".")] == []
    assert len([sentence for sentence in said if "source" in sentence.lower()]) == 1
    assert not any("sdist" in sentence or "distribution" in sentence for sentence in said)


def test_every_filter_gets_a_sentence() -> None:
    rule = ReleaseRule(project=canonicalize_name("django"), specifier=">=4")
    filters = policy(
        allowed_projects=frozenset(canonicalize_name(f"p{n:02}") for n in range(14)),
        allowed_releases=(rule,),
        blocked_projects=frozenset({canonicalize_name("evil")}),
        blocked_releases=(rule,),
        blocked_platforms=("windows", "macos"),
        environments=(LINUX,),
        exclude_filename="win32",
    )
    names = ", ".join(["django", *(f"p{n:02}" for n in range(11))])
    assert holdings(dataclasses.replace(SETTINGS, policy=filters, release_files=False)) == (
        f"Only chosen projects: {names} and 3 others.",
        "Of some projects only these releases: django >=4.",
        "Left out on purpose: evil.",
        "Releases left out on purpose: django >=4.",
        "No files for these platforms: windows, macos.",
        (
            "Binary wheels only for: Linux x86_64, CPython 3.10 to 3.13, glibc 2.28 or newer. "
            "Wheels that fit every platform are mirrored too."
        ),
        "No files whose name matches win32.",
        "Pages only: files are not mirrored.",
    )
    assert holdings(dataclasses.replace(SETTINGS, policy=policy())) == (
        "Every project and every file of upstream; nothing is filtered out.",
    )
