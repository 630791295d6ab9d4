"""The settings as typed values, with their options; ``read.py`` makes them from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote

from pypi_mirror.errors import Mistake
from pypi_mirror.options import Section, declare, option, parsers
from pypi_mirror.options.bandwidth import format_bandwidth, parse_bandwidth
from pypi_mirror.options.diff_file import parse_diff_file
from pypi_mirror.options.disk_reserve import DiskReserve, format_disk_reserve, parse_disk_reserve
from pypi_mirror.options.ledger_url import (
    LEDGER_VARIABLE,
    parse_ledger_url,
    parse_ledger_url_without_password,
)
from pypi_mirror.options.max_failures import MaxFailures, format_max_failures, parse_max_failures
from pypi_mirror.plain_text import without_secrets
from pypi_mirror.policy import Policy
from pypi_mirror.settings.alerts import Alerts
from pypi_mirror.settings.audit import Audit
from pypi_mirror.settings.bandersnatch import Comparison
from pypi_mirror.settings.cooldown import CooldownSchedule
from pypi_mirror.settings.removal import REMOVAL, RemovalGuard
from pypi_mirror.settings.schedule import Schedule
from pypi_mirror.settings.site import Site

__all__ = ["LEDGER", "MIRROR", "Alerts", "Audit", "RemovalGuard", "Schedule", "Settings", "Site"]

SimpleFormat = Literal["ALL", "HTML", "JSON"]
CompareMethod = Literal["hash", "stat"]
ReplacedFiles = Literal["refuse", "follow"]

PROXY_VARIABLE = "PYPI_MIRROR_PROXY"
MIRROR = Section(name="mirror", doc="What is copied from where, and how.", see="[Syncing](syncing.md)")
LEDGER = Section(
    name="ledger",
    doc="The mirror's own database.",
    see="[Installation](installation.md#the-ledger-on-postgresql)",
)


def _hide_secrets(url: str | None) -> str:
    return "" if url is None else without_secrets(url)


def _parse_proxy_variable(text: str) -> str:
    parsers.plain_url(text, parsers.PROXY_SCHEMES)
    return text.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one mirror's configuration file says. Durations are seconds, paths are absolute.

    ``workers`` and ``bandwidth_limit``, in bytes a second, are for all processes of a run together.

    ``master`` is upstream's root, without ``/simple`` and without a trailing slash; ``root_uri`` and
    ``site.public_url`` have no trailing slash either. ``proxy`` and ``ledger_url`` can hold a password,
    when the environment gave them, and ``login`` is one; so they are left out of the ``repr``. ``warnings``
    are lines of the file that have no effect or another one than in bandersnatch, each with the reason;
    ``origin`` says of every option of a file that was written for bandersnatch what it comes to, ``lines``
    where each value of an option stands (by ``Option.place`` and the value, or the item of a list).
    """

    path: Path | None = None
    directory: Path = field(
        metadata=declare(
            parsers.parse_path,
            "Where the mirror is kept; relative paths begin at the directory of this file.",
            "The file system must tell upper from lower case and be large enough: everything upstream has "
            "is about 100 TB in 20 million files, so most mirrors select; see [allowlist] and [platform].",
            required=True,
            preset="../var/mirror",
        )
    )
    master: str = field(
        metadata=declare(
            parsers.parse_index,
            "The index to mirror: pypi, or the URL of any index with PEP 691 or PEP 503 pages.",
            "It can be another such mirror: https://index.example/pypi. A /simple/ at the end makes no "
            "difference; where there is none, the pages may begin right here: "
            "https://index.example/root/dev/+simple. Of an index without a list of its projects, those "
            "named in [allowlist] packages are mirrored.",
            default="pypi",
        )
    )
    download_mirror: str | None = option(
        parsers.parse_site_url,
        "A mirror near by that files are taken from; pages come from master.",
        "Files are at <download-mirror>/packages/…, as in this mirror, bandersnatch and the public index. "
        "What it does not have, or has with other bytes, comes from master; so does a file of which master's "
        "page states no digest. Leave off /packages.",
        empty=True,
    )
    download_mirror_no_fallback: bool = option(
        parsers.parse_boolean,
        "Whether files are taken from download-mirror alone.",
        "With true, a file that it does not have fails, and is retried later. This is for a host that does "
        "not reach master's files.",
        default="false",
    )
    allow_non_https: bool = option(
        parsers.parse_boolean,
        "Whether a master without TLS is accepted; one on this very machine always is.",
        "Anybody on the way can change what comes over plain http. This machine is localhost and 127.0.0.1.",
        default="false",
    )
    timeout: float = option(
        parsers.number(0.1, 3600, "seconds"),
        "Seconds to wait for upstream to connect or to send anything, 0.1 to 3600.",
        default="30",
    )
    global_timeout: float = option(
        parsers.number(1, 604_800, "seconds"),
        "Seconds that one file may take to download, 1 to 604800 (a week).",
        "They count for any whole call, from connecting to the last byte, redirects included, and are not "
        "less than timeout. The largest files have several GB.",
        default="1800",
    )
    workers: int = option(
        parsers.integer(1, 256),
        "The most requests to upstream at once, of all processes of a run together, 1 to 256.",
        "A run begins with a few and takes more as long as upstream answers as soon as before; it takes "
        "fewer when upstream refuses or does not answer. Each of its processes, or of the [schedule] "
        "batches-at-once of Airflow, has an equal part.",
        default="128",
    )
    bandwidth_limit: float | None = option(
        parse_bandwidth,
        "The most that a run downloads in a second (20MB/s, 100Mbit/s); empty: unlimited.",
        "The processes of a run share it, like workers. With a low one a large file takes long: see "
        "global-timeout.",
        format=format_bandwidth,
        empty=True,
    )
    hash_index: bool = option(
        parsers.parse_boolean,
        "Whether project pages are kept in simple/<first letter>/<project>/.",
        "Some file systems are faster with smaller directories. nginx serves the pages at the usual "
        "addresses either way.",
        default="false",
        look=True,
    )
    stop_on_error: bool = option(
        parsers.parse_boolean,
        "Whether the whole run ends at the first project that fails.",
        "With true, nothing is published then. With false, the project goes to the backlog and is retried "
        "later; everything else is published. The run still ends as failed, so that somebody notices.",
        default="false",
    )
    max_failures: MaxFailures | None = option(
        parse_max_failures,
        "End the whole run once more projects than this have failed: a number, or a share like 2%.",
        "Beyond it the run ends as with stop-on-error = true. A share counts the projects planned, rounded "
        "up. Empty: any number may fail.",
        format=format_max_failures,
        empty=True,
    )
    delete_packages: bool = option(
        parsers.parse_boolean,
        "Whether removed files are deleted from the disk after the grace period.",
        "They are files that upstream removed, which are often malicious, and files that a filter no longer "
        "lets in. Pages stop listing them at once. false keeps them on the disk, listed nowhere. See "
        "[removal] grace-days.",
        default="true",
    )
    json: bool = option(
        parsers.parse_boolean,
        "Whether legacy JSON is kept too, at pypi/<project>/json and pypi/<project>/<version>/json.",
        "It has the files and releases that the mirror lists, and takes a request and a small file more for "
        "each release.",
        default="false",
        look=True,
    )
    release_files: bool = option(
        parsers.parse_boolean,
        "Whether package files are downloaded; with false only pages are kept.",
        "The links of the pages then lead below root_uri, without one to where upstream's pages link.",
        default="true",
        look=True,
    )
    core_metadata: bool = option(
        parsers.parse_boolean,
        "Whether .metadata files are kept, and pages name them (PEP 658, PEP 714).",
        "With them, installers resolve without downloading wheels. Where upstream has none, they are made "
        "from the wheels.",
        default="true",
        look=True,
    )
    root_uri: str | None = option(
        parsers.parse_site_url,
        "The site to which pages link for files, as <root_uri>/packages/…, instead of this mirror.",
        "Leave off /packages. Empty: relative links to this mirror's own files.",
        key="root_uri",
        aliases=("root-uri",),
        empty=True,
        look=True,
    )
    diff_file: Path | None = option(
        parse_diff_file,
        "A list of the files of the mirror that are new since the last one, written by each run.",
        "It has a path a line: files, project pages, the list of all projects; what was removed is not in "
        "it. For a directory it is mirrored-files in there. {{ mirror_directory }} stands for [mirror] "
        "directory.",
        empty=True,
    )
    diff_append_epoch: bool = option(
        parsers.parse_boolean,
        "Whether the name of diff-file ends with the time when the run began, in seconds since 1970.",
        "With true, the lists of earlier runs stay.",
        default="false",
    )
    simple_format: SimpleFormat = option(
        parsers.choice("ALL", "HTML", "JSON"),
        "The pages to write: HTML, JSON or ALL.",
        default="ALL",
        look=True,
    )
    compare_method: CompareMethod = option(
        parsers.choice("hash", "stat"),
        "How files that only the disk has are checked: hash reads them, stat compares their sizes.",
        "Such files are in a tree taken over from bandersnatch.",
        default="hash",
    )
    replaced_files: ReplacedFiles = option(
        parsers.choice("refuse", "follow"),
        "Refuse or follow upstream if it offers other bytes under a file name that the mirror knows.",
        "With refuse, the mirror goes on listing the file that it has, and names the new one as failed; so "
        "it does for a file that it has deleted. With follow, it takes the new file: for an index that lets "
        "files be replaced, such as one of your own.",
        default="refuse",
    )
    disk_reserve: DiskReserve = option(
        parse_disk_reserve,
        "Room that a sync leaves free on the disk: a share like 5%, a size like 50GB, or 0.",
        "A share, 0% to 90%, counts bytes and inodes of each disk. A sync that would take more stops, "
        "keeps what it has and ends as failed. 0: go on until the disk is full.",
        default="1%",
        format=format_disk_reserve,
    )
    proxy: str | None = field(
        default=None,
        repr=False,
        metadata=declare(
            parsers.parse_proxy,
            f"An http, https, socks4 or socks5 proxy; credentials only in {PROXY_VARIABLE}, which overrides.",
            "The variable then holds the whole URL. Without either, http_proxy, https_proxy and all_proxy "
            "count, in lower and upper case; hosts in no_proxy are reached directly in any case. Names that "
            "lead to internal addresses from here are refused behind a proxy, too.",
            empty=True,
            format=_hide_secrets,
            variable=PROXY_VARIABLE,
            parse_variable=_parse_proxy_variable,
        ),
    )
    login: str | None = field(default=None, repr=False)
    warnings: tuple[Mistake, ...] = field(default=(), repr=False, compare=False)
    origin: tuple[Comparison, ...] = field(default=(), repr=False, compare=False)
    lines: Mapping[tuple[str, Any], int] = field(default_factory=dict, repr=False, compare=False)
    ledger_url: str | None = field(
        default=None,
        repr=False,
        metadata=declare(
            parse_ledger_url_without_password,
            f"The ledger's database, by default <directory>/ledger.sqlite; {LEDGER_VARIABLE} overrides.",
            "It is an SQLAlchemy URL. With several hosts, PostgreSQL: "
            "postgresql+psycopg://pypi_mirror@db.example/pypi_mirror. The password belongs in ~/.pgpass, "
            "or the whole URL into the environment variable.",
            section=LEDGER,
            key="url",
            empty=True,
            format=_hide_secrets,
            variable=LEDGER_VARIABLE,
            parse_variable=parse_ledger_url,
        ),
    )
    grace_days: float = option(
        parsers.number(0, 3650, "days"),
        "Days that a file no page lists any more stays on the disk, 0 to 3650.",
        section=REMOVAL,
        default="7",
    )
    policy: Policy = field(default_factory=Policy)
    guard: RemovalGuard = field(default_factory=RemovalGuard)
    site: Site = field(default_factory=Site)
    schedule: Schedule = field(default_factory=Schedule)
    audit: Audit = field(default_factory=Audit)
    cooldown: CooldownSchedule = field(default_factory=CooldownSchedule)
    alerts: Alerts = field(default_factory=Alerts)

    def line_of(self, place: str, value: Any) -> int | None:
        """Return the line of the file where the option at ``place`` has this value, or this item."""
        return self.lines.get((place, value))

    @property
    def stops_on_failures(self) -> bool:
        """Whether failed projects, one or many, end the whole run."""
        return self.stop_on_error or self.max_failures is not None

    @property
    def links_upstream(self) -> bool:
        """Whether pages link to upstream's files."""
        return not self.release_files and self.root_uri is None

    @property
    def web(self) -> Path:
        """All that nginx serves."""
        return self.directory / "web"

    @property
    def ledger_path(self) -> Path | None:
        """The file of an SQLite ledger."""
        scheme, _, path = self.ledger.partition(":///")
        return Path(unquote(path.partition("?")[0])) if scheme == "sqlite" else None

    @property
    def ledger(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        # In a URL a question mark or a percent sign of the directory's name would mean something else.
        return self.ledger_url or f"sqlite:///{quote(str(self.directory / 'ledger.sqlite'))}"
