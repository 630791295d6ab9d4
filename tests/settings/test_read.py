"""``read_settings``: what it makes of good files, and what it says about bad ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import ConfigurationError, Mistake
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule, only_releases, whole_projects
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from pypi_mirror.policy.filters.blocklist_packages import BlockedPackages
from pypi_mirror.policy.filters.blocklist_platforms import BlockedPlatforms
from pypi_mirror.policy.filters.dependencies_follow import Dependencies
from pypi_mirror.policy.filters.platform_environments import ServedEnvironments
from pypi_mirror.policy.filters.platform_exclude_filename import ExcludedFilenames
from pypi_mirror.settings.read import read_alerts, read_settings
from pypi_mirror.settings.values import Alerts, RemovalGuard, Settings

GOOD = "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n"

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes) -> Path:
        path = tmp_path / "mirror.conf"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def mistakes_in(path: Path, environ: dict[str, str] | None = None) -> list[Mistake]:
    with pytest.raises(ConfigurationError) as caught:
        read_settings(path, environ or {})
    assert caught.value.path == path
    return list(caught.value.mistakes)


# (text after GOOD, whose lines are 1 to 3; line of the mistake; key; part of the message)
MISTAKES: dict[str, tuple[str, int | None, str, str]] = {
    "unknown key": ("worker = 3", 4, "[mirror] worker", "did you mean 'workers'?"),
    "key with another case": ("Workers = 3", 4, "[mirror] Workers", "did you mean 'workers'?"),
    "key of another section": ("port = 80", 4, "[mirror] port", "it belongs under [site]"),
    "misspelt section": ("[platfrom]\nexclude-filename = x", 4, "[platfrom]", "did you mean 'platform'?"),
    "bad boolean": ("json = ture", 4, "[mirror] json", "did you mean 'true'?"),
    "not a number": ("workers = many", 4, "[mirror] workers", "from 1 to 256"),
    "number out of range": ("workers = 0", 4, "[mirror] workers", "it goes from 1 to 256"),
    "number with a unit": ("timeout = 10s", 4, "[mirror] timeout", "not a number of seconds"),
    "not a finite number": ("timeout = nan", 4, "[mirror] timeout", "not a number of seconds"),
    "bad choice": ("simple-format = HMTL", 4, "[mirror] simple-format", "did you mean 'HTML'?"),
    "value on two lines": ("workers = 3\n  4", 4, "[mirror] workers", "not a whole number"),
    "empty value": ("workers =", 4, "[mirror] workers", "has no value; remove the line for 128"),
    "duplicate key": ("json = true\njson = true", 5, "[mirror] json", "set twice, first in line 4"),
    "one key, two spellings": (
        "root_uri = https://files.example\nroot-uri = https://files.example",
        5,
        "[mirror] root-uri",
        "root_uri is set twice, first in line 4",
    ),
    "duplicate section": ("[mirror]", 4, "[mirror]", "appears twice, first in line 1"),
    "an option that is indented": (
        "[site]\nprefix = /pypi\n  port = 80",
        6,
        "[site] port",
        "so it belongs to the value of prefix above; remove the spaces",
    ),
    "an option indented below a list": (
        "[allowlist]\npackages =\n  foo\n  requirements = x.txt",
        7,
        "[allowlist] requirements",
        "so it belongs to the value of packages above",
    ),
    "a large number": (
        "[dependencies]\napprove-beyond-gigabytes = 12345678",
        5,
        "[dependencies] approve-beyond-gigabytes",
        "12345678 is out of range; it goes from 0.001 to 1000000",
    ),
    "a share as the file has it": (
        "disk-reserve = 95%%",
        4,
        "[mirror] disk-reserve",
        "'95%%' is out of range; a share goes from 0%% to 90%%",
    ),
    "no choice, and none like it": (
        "simple-format = XML",
        4,
        "[mirror] simple-format",
        "is not one of ALL, HTML, JSON",
    ),
    "neither yes nor no": (
        "[dependencies]\nfollow = perhaps",
        5,
        "[dependencies] follow",
        "is not one of no, yes",
    ),
    "yes where it is no choice": (
        "[dependencies]\nbuild = yes",
        5,
        "[dependencies] build",
        "is not one of no, needed",
    ),
    "no key": ("workers 3", 4, "[mirror]", "cannot be read"),
    "bad percent sign": ("[platform]\nexclude-filename = 5%", 5, "[platform] exclude-filename", "written %%"),
    "unused default": ("[DEFAULT]\ntimeout = 5", 5, "[DEFAULT] timeout", "options have sections"),
    "proxy with a password": ("proxy = http://me:pw@proxy.example", 4, "[mirror] proxy", "PYPI_MIRROR_PROXY"),
    "proxy of another kind": ("proxy = ftp://proxy.example", 4, "[mirror] proxy", "socks5"),
    "root_uri without a scheme": ("root_uri = files.example", 4, "[mirror] root_uri", "not a URL like"),
    "root_uri with what is added": (
        "root_uri = http://files.example/packages",
        4,
        "[mirror] root_uri",
        "ends with /packages, which the mirror adds itself; write http://files.example",
    ),
    "root_uri with it and a slash": (
        "root_uri = http://files.example/pypi/packages/",
        4,
        "[mirror] root_uri",
        "write http://files.example/pypi",
    ),
    "root_uri of an index": (
        "root_uri = http://files.example/simple/",
        4,
        "[mirror] root_uri",
        "ends with /simple, which the mirror adds itself",
    ),
    "public-url of the index": (
        "[site]\npublic-url = https://pypi.example/simple/",
        5,
        "[site] public-url",
        "write https://pypi.example",
    ),
    "probe-url of the index": (
        "[site]\nprobe-url = http://nginx/pypi/simple",
        5,
        "[site] probe-url",
        "write http://nginx/pypi",
    ),
    "listen nowhere": ("[site]\nlisten =", 5, "[site] listen", "remove the line for 127.0.0.1"),
    "listen to a name among addresses": (
        "[site]\nlisten = 10.0.0.7, localhost",
        5,
        "[site] listen",
        "not an IP address",
    ),
    "timeouts the wrong way round": (
        "timeout = 60\nglobal-timeout = 30",
        5,
        "[mirror] global-timeout",
        "shorter than timeout (60 s)",
    ),
    "bad regex": (
        "[platform]\nexclude-filename = win(",
        5,
        "[platform] exclude-filename",
        "regular expression",
    ),
    "regex that finds everything": (
        "[platform]\nexclude-filename = win32|",
        5,
        "[platform] exclude-filename",
        "matches every filename",
    ),
    "regex on two lines": (
        "[platform]\nexclude-filename =\n  win32\n  macosx",
        6,
        "[platform] exclude-filename",
        "must be on one line",
    ),
    "bad environment in a list": (
        "[platform]\nenvironments =\n  windows x86, PyPy 3.11\n  # old\n  linux i686, PyPy 3.11, glib 2.5",
        8,
        "[platform] environments",
        "did you mean 'glibc'?",
    ),
    "no environment": ("[platform]\nenvironments =", 5, "[platform] environments", "would select everything"),
    "empty allowlist": (
        "[allowlist]\npackages =\n  # foo",
        5,
        "[allowlist] packages",
        "would select everything",
    ),
    "bad requirement": (
        "[allowlist]\npackages =\n  foo\n  bar=1",
        7,
        "[allowlist] packages",
        "has a single = before its version; write ==",
    ),
    "requirement with an extra": ("[blocklist]\npackages = foo[bar]", 5, "[blocklist] packages", "extras"),
    "bad platform": (
        "[blocklist]\nplatforms = linux\n  widnows",
        6,
        "[blocklist] platforms",
        "did you mean 'windows'?",
    ),
    "ledger of another kind": (
        "[ledger]\nurl = postgresql://db/x",
        5,
        "[ledger] url",
        "'postgresql+psycopg'",
    ),
    "ledger with a password": (
        "[ledger]\nurl = postgresql+psycopg://u:secret@db/x",
        5,
        "[ledger] url",
        "PYPI_MIRROR_LEDGER_URL",
    ),
    "ledger with a key's password": (
        "[ledger]\nurl = postgresql+psycopg://u@db/x?sslpassword=secret",
        5,
        "[ledger] url",
        "PYPI_MIRROR_LEDGER_URL",
    ),
    "ledger with a password parameter": (
        "[ledger]\nurl = postgresql+psycopg://u@db/x?password=secret",
        5,
        "[ledger] url",
        "PYPI_MIRROR_LEDGER_URL",
    ),
    "ledger at a relative path": (
        "[ledger]\nurl = sqlite:///ledger.sqlite",
        5,
        "[ledger] url",
        "four slashes",
    ),
    "grace below zero": ("[removal]\ngrace-days = -1", 5, "[removal] grace-days", "from 0 to 3650"),
    "more than all": ("[removal]\nmax-percent = 101", 5, "[removal] max-percent", "from 0 to 100"),
    "no time to approve": (
        "[removal]\napproval-hours = 0",
        5,
        "[removal] approval-hours",
        "from 0.01 to 720",
    ),
    "port too high": ("[site]\nport = 80800", 5, "[site] port", "from 1 to 65535"),
    "prefix that breaks out": ("[site]\nprefix = /pypi; }", 5, "[site] prefix", "not a URL path"),
    "prefix with dots": ("[site]\nprefix = /../etc", 5, "[site] prefix", "not a URL path"),
    "host that breaks out": ("[site]\nhost = a.example; }", 5, "[site] host", "not a host name"),
    "listen to a name": ("[site]\nlisten = localhost", 5, "[site] listen", "not an IP address"),
    "relative program": ("[site]\nnginx = bin/nginx", 5, "[site] nginx", "relative path"),
    "open quote": ("[site]\nreload-command = sh -c 'x", 5, "[site] reload-command", "not a valid command"),
    "reload by magic": ("[site]\nreload = magic", 5, "[site] reload", "command"),
    "a command that nobody runs": (
        "[site]\nreload = watch\nreload-command = true",
        6,
        "[site] reload-command",
        "is not used with reload = watch",
    ),
    "probe without a scheme": ("[site]\nprobe-url = nginx:8080/pypi", 5, "[site] probe-url", "not a URL"),
    "cron out of range": (
        "[schedule]\ncron = 61 * * * *",
        5,
        "[schedule] cron",
        "not a valid minute",
    ),
    "cron at an odd hour": ("[schedule]\ncron = 0 25 * * *", 5, "[schedule] cron", "it goes from 0 to 23"),
    "cron by a wrong name": ("[schedule]\ncron = @dayly", 5, "[schedule] cron", "is not one like @daily"),
    "cron with four fields": ("[schedule]\ncron = 1 * * *", 5, "[schedule] cron", "five fields"),
    "unknown time zone": ("[schedule]\ntimezone = Mars/Base", 5, "[schedule] timezone", "not a time zone"),
    "bad address": ("[alerts]\nemail-to = me@x.example, you", 5, "[alerts] email-to", "'you' is not a mail"),
    "webhook's address itself": (
        "[alerts]\nwebhook-connection = https://hook.example/key",
        5,
        "[alerts] webhook-connection",
        "stay in the connection",
    ),
    "slack's address itself": (
        "[alerts]\nslack-connection = https://hooks.example/services/T/B/x",
        5,
        "[alerts] slack-connection",
        "stay in the connection",
    ),
    "watch by a wrong clock": (
        "[alerts]\nwatch-cron = 99 * * * *",
        5,
        "[alerts] watch-cron",
        "a valid minute",
    ),
    "stale after a negative time": (
        "[alerts]\nstale-after = -1",
        5,
        "[alerts] stale-after",
        "from 0 to 8760",
    ),
    "deadline in minutes": ("[alerts]\nrun-deadline = 5min", 5, "[alerts] run-deadline", "number of hours"),
    "days beyond all disks": ("[alerts]\ndisk-days = 4000", 5, "[alerts] disk-days", "from 0 to 3650"),
    "repeat as a word": ("[alerts]\nrepeat-after = daily", 5, "[alerts] repeat-after", "number of hours"),
    "wildcard of the silenced": ("[alerts]\nsilenced = foo-*", 5, "[alerts] silenced", "without wildcards"),
    "more versions than the most": (
        "[versions_count_project_metadata]\nmin_versions = 9\nmax_versions = 8",
        5,
        "[versions_count_project_metadata] min_versions",
        "more than max_versions",
    ),
    "sender without receiver": (
        "[alerts]\nemail-from = a@x.example",
        5,
        "[alerts] email-from",
        "set email-to",
    ),
}


@pytest.mark.parametrize(("text", "line", "key", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_the_only_one_and_leads_to_its_line(
    write: Write, text: str, line: int, key: str, hint: str
) -> None:
    [mistake] = mistakes_in(write(GOOD + text + "\n"))

    assert (mistake.line, mistake.key) == (line, key)
    assert hint in mistake.message
    assert not mistake.message.endswith("."), "half a sentence: the place stands before it"


# One mistake in a file without more says one thing: what was meant is not missing, too.
SHORT: dict[str, tuple[str, int, str]] = {
    "mistyped": ("[mirror]\ndirectroy = x\n", 2, "[mirror] directroy"),
    "before the first section": ("directory = x\n[mirror]\n", 1, "directory"),
    "indented": ("[mirror]\nmaster = pypi\n  directory = x\n", 3, "[mirror] directory"),
}


@pytest.mark.parametrize(("text", "line", "key"), SHORT.values(), ids=SHORT)
def test_what_stands_in_the_wrong_way_is_not_missing(write: Write, text: str, line: int, key: str) -> None:
    assert [(each.line, each.key) for each in mistakes_in(write(text))] == [(line, key)]


def test_a_key_without_a_section_is_told_its_own(write: Write) -> None:
    (mistake,) = mistakes_in(write("port = 80\n" + GOOD))
    assert mistake.message.endswith("write a line `[site]` above it")


def test_a_mistyped_option_may_stand_beside_the_right_one(write: Write) -> None:
    assert [each.key for each in mistakes_in(write(GOOD + "worker = 3\nworkers = 3\n"))] == [
        "[mirror] worker"
    ]


@pytest.mark.parametrize("yes", ["yes", "true", "On", "1", "YES"])
@pytest.mark.parametrize("no", ["no", "false", "Off", "0"])
def test_every_switch_is_written_alike(write: Write, yes: str, no: str) -> None:
    on = read_settings(
        write(
            f"{GOOD}json = {yes}\n[allowlist]\npackages = x\n[dependencies]\nfollow = {yes}\nbuild = {no}\n"
        )
    )
    assert (on.json, on.policy.of(Dependencies).follow, on.policy.of(Dependencies).build) == (
        True,
        "yes",
        "no",
    )
    off = read_settings(write(f"{GOOD}json = {no}\n[dependencies]\nfollow = {no}\n"))
    assert (off.json, off.policy.of(Dependencies).follow) == (False, "no")


# What two options say that cannot both count: (text after GOOD, line, key, part of the warning).
IDLE: dict[str, tuple[str, int, str, str]] = {
    "allowed and blocked": (
        "[allowlist]\npackages =\n  foo\n  Bar>=2\n[blocklist]\npackages = bar",
        7,
        "[allowlist] packages",
        "bar is not mirrored, since [blocklist] packages lists bar",
    ),
    "allowed and blocked by a pattern": (
        "[allowlist]\npackages = foo-tests\n[blocklist]\npackages = *-tests",
        5,
        "[allowlist] packages",
        "[blocklist] packages lists *-tests",
    ),
    "allowed and stopped at": (
        "[allowlist]\npackages = foo\n[dependencies]\nfollow = yes\nstop-at =\n  bar\n  foo",
        10,
        "[dependencies] stop-at",
        "has no effect on foo, which [allowlist] packages names itself",
    ),
    "days of dependencies that are not followed": (
        "[removal]\nundemanded-days = 3",
        5,
        "[removal] undemanded-days",
        "no effect without [dependencies] follow = yes",
    ),
}


@pytest.mark.parametrize(("text", "line", "key", "said"), IDLE.values(), ids=IDLE)
def test_what_cannot_count_is_warned_of(write: Write, text: str, line: int, key: str, said: str) -> None:
    (warning,) = read_settings(write(GOOD + text + "\n")).warnings
    assert (warning.line, warning.key) == (line, key)
    assert said in warning.message


@pytest.mark.parametrize(
    "text",
    [
        "[allowlist]\npackages = foo-*\n[blocklist]\npackages = foo-tests",
        "[allowlist]\npackages = foo>=2\n[blocklist]\npackages = foo==2.1",
        "[allowlist]\npackages = foo\n[dependencies]\nfollow = yes\nstop-at = foo-*",
        "[allowlist]\npackages = foo\n[dependencies]\nfollow = yes\n[removal]\nundemanded-days = 3",
    ],
)
def test_an_exception_is_no_contradiction(write: Write, text: str) -> None:
    assert read_settings(write(GOOD + text + "\n")).warnings == ()


def test_each_part_of_a_value_is_checked(write: Write) -> None:
    path = write(
        "[mirror]\ndirectory = /srv/pypi\n[platform]\nenvironments =\n"
        "    linux x86-64, CPython 3.99, glib 2.28\n[schedule]\ncron = 61 25 * * xyz\n"
    )
    assert [(each.line, each.message.partition(";")[0].partition(" (")[0]) for each in mistakes_in(path)] == [
        (5, "'x86-64' is not a machine of linux"),
        (5, "'3.99' is not a minor version of Python like 3.12"),
        (5, "'glib 2.28' is not `glibc 2.28` or `musl 1.2`"),
        (7, "'61' is not a valid minute"),
        (7, "'25' is not a valid hour"),
        (7, "'xyz' is not a valid day of the week"),
    ]


def test_paths_are_said_without_detours(write: Write, tmp_path: Path) -> None:
    path = write("[mirror]\ndirectory = ../mirror\n")
    assert read_settings(path, {}).directory == (path.parent.parent / "mirror").resolve()
    detour = path.parent / "x" / ".." / path.name
    detour.parent.parent.mkdir(exist_ok=True)
    assert read_settings(detour, {}).path == path.resolve()


@pytest.mark.parametrize(
    ("master", "hint"),
    [
        ("http://index.example", "plain http"),
        ("HTTP://index.example", "plain http"),
        ("http://127.0.0.1.index.example", "plain http"),
        ("https://me:pw@index.example", "must not hold a user name"),
        (
            "https://token@index.example/simple/",
            "environment variable PYPI_MIRROR_LOGIN",
        ),
        ("https://index.example/?a=b", "must not have a query"),
        ("https://index.example:port", "not a URL"),
        ("index.example", "not a URL like https://"),
        ("https://index example", "must not hold spaces"),
    ],
)
def test_a_bad_master_is_refused(write: Write, master: str, hint: str) -> None:
    [mistake] = mistakes_in(write(f"[mirror]\ndirectory = /srv/pypi\nmaster = {master}\n"))

    assert (mistake.line, mistake.key) == (3, "[mirror] master")
    assert hint in mistake.message


def test_all_mistakes_come_at_once_in_the_order_of_the_file(write: Write) -> None:
    text = (
        "workers = 1\n[mirror]\ntimeout = soon\n[site]\nport = x\nhots = y\n[allowlist]\npackages = a\n  !\n"
    )
    environ = {"PYPI_MIRROR_LEDGER_URL": "mysql://db/x"}

    mistakes = mistakes_in(write(text), environ)

    assert [(m.line, m.key) for m in mistakes] == [
        (1, "workers"),
        (2, "[mirror] directory"),
        (3, "[mirror] timeout"),
        (5, "[site] port"),
        (6, "[site] hots"),
        (9, "[allowlist] packages"),
        (None, "PYPI_MIRROR_LEDGER_URL in the environment"),
    ]


def test_a_file_without_the_main_section_says_what_is_missing(write: Write) -> None:
    [mistake] = mistakes_in(write("[site]\nport = 80\n"))

    assert (mistake.line, mistake.key) == (None, "[mirror] directory")
    assert "under [mirror]" in mistake.message


def test_a_missing_file_and_a_directory_are_configuration_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.conf", tmp_path):
        [mistake] = mistakes_in(path)
        assert (mistake.line, mistake.key) == (None, None)
        assert "cannot be read" in mistake.message


def test_a_file_in_another_encoding_is_a_mistake_in_its_line(write: Write) -> None:
    [mistake] = mistakes_in(write("[mirror]\n# f\u00fcr\n".encode("latin-1")))

    assert mistake.line == 2
    assert "UTF-8" in mistake.message


def test_the_message_names_file_line_and_key(write: Write) -> None:
    path = write(GOOD + "worker = 3\n")

    with pytest.raises(ConfigurationError, match=r"mirror\.conf:4: \[mirror\] worker: .*'workers'"):
        read_settings(path, {})


def test_the_smallest_file_gives_the_defaults_of_the_values(write: Write) -> None:
    """The defaults in the table of options and those of ``values.py`` are the same."""
    path = write("\ufeff" + GOOD)
    directory = Path("/srv/pypi")
    plain = Settings(path=path, directory=directory, master="https://index.example")

    settings = read_settings(path, {})

    assert settings.site.config == directory / "nginx" / "pypi-mirror.conf"
    assert settings == plain.__class__(
        path=path,
        directory=directory,
        master="https://index.example",
        site=plain.site.__class__(config=settings.site.config),
    )


def test_every_section_reaches_the_settings(write: Write, tmp_path: Path) -> None:
    settings = read_settings(
        write(
            """
