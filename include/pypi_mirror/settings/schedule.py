"""``[schedule]``: when and how Airflow runs the mirror."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.utils import NormalizedName

from pypi_mirror.options import Section, option, parsers
from pypi_mirror.options.download_window import DownloadWindow, format_download_window, parse_download_window
from pypi_mirror.options.first import parse_first

WhenBusy = Literal["wait", "fail"]

SCHEDULE = Section(name="schedule", doc="When runs start, and how much they do.", see="[Syncing](syncing.md)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``cron`` None means by hand only; ``retry_delay`` is in seconds.

    Without a ``download_window``, files are downloaded at all hours. ``projects_per_run`` and
    ``gigabytes_per_run`` are None for a run that does all of its plan. ``first`` are normalized names, and
    files of names (see ``options.first``).
    """

    cron: str | None = option(
        parsers.parse_cron,
        "When runs start (minute hour day month weekday); none: by hand only.",
        "Or @daily and the like.",
        default="0 * * * *",
        format=parsers.format_cron,
    )
    timezone: str = option(
        parsers.parse_timezone, "The time zone of cron and of download-window.", default="UTC"
    )
    download_window: tuple[DownloadWindow, ...] = option(
        parse_download_window,
        "Hours to download in (22:00-06:00, sat,sun 00:00-24:00); empty: always.",
        "Several windows are separated by commas. Outside of them a run does what needs no download, above "
        "all removals, and ends as paused, which is no failure. A run that is under way when the window "
        "closes publishes what it has, and a later run continues, so let cron start runs in the window too. "
        "`pypi-mirror sync --now`, projects that a person names, backfills and audits ignore it.",
        format=format_download_window,
        empty=True,
        when_empty=(),
    )
    projects_per_run: int | None = option(
        parsers.integer(1, 10_000_000),
        "Projects that a run syncs before it leaves the rest to the next, 1 to 10000000; empty: all.",
        "It cuts a first sync that takes days into parts. The run publishes what it has and ends as paused, "
        "which is no failure; the next run continues, so let cron start the next one soon. What upstream "
        "removes, quarantines or changes of what the mirror serves comes first and is never put off. "
        "`pypi-mirror sync --all` takes everything.",
        empty=True,
    )
    gigabytes_per_run: float | None = option(
        parsers.number(0.001, 1_000_000, "gigabytes"),
        "Gigabytes that a run downloads before it leaves the rest to the next, 0.001 to 1000000; empty: all.",
        "As for projects-per-run.",
        empty=True,
    )
    first: tuple[Path | NormalizedName, ...] = option(
        parse_first,
        "Projects to sync before others: names, or files of names (.txt, .json), the first one first.",
        "A path is relative to this file. A .txt has a name a line, a .json a list of names or of objects "
        "with a "
        '"project".',
        many=True,
        empty=True,
    )
    batch_size: int = option(
        parsers.integer(1, 100_000),
        "Projects that one task of a run downloads, 1 to 100000; large plans use more.",
        "Plans that would have too many tasks for Airflow get larger ones.",
        default="500",
    )
    batches_at_once: int = option(
        parsers.integer(1, 256),
        "Tasks of a run that download at once, 1 to 256; workers and bandwidth-limit are divided among them.",
        "It counts the tasks on all hosts together. Airflow's own limits have to allow for it.",
        default="4",
    )
    retries: int = option(
        parsers.integer(0, 20),
        "How often a failed task is retried, 0 to 20.",
        "Tasks are retried only where a retry can help.",
        default="3",
    )
    retry_delay: float = option(
        parsers.number(1, 86_400, "seconds"),
        "Seconds before the first retry, 1 to 86400; they double each time.",
        default="60",
    )
    when_busy: WhenBusy = option(
        parsers.choice("wait", "fail"),
        "What a run does while another one has the mirror: wait or fail.",
        "Backfills and audits do the same. A run that waits checks every retry-delay seconds. On the "
        "command line `pypi-mirror sync --wait` waits.",
        default="wait",
    )

    @property
    def bytes_per_run(self) -> int | None:
        return None if self.gigabytes_per_run is None else round(self.gigabytes_per_run * 1e9)
