"""``describe`` shows every option, and what it shows is what the file would say."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from pypi_mirror.options.disk_reserve import DiskReserve
from pypi_mirror.options.download_window import parse_download_window
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.policy import Policy
from pypi_mirror.settings.options import OPTIONS, describe
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Alerts, Audit, RemovalGuard, Schedule, Settings, Site
from tests.policies import policy

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True).map(canonicalize_name)
MAILS = st.from_regex(r"[a-z]{1,5}@[a-z]{1,5}\.example", fullmatch=True)
SECONDS = st.integers(1000, 100_000).map(lambda n: n / 1000)
RULES = st.builds(ReleaseRule, project=NAMES, specifier=st.sampled_from(["==1.0", "<3,>=2", "!=1.5.*"]))
RESERVES = st.builds(DiskReserve, percent=st.integers(0, 900).map(lambda n: n / 10)) | st.builds(
    DiskReserve, bytes=st.integers(0, 10**13)
)
ENVIRONMENTS = st.sampled_from(
    [
        Environment(system="windows", machine="x86", implementation="cpython", pythons=((3, 8), (3, 9))),
        Environment(
            system="macos", machine="arm64", implementation="pypy", pythons=((3, 11),), macos=(14, 0)
        ),
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    allowed = tuple(sorted(draw(st.sets(RULES, max_size=3))))
    blocked = tuple(sorted(draw(st.sets(RULES, max_size=3))))
    partly_blocked = {rule.project for rule in blocked}
    return policy(
        allowed_projects=draw(st.frozensets(NAMES, max_size=3)) | {rule.project for rule in allowed},
        allowed_releases=allowed,
        blocked_projects=draw(st.frozensets(NAMES, max_size=3)) - partly_blocked,
        blocked_releases=blocked,
        blocked_platforms=tuple(draw(st.lists(st.sampled_from(["linux", "py3.9", "win32"]), unique=True))),
        environments=tuple(draw(st.lists(ENVIRONMENTS, unique=True))),
        exclude_filename=draw(st.none() | st.sampled_from(["win32|macosx", "50%", r"\.exe$"])),
    )


@st.composite
def all_settings(draw: st.DrawFn) -> Settings:
    flag = st.booleans()
    root = draw(st.sampled_from(["https://files.example", "https://files.example/a"]) | st.none())
    host = draw(st.sampled_from(["pypi.example", "localhost"]))
    return Settings(
        directory=Path("/srv/pypi"),
        master=draw(st.sampled_from(["https://index.example", "http://localhost:8000/root"])),
        allow_non_https=draw(flag),
        timeout=draw(SECONDS),
        global_timeout=float(draw(st.integers(100, 604_800))),
        workers=draw(st.integers(1, 256)),
        hash_index=draw(flag),
        stop_on_error=draw(flag),
        delete_packages=draw(flag),
        json=draw(flag),
        release_files=draw(flag) if root else True,
        core_metadata=draw(flag),
        proxy=draw(st.none() | st.just("socks5://proxy.example:1080")),
        compare_method=draw(st.sampled_from(["hash", "stat"])),
        root_uri=root,
        disk_reserve=draw(RESERVES),
        simple_format=draw(st.sampled_from(["ALL", "HTML", "JSON"])),
        ledger_url=draw(st.none() | st.just("sqlite:////srv/ledger.sqlite")),
        grace_days=draw(SECONDS),
        guard=RemovalGuard(
            max_percent=draw(st.integers(0, 1000)) / 10,
            max_projects=draw(st.integers(0, 10_000_000)),
            always_allowed=draw(st.integers(0, 10_000_000)),
            approval_hours=draw(st.integers(1, 7200)) / 10,
            approvers=draw(st.sampled_from([(), ("ada",), ("ada", "42")])),
        ),
        policy=draw(policies()),
        site=Site(
            host=host,
            listen=draw(st.sampled_from([("127.0.0.1",), ("::",), ("10.0.0.7", "::1")])),
            port=draw(st.integers(1, 65535)),
            prefix=draw(st.sampled_from(["", "/pypi", "/a/b"])),
            public_url=draw(st.sampled_from(["https://pypi.example", "http://pypi.example:1/x"])),
            nginx=draw(st.sampled_from([None, "nginx", "/usr/sbin/nginx"])),
            config=Path("/etc/nginx/conf.d/x.conf"),
            reload_command=(command := draw(st.sampled_from([(), ("sudo", "my reload", "it's")]))),
            reload="command" if command else draw(st.sampled_from(["command", "watch"])),
            probe_url=draw(st.sampled_from([None, "http://nginx:8080/pypi"])),
            page_max_age=draw(st.integers(0, 86400)),
            enabled=draw(flag),
        ),
        schedule=Schedule(
            cron=draw(st.sampled_from([None, "@daily", "5 4 * * 1-5"])),
            timezone=draw(st.sampled_from(["UTC", "Europe/Lisbon"])),
            download_window=draw(st.sampled_from([(), parse_download_window("22:00-6:00, sat 8:00-9:00")])),
            projects_per_run=draw(st.none() | st.integers(1, 10_000_000)),
            gigabytes_per_run=draw(st.none() | st.integers(1, 1_000_000).map(lambda number: number / 1000)),
            first=draw(st.sampled_from([(), (Path("/srv/top.json"), canonicalize_name("numpy"))])),
            batch_size=draw(st.integers(1, 1000)),
            retries=draw(st.integers(0, 20)),
            retry_delay=draw(SECONDS),
            when_busy=draw(st.sampled_from(["wait", "fail"])),
        ),
        audit=Audit(
            cron=draw(st.sampled_from([None, "@weekly", "5 * * * *"])),
            within_days=draw(st.integers(1, 3650)),
            gigabytes_per_run=draw(st.integers(1, 1_000_000)) / 1000,
            pages_per_run=draw(st.integers(0, 1_000_000)),
        ),
        alerts=Alerts(
            email_to=(to := tuple(draw(st.lists(MAILS, unique=True, max_size=3)))),
            email_from=draw(st.none() | MAILS) if to else None,
            smtp_connection=draw(st.sampled_from(["smtp_default", "smtp"])),
            slack_connection=draw(st.sampled_from([None, "slack"])),
            webhook_connection=draw(st.sampled_from([None, "chat"])),
            watch_cron=draw(st.sampled_from([None, "@hourly", "*/5 * * * *"])),
            stale_after=draw(st.integers(0, 8760)),
            run_deadline=draw(st.integers(0, 8760)),
            disk_days=draw(st.integers(0, 3650)),
            repeat_after=draw(st.integers(0, 8760)),
            silenced=tuple(draw(st.lists(NAMES, unique=True, max_size=2))),
        ),
    )


@limits(deadline=None, max_examples=50)
@given(all_settings())
def test_a_file_made_of_the_description_gives_the_same_settings(settings: Settings) -> None:
    """So every option reaches its field, and no option is left out of the description."""
    lines: list[str] = []
    for section, key, value in describe(settings):
        lines.append(f"[{section}]" if f"[{section}]" not in lines else "")
        # An empty line where nothing is allowed to be empty would be a mistake; prefix alone needs its own.
        if value or key == "prefix":
            lines.append(f"{key} = {value}".replace("%", "%%").replace("\n", "\n    "))
    with TemporaryDirectory() as directory:
        path = Path(directory) / "mirror.conf"
        path.write_text("\n".join(lines))

        assert read_settings(path, {}) == replace(settings, path=path)


def test_every_option_is_described_once_and_passwords_are_not() -> None:
    settings = Settings(
        directory=Path("/srv/pypi"),
        master="https://index.example",
        proxy="http://me:hunter2@proxy.example",
        ledger_url="postgresql+psycopg://me:hunter2@db.example/x?password=hunter2&sslpassword=hunter2&sslmode=require",
    )

    described = describe(settings)

    assert [(section, key) for section, key, _ in described] == [(o.section.name, o.key) for o in OPTIONS]
    values = {f"[{section}] {key}": value for section, key, value in described}
    assert values["[mirror] proxy"] == "http://me:***@proxy.example"
    assert values["[ledger] url"] == (
        "postgresql+psycopg://me:***@db.example/x?password=***&sslpassword=***&sslmode=require"
    )
    assert "hunter2" not in repr(described)