[DEFAULT]
name = pypi.example

[mirror]
directory = data/%(name)s
; a comment
master = https://index.example/team/simple/
timeout = 2.5
root-uri = https://files.example/
release-files = off
simple-format = json
compare-method = STAT

[allowlist]
packages =
    Foo.Bar        # normalized
    numpy>=2,<3
    numpy==1.26.*
    django
    Django>=4

[blocklist]
packages = evil
    numpy==2.0.0
platforms = Windows, py2.7 macos

[platform]
environments = windows x86_64, CPython 3.12
exclude-filename = win32|50%%

[ledger]
url = postgresql+psycopg://me@db.example:5432/mirror

[removal]
grace-days = 0.5
max-percent = 2.5
max-projects = 40
always-allowed = 0
approval-hours = 72
approvers = ada, 42

[site]
host = %(name)s
listen = [::], 10.0.0.7
port = 80
prefix = /
reload-command = sudo 'my nginx' reload
probe-url = http://nginx:8080/
config = nginx.conf
enabled = no

[schedule]
cron = none
timezone = Europe/Lisbon

[alerts]
email-to = a@x.example, b@x.example
    c@x.example
watch-cron = none
stale-after = 0
silenced = Foo.Bar, numpy
""",
        ),
        {},
    )

    assert settings.directory == tmp_path / "data" / "pypi.example"
    assert settings.master == "https://index.example/team"
    assert settings.timeout == 2.5
    assert settings.root_uri == "https://files.example"
    assert settings.release_files is False
    assert settings.simple_format == "JSON"
    assert settings.compare_method == "stat"
    allowed, blocked = settings.policy.of(AllowedPackages), settings.policy.of(BlockedPackages)
    assert allowed.projects == {"foo-bar", "numpy", "django"}
    assert only_releases(allowed.packages) == (
        ReleaseRule(project=NormalizedName("numpy"), specifier="<3,>=2"),
        ReleaseRule(project=NormalizedName("numpy"), specifier="==1.26.*"),
    )
    assert whole_projects(blocked.packages) == {"evil"}
    assert only_releases(blocked.packages) == (
        ReleaseRule(project=NormalizedName("numpy"), specifier="==2.0.0"),
    )
    assert settings.policy.of(BlockedPlatforms).platforms == ("windows", "py2.7", "macos")
    assert settings.policy.of(ServedEnvironments).environments == (
        Environment(system="windows", machine="amd64", implementation="cpython", pythons=((3, 12),)),
    )
    assert settings.policy.of(ExcludedFilenames).exclude_filename == "win32|50%"
    assert settings.ledger == "postgresql+psycopg://me@db.example:5432/mirror"
    assert settings.grace_days == 0.5
    assert settings.guard == RemovalGuard(
        max_percent=2.5, max_projects=40, always_allowed=0, approval_hours=72, approvers=("ada", "42")
    )
    assert settings.site.listen == ("::", "10.0.0.7")
    assert settings.site.prefix == ""
    assert settings.site.public_url == "http://pypi.example"
    assert settings.site.reload_command == ("sudo", "my nginx", "reload")
    assert settings.site.probe_url == "http://nginx:8080"
    assert settings.site.config == tmp_path / "nginx.conf"
    assert settings.site.enabled is False
    assert settings.schedule.cron is None
    assert settings.schedule.timezone == "Europe/Lisbon"
    assert settings.alerts.email_to == ("a@x.example", "b@x.example", "c@x.example")
    assert settings.alerts.watch_cron is None
    assert settings.alerts.stale_after == 0
    assert settings.alerts.silenced == ("foo-bar", "numpy")


def test_who_is_told_is_read_from_a_file_with_mistakes(write: Write) -> None:
    """One that has a typing error in its list of people, too: the others are told of it."""
    path = write(
        "[mirror]\nstop-on-eror = true\n[nonsense]\n[alerts]\nemail-to = a@x.example, me, b@x.example\n"
        "smtp-connection = https://x\nwebhook-connection = hook\nstale-after = soon\n"
    )
    with pytest.raises(ConfigurationError):
        read_settings(path, {})
    assert read_alerts(path, {}) == Alerts(email_to=("a@x.example", "b@x.example"), webhook_connection="hook")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"email-to = a@x.example"])
def test_a_file_that_says_nothing_of_alerts_tells_nobody(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "mirror.conf").write_bytes(content)
    assert read_alerts(tmp_path / "mirror.conf", {}) == Alerts()


def test_the_default_master_is_the_public_index_by_its_librarys_constant(write: Write) -> None:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    settings = read_settings(write("[mirror]\ndirectory = /srv/pypi\n"), {})

    assert f"{settings.master}/simple/" == PYPI_SIMPLE_ENDPOINT


@pytest.mark.parametrize(
    "master", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000", "https://index.example"]
)
def test_plain_http_to_this_machine_needs_no_permission(write: Write, master: str) -> None:
    settings = read_settings(write(f"[mirror]\ndirectory = /srv/pypi\nmaster = {master}/simple\n"), {})

    assert settings.master == master


def test_plain_http_elsewhere_can_be_permitted(write: Write) -> None:
    text = "[mirror]\ndirectory = /srv/pypi\nmaster = http://index.example\nallow-non-https = yes\n"

    assert read_settings(write(text), {}).allow_non_https is True


def test_secrets_of_the_environment_override_and_stay_out_of_the_repr(write: Write) -> None:
    environ = {
        "PYPI_MIRROR_LEDGER_URL": "postgresql+psycopg://u:hunter2@db/x",
        "PYPI_MIRROR_PROXY": "http://u:hunter2@proxy.example:3128",
    }

    settings = read_settings(write(GOOD + "proxy = http://other.example\n"), environ)

    assert settings.ledger == environ["PYPI_MIRROR_LEDGER_URL"]
    assert settings.proxy == environ["PYPI_MIRROR_PROXY"]
    assert "hunter2" not in repr(settings)


def test_the_home_directory_is_expanded(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")

    settings = read_settings(write(GOOD.replace("/srv/pypi", "~/pypi")), {})

    assert settings.directory == Path("/home/somebody/pypi")
