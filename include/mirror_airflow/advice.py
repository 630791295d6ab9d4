"""What to do about a failure, by the class of its error; every error of the engine has a sentence."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import pendulum

from pypi_mirror.settings.values import Schedule

_PASSES: Final = "This may pass by itself: what failed is tried again by later runs."
_UPSTREAM: Final = (
    "Upstream is down or out of reach. If that lasts, see whether the network or the proxy ([mirror] proxy) "
    "is the cause; the mirror serves what it has, and the next run goes on where this one ended."
)
_DISK: Final = (
    "The mirror's own disk or machine is at fault: see the kernel's log and the mount, then trigger a run; "
    "what was finished is kept."
)
_MISMATCH: Final = (
    "A file was not what its page announces: most often a cache or proxy on the way is broken, and a later "
    "try brings it. If it lasts, ask upstream's operators; nothing of it was published."
)
_REFUSED_FILE: Final = (
    "Upstream's page says what this mirror does not accept; the reason names it. Nobody here can mend that: "
    "silence the project with [alerts] silenced, or leave it out with [blocklist]."
)
_LEDGER: Final = (
    "The ledger cannot be used: mend what the reason names. `pypi-mirror ledger rebuild` makes a new one "
    "from the tree if it is lost."
)
_LOST: Final = "Another run took the mirror over: nothing is lost, the next run does the rest."

BY_ERROR: Final[dict[str, str]] = {
    "ConfigurationError": "Mend mirror.conf where the reason says; `pypi-mirror config check` reads it.",
    "UpstreamError": _PASSES,
    "UpstreamUnavailable": _UPSTREAM,
    "UpstreamDown": _UPSTREAM,
    "UpstreamRefused": (
        "Upstream, or a proxy on the way, refuses the request: see the login at upstream (the connection "
        "pypi_mirror_upstream, or PYPI_MIRROR_LOGIN), the credentials of the proxy (PYPI_MIRROR_PROXY), and "
        "whether this host is blocked there."
    ),
    "NoProjectList": (
        "Upstream shows no list of its projects: see [mirror] master and the login at upstream, or name the "
        "projects in [allowlist] packages."
    ),
    "UpstreamMalformed": _REFUSED_FILE,
    "CutOff": _PASSES,
    "StalePage": (
        "Upstream's caches still have an old page; a later try finds the new one. If it lasts for days, a "
        "cache on the way keeps pages too long."
    ),
    "PageWentBack": (
        "Upstream shows an older page than before: a cache has an old copy, or somebody replays one. The "
        "page of before stays. If upstream was set back, trigger a run that names the project under "
        "Projects to sync now."
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
    "UnreadableEntry": "Nothing is to be done: the run asks upstream for the page again.",
    "OldLedger": "`pypi-mirror ledger upgrade` upgrades it, and so does the next run that syncs.",
    "LedgerUnavailable": "The ledger's database is away or kept busy: see that it runs; a later run goes on.",
    "DiskFault": _DISK,
    "DiskFull": (
        "Make room on the disk that the reason names, select less ([allowlist], [blocklist], [platform]) or "
        "lower [mirror] disk-reserve; then trigger a run. What was finished is kept and served."
    ),
    "WrongDisk": (
        "Mount the mirror's disk; the next run goes on. If it is meant to be on another disk from now on, "
        "run `pypi-mirror ledger adopt-disk`."
    ),
    "MirrorBusy": (
        "Another run has the mirror: nothing to do if it advances. [schedule] when-busy = wait lets runs "
        "wait for their turn."
    ),
    "LeaseLost": _LOST,
    "RemovalsHeld": (
        "The plan removes more than [removal] lets a run remove unasked: look at it with `pypi-mirror plan`, "
        "and approve it in Airflow under Required Actions of the next run."
    ),
    "LossHeld": (
        "Upstream suddenly lists much less of these projects; their old pages stay served. If upstream is "
        "right, trigger a run that names them under Projects to sync now."
    ),
    "WindowClosed": "It is downloaded when [schedule] download-window opens.",
    "RunStopped": (
        "The run stopped early because of the failures it names ([mirror] stop-on-error, max-failures), and "
        "published nothing. Mend these, or allow more; the next run tries again."
    ),
    "RunFailed": "The log of the task says more.",
    "WebServerError": (
        "nginx did not take up its configuration or does not serve the site: see that it runs and [site] is "
        "right. `pypi-mirror nginx reload` tries it again; what was synced is kept."
    ),
    "MirrorError": "Mend what the reason names, then trigger a run.",
}

OTHER: Final = (
    "That is no error that the mirror foresees: the log of the task has the whole of it. A task that was "
    "killed often had too little memory."
)


def advice_for(reasons: Iterable[str]) -> tuple[str, ...]:
    """What to do about failures; each of ``reasons`` begins with its error's class and a colon."""
    classes = (reason.partition(":")[0].strip() for reason in reasons)
    return tuple(dict.fromkeys(BY_ERROR.get(name, OTHER) for name in classes))


def next_run(schedule: Schedule, now: datetime) -> str:
    """When the schedule starts the next run, in a sentence."""
    if schedule.cron is None:
        return "Runs start by hand ([schedule] cron = none): trigger one."
    # Comes with Airflow, and costs too much for a DAG file that only names this module.
    from croniter import croniter  # type: ignore[import-untyped,unused-ignore]

    zone = pendulum.timezone(schedule.timezone)
    begins: datetime = croniter(schedule.cron, now.astimezone(zone)).get_next(datetime)
    return f"The next run by schedule is due at {begins.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
