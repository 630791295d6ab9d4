"""The settings as typed values. ``read.py`` makes them from a file; tests make them directly."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from packaging.utils import NormalizedName

SimpleFormat = Literal["ALL", "HTML", "JSON"]
CompareMethod = Literal["hash", "stat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A kind of machine to serve: wheels that none of the environments can install are dropped.

    ``system`` is ``linux``, ``windows`` or ``macos``; ``machine`` the wheel tag's architecture
    (``x86_64``, ``aarch64``, ``arm64``, ``amd64``); ``pythons`` the minor versions of
    ``implementation`` (``cpython`` or ``pypy``) as (major, minor); ``libc`` is ``("glibc", 2, 28)`` or
    ``("musl", 1, 2)``, for Linux; ``macos`` the newest macOS version to serve, as (major, minor).
    """

    system: Literal["linux", "windows", "macos"]
    machine: str
    implementation: Literal["cpython", "pypy"]
    pythons: tuple[tuple[int, int], ...]
    libc: tuple[Literal["glibc", "musl"], int, int] | None = None
    macos: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which projects and files are mirrored: ``[allowlist]``, ``[blocklist]``, ``[platform]``."""

    allowed_projects: frozenset[NormalizedName] = frozenset()
    blocked_projects: frozenset[NormalizedName] = frozenset()
    blocked_platforms: tuple[str, ...] = ()
    environments: tuple[Environment, ...] = ()
    exclude_filename: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How nginx serves the mirror: ``[site]``.

    Pages live at ``http://host:port<prefix>/simple/``. ``prefix`` is empty or starts with a slash and
    does not end with one. ``public_url`` is what clients are told (no trailing slash); by default made
    of host, port and prefix. ``nginx`` is the nginx binary, ``config`` the rendered file,
    ``reload_command`` what makes the running nginx take it up (empty: ``nginx -c CONFIG -s reload``).
    """

    host: str = "localhost"
    listen: str = "127.0.0.1"
    port: int = 8080
    prefix: str = "/pypi"
    public_url: str = "http://localhost:8080/pypi"
    nginx: str | None = None
    config: Path | None = None
    reload_command: tuple[str, ...] = ()
    page_max_age: int = 60
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When and how Airflow runs the mirror: ``[schedule]``; ``cron`` None means by hand only."""

    cron: str | None = "0 * * * *"
    batch_size: int = 500
    retries: int = 3
    retry_delay: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Who hears of a failed run: ``[alerts]``; secrets stay in the named Airflow connections."""

    email_to: tuple[str, ...] = ()
    email_from: str | None = None
    smtp_connection: str = "smtp_default"
    webhook_connection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one mirror's configuration file says. Durations are seconds."""

    path: Path | None = None
    directory: Path
    master: str
    allow_non_https: bool = False
    timeout: float = 30.0
    global_timeout: float = 1800.0
    workers: int = 32
    hash_index: bool = False
    stop_on_error: bool = False
    delete_packages: bool = True
    json: bool = False
    release_files: bool = True
    core_metadata: bool = True
    proxy: str | None = None
    compare_method: CompareMethod = "hash"
    root_uri: str | None = None
    simple_format: SimpleFormat = "ALL"
    ledger_url: str | None = None
    grace_days: float = 7.0
    selection: Selection = field(default_factory=Selection)
    site: Site = field(default_factory=Site)
    schedule: Schedule = field(default_factory=Schedule)
    alerts: Alerts = field(default_factory=Alerts)

    @property
    def web(self) -> Path:
        """All that nginx serves."""
        return self.directory / "web"

    @property
    def ledger(self) -> str:
        """The SQLAlchemy URL of the ledger."""
        return self.ledger_url or f"sqlite:///{self.directory / 'ledger.sqlite'}"
