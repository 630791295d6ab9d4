"""The settings as typed values. ``read.py`` makes them from a file; tests make them directly."""

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from packaging.utils import NormalizedName

SimpleFormat = Literal["ALL", "HTML", "JSON"]
CompareMethod = Literal["hash", "stat"]
ReplacedFiles = Literal["refuse", "follow"]
WhenBusy = Literal["wait", "fail"]
ReloadBy = Literal["command", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A kind of machine to serve: wheels that none of the environments can install are dropped.

    ``system`` is ``linux``, ``windows`` or ``macos``; ``machine`` the wheel tag's architecture
    (``x86_64``, ``aarch64``, ``arm64``, ``amd64``); ``pythons`` the minor versions of
    ``implementation`` (``cpython`` or ``pypy``) as (major, minor); ``libc`` is ``("glibc", 2, 28)`` or
    ``("musl", 1, 2)``, for Linux; ``macos`` the newest macOS version to serve, as (major, minor).
    ``free_threaded`` asks for CPython's builds without the GIL (PEP 703, ``3.13t``).
    """

    system: Literal["linux", "windows", "macos"]
    machine: str
    implementation: Literal["cpython", "pypy"]
    pythons: tuple[tuple[int, int], ...]
    libc: tuple[Literal["glibc", "musl"], int, int] | None = None
    macos: tuple[int, int] | None = None
    free_threaded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ReleaseRule:
    """Some releases of one project; ``specifier`` is a PEP 440 specifier set, checked (``>=1.4,<2``)."""

    project: NormalizedName
    specifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which projects and files are mirrored: ``[allowlist]``, ``[blocklist]``, ``[platform]``.

    ``allowed_projects`` holds every project of the allowlist; empty means all of upstream's. Of a project
    that has ``allowed_releases``, only releases that one of its rules matches are mirrored.
    ``blocked_projects`` are not mirrored at all, allowed or not; ``blocked_releases`` are left out.
    ``blocked_platforms`` are words as in ``platform_words``, lower case; ``exclude_filename`` is a
    regular expression that is searched in filenames.
    """

    allowed_projects: frozenset[NormalizedName] = frozenset()
    allowed_releases: tuple[ReleaseRule, ...] = ()
    blocked_projects: frozenset[NormalizedName] = frozenset()
    blocked_releases: tuple[ReleaseRule, ...] = ()
    blocked_platforms: tuple[str, ...] = ()
    environments: tuple[Environment, ...] = ()
    exclude_filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskReserve:
    """Room that a sync leaves free: ``percent`` of each disk's bytes and inodes, or a number of ``bytes``."""

    percent: float = 0.0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxFailures:
    """How many projects of a run may fail: ``projects``, or ``percent`` of those planned."""

    projects: int = 0
    percent: float | None = None

    def of(self, planned: int) -> int:
        """The number for a plan of so many projects.

        A share is rounded up: in a small plan one project alone must not stop the run.
        """
        return self.projects if self.percent is None else ceil(planned * self.percent / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalGuard:
    """What a plan may remove without a person's approval: ``[removal]``.

    A plan needs approval that removes over ``max_percent`` of the mirror's projects, files or bytes, or over
    ``max_projects`` projects; never one by which no more than ``always_allowed`` projects lose anything. So
    does one that removes over ``weekly_percent`` of the projects together with other runs within a week.
    ``approval_hours`` is how long a run of Airflow waits for it.
    """

    max_percent: float = 1.0
    max_projects: int = 500
    always_allowed: int = 5
    weekly_percent: float = 5.0
    approval_hours: float = 24.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How nginx serves the mirror: ``[site]``.

    Pages live at ``http://host:port<prefix>/simple/``. ``listen`` are IP addresses. ``prefix`` is empty or
    starts with a slash and does not end with one. ``public_url`` is what clients are told (no trailing
    slash); by default made of host, port and prefix. ``nginx`` is the nginx binary, ``config`` the rendered
    file, ``reload_command`` what makes the running nginx take it up (empty: ``nginx -c CONFIG -s reload``);
    with ``reload`` "watch" it does so by itself, under ``pypi-mirror nginx serve``. ``probe_url`` is where
    the site is reached from here (no trailing slash), None for the listening address.
    ``connections_per_client`` is how many requests of one address are answered at once, 0 for any number.
    """

    host: str = "localhost"
    listen: tuple[str, ...] = ("127.0.0.1",)
    port: int = 8080
    prefix: str = "/pypi"
    public_url: str = "http://localhost:8080/pypi"
    nginx: str | None = None
    config: Path | None = None
    reload_command: tuple[str, ...] = ()
    reload: ReloadBy = "command"
    probe_url: str | None = None
    page_max_age: int = 60
    connections_per_client: int = 1000
    enabled: bool = True

    @property
    def is_signalled(self) -> bool:
        """Whether the nginx is one of our own that runs beside us: we write its main file and signal it."""
        return self.reload == "command" and not self.reload_command


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadWindow:
    """Hours of some days in which files may be downloaded: minutes since midnight, ``days`` from 0, Monday.

    One whose ``end`` is not after its ``start`` ends on the day after the one it is named for.
    """

    days: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When and how Airflow runs the mirror: ``[schedule]``; ``cron`` None means by hand only.

    ``timezone`` is the IANA name of the zone that the cron expression and ``download_window`` are in; without
    any window, files are downloaded at all hours. ``projects_per_run`` and ``gigabytes_per_run`` are what a
    run takes of its plan before it leaves the rest to the next one, None for all of it; ``first`` are the
    projects to take before others, normalized names and files of names (see ``settings.first``).
    ``retry_delay`` is in seconds. ``when_busy`` is what a run does while another one has the mirror.
    """

    cron: str | None = "0 * * * *"
    timezone: str = "UTC"
    download_window: tuple[DownloadWindow, ...] = ()
    projects_per_run: int | None = None
    gigabytes_per_run: float | None = None
    first: tuple[Path | NormalizedName, ...] = ()
    batch_size: int = 500
    batches_at_once: int = 4
    retries: int = 3
    retry_delay: float = 60.0
    when_busy: WhenBusy = "wait"

    @property
    def bytes_per_run(self) -> int | None:
        return None if self.gigabytes_per_run is None else round(self.gigabytes_per_run * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """How much of the mirror is looked at, and when: ``[audit]``; ``cron`` None means by hand only.

    ``cron`` is in the time zone of the schedule.
    """

    cron: str | None = "30 * * * *"
    within_days: float = 30.0
    gigabytes_per_run: float = 100.0
    pages_per_run: int = 1000

    @property
    def bytes_per_run(self) -> int:
        return round(self.gigabytes_per_run * 1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Who is told when the mirror needs a person, and of what: ``[alerts]``.

    Secrets stay in the named Airflow connections. ``stale_after``, ``run_deadline`` and ``repeat_after`` are
    hours, ``disk_days`` days; 0 means never. ``watch_cron``, in the time zone of the schedule, is when the
    mirror is looked at; None means by hand only. Failures of ``silenced`` projects are not told.
    """

    email_to: tuple[str, ...] = ()
    email_from: str | None = None
    smtp_connection: str = "smtp_default"
    slack_connection: str | None = None
    webhook_connection: str | None = None
    watch_cron: str | None = "*/15 * * * *"
    stale_after: float = 24.0
    run_deadline: float = 24.0
    disk_days: float = 14.0
    repeat_after: float = 24.0
    silenced: tuple[NormalizedName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one mirror's configuration file says. Durations are seconds, paths are absolute.

    ``workers`` and ``bandwidth_limit``, in bytes a second, are for all processes of a run together.

    ``master`` is upstream's root, without ``/simple`` and without a trailing slash; ``root_uri`` and
    ``site.public_url`` have no trailing slash either. ``proxy`` and ``ledger_url`` can hold a password,
    when the environment gave them, and ``login`` is one; so they are left out of the ``repr``.
    """

    path: Path | None = None
    directory: Path
    master: str
    allow_non_https: bool = False
    timeout: float = 30.0
    global_timeout: float = 1800.0
    workers: int = 128
    bandwidth_limit: float | None = None
    hash_index: bool = False
    stop_on_error: bool = False
    max_failures: MaxFailures | None = None
    delete_packages: bool = True
    json: bool = False
    release_files: bool = True
    core_metadata: bool = True
    proxy: str | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    compare_method: CompareMethod = "hash"
    replaced_files: ReplacedFiles = "refuse"
    root_uri: str | None = None
    simple_format: SimpleFormat = "ALL"
    disk_reserve: DiskReserve = DiskReserve(percent=1.0)
    ledger_url: str | None = field(default=None, repr=False)
    grace_days: float = 7.0
    guard: RemovalGuard = field(default_factory=RemovalGuard)
    selection: Selection = field(default_factory=Selection)
    site: Site = field(default_factory=Site)
    schedule: Schedule = field(default_factory=Schedule)
    audit: Audit = field(default_factory=Audit)
    alerts: Alerts = field(default_factory=Alerts)

    @property
    def stops_on_failures(self) -> bool:
        """Whether failed projects, one or many, end the whole run."""
        return self.stop_on_error or self.max_failures is not None

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
