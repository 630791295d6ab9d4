"""What to do about a failure, by the class of its error; every error of the engine has a sentence."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from pypi_mirror.clock import time_zone
from pypi_mirror.settings.values import Schedule

_PASSES: Final = "This may pass by itself: later runs retry what failed."
_UPSTREAM: Final = (
    "Upstream is unreachable. If that lasts, check the network and the proxy ([mirror] proxy). The mirror "
    "serves what it has, and the next run continues where this one ended."
)
_DISK: Final = (
    "The mirror's own disk or machine is at fault. Check the kernel's log and the mount, then trigger a run; "
    "what was finished is kept."
)
_MISMATCH: Final = (
    "A file differs from what its page announces, mostly because a cache or proxy in between is broken. "
    "Later runs retry it. If it lasts, ask upstream's operators; the file was not published."
)
_REFUSED_FILE: Final = (
    "Upstream's page has content that this mirror does not accept; see the reason. Only upstream can fix it: "
    "silence the project with [alerts] silenced, or exclude it with [blocklist]."
)
_LEDGER: Final = (
    "The ledger cannot be used: fix the reason. If it is lost, `pypi-mirror ledger rebuild` makes a new one "
    "from the tree."
)
_LOST: Final = "Another run took over the mirror. Nothing is lost; the next run does the rest."

BY_ERROR: Final[dict[str, str]] = {
    "ConfigurationError": "Fix mirror.conf where the reason says; `pypi-mirror config check` checks it.",
    "UpstreamError": _PASSES,
    "UpstreamUnavailable": _UPSTREAM,
    "UpstreamDown": _UPSTREAM,
    "UpstreamRefused": (
        "Upstream or a proxy refuses the request. Check the login at upstream (the connection "
        "pypi_mirror_upstream, or PYPI_MIRROR_LOGIN), the credentials of the proxy (PYPI_MIRROR_PROXY), and "
        "whether upstream blocks this host."
    ),
    "NoProjectList": (
        "Upstream has no list of its projects. Check [mirror] master and the login at upstream, or name the "
        "projects in [allowlist] packages."
    ),
    "UpstreamMalformed": _REFUSED_FILE,
    "CutOff": _PASSES,
    "StalePage": (
        "Upstream's caches still have an old page; a later run gets the new one. If it lasts for days, a "
        "cache in between keeps pages too long."
    ),
    "PageWentBack": (
        "Upstream has an older page than before: a cache has an old copy, or somebody replays one. The "
        "mirror keeps the newer page. If upstream was restored from a backup, trigger a run with the project "
        "under Projects to sync now."
    ),
    "FileRefused": _REFUSED_FILE,
    "FileReplaced": (
        "Upstream offers other bytes under the name of a file that the mirror has: ask its maintainers why. "
        "For an index where files are replaced on purpose, set [mirror] replaced-files = follow."
    ),
    "DigestMismatch": _MISMATCH,
    "SizeMismatch": _MISMATCH,
    "FileBusy": _PASSES,
    "LedgerError": _LEDGER,
    "LedgerDamaged": _LEDGER,
    "UnreadableEntry": "Nothing to do: the run reads upstream's page again.",
    "OldLedger": "`pypi-mirror ledger upgrade` upgrades it, and so does the next run that syncs.",
    "LedgerUnavailable": "The ledger's database is unreachable or busy. Check it; later runs continue.",
    "DiskFault": _DISK,
    "DiskFull": (
        "Free space on the disk that the reason names, select less ([allowlist], [blocklist], [platform]) or "
        "lower [mirror] disk-reserve; then trigger a run. What was finished is kept and served."
    ),
    "WrongDisk": (
        "Mount the mirror's disk; the next run continues. If the mirror has moved to another disk, run "
        "`pypi-mirror ledger adopt-disk`."
    ),
    "MirrorBusy": (
        "Another run has the mirror: nothing to do if it advances. With [schedule] when-busy = wait, runs "
        "wait for each other."
    ),
    "LeaseLost": _LOST,
    "ApprovalRequired": (
        "The plan removes more than [removal] allows without approval. Look at it with `pypi-mirror plan`, "
        "and approve it in Airflow under Required Actions of the next run."
    ),
    "LossHeld": (
        "Upstream suddenly lists much less of these projects; their previous pages stay served. If upstream "
        "is right, trigger a run with them under Projects to sync now."
    ),
    "WindowClosed": "It will be downloaded when [schedule] download-window opens.",
    "RunStopped": (
        "The run stopped early because of these failures ([mirror] stop-on-error, max-failures) and "
        "published nothing. Fix them, or allow more; the next run tries again."
    ),
    "RulesChanged": "Trigger the run again: it plans with the rules as they are now.",
    "RunFailed": "The log of the task has the details.",
    "WebServerError": (
        "nginx did not load its configuration or does not serve the site. Check that it runs and that [site] "
        "is right. `pypi-mirror nginx reload` tries again; what was synced is kept."
    ),
    "MirrorError": "Fix the reason, then trigger a run.",
}

OTHER: Final = (
    "This is an unexpected error: the log of the task has all of it. If the task was killed, it probably ran "
    "out of memory."
)


def advice_for(errors: Iterable[str | None]) -> tuple[str, ...]:
    """What to do about failures, by the classes of their errors; None for what ended without one."""
    return tuple(dict.fromkeys(OTHER if error is None else BY_ERROR.get(error, OTHER) for error in errors))


def next_run(schedule: Schedule, now: datetime) -> str:
    """When the schedule starts the next run, in a sentence."""
    if schedule.cron is None:
        return "Runs start by hand ([schedule] cron = none): trigger one."
    # Comes with Airflow, and costs too much for a DAG file that only names this module.
    from croniter import croniter  # type: ignore[import-untyped,unused-ignore]

    zone = time_zone(schedule.timezone)
    begins: datetime = croniter(schedule.cron, now.astimezone(zone)).get_next(datetime)
    return f"The next run by schedule is due at {begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
