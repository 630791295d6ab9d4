"""What people are alerted to: one frozen dataclass for each kind, with the words of its message.

``key`` is stable: the runbook, silencers and programs behind the webhook use it. Times are seconds since
1970.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.run_label import shown_label
from pypi_mirror.wording import count, duration, moment_of, size

MOST_NAMED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(ABC):
    """Something that lasts.

    ``key`` names its kind, ``ended`` says that it is over. Without ``repeats`` there are no reminders,
    however long it lasts.
    """

    key: ClassVar[str]
    ended: ClassVar[str]
    repeats: ClassVar[bool] = True

    @property
    @abstractmethod
    def title(self) -> str:
        """Half a line: what is wrong."""

    @property
    def details(self) -> tuple[str, ...]:
        """Lines: what is known of it."""
        return ()

    @property
    @abstractmethod
    def advice(self) -> str:
        """Sentences: what to do, or why there is nothing to do."""

    @property
    def about(self) -> tuple[str, ...]:
        """What it is about, in stable names; a new one among them is a new notification."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(Condition):
    """The mirror has been behind upstream ``since`` then, with or without runs."""

    key: ClassVar[str] = "stale"
    ended: ClassVar[str] = "the mirror is up to date again"

    since: int
    now: int
    cursor: int | None
    upstream_serial: int | None
    last_run: str | None
    running: str | None
    awaits_approval: bool
    paused_until: int | None = None

    @property
    def title(self) -> str:
        return f"the mirror has been behind upstream for {duration(self.now - self.since)}"

    @property
    def details(self) -> tuple[str, ...]:
        serials = f"the mirror is at serial {self.cursor}, upstream at {self.upstream_serial}"
        since = f"behind since {moment_of(self.since)}: {serials}"
        return (since,) if self.last_run is None else (since, self.last_run)

    @property
    def advice(self) -> str:
        if self.awaits_approval:
            return "A plan is awaiting approval: answer it under Required Actions, then the mirror continues."
        if self.paused_until is not None:
            return (
                f"[schedule] download-window is closed until {moment_of(self.paused_until)}: nothing to do "
                "if the mirror catches up then. [alerts] stale-after sets how far behind it may be."
            )
        if self.running is not None:
            return f"The run {shown_label(self.running)} is in progress: nothing to do if it advances."
        return (
            "No run is in progress. Check in Airflow whether the DAG pypi_mirror is paused and the scheduler "
            "is running, fix what the last run failed for, and trigger a run."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamUnreachable(Condition):
    """Upstream has not answered ``since`` then, so whether the mirror is up to date is unknown."""

    key: ClassVar[str] = "upstream-unreachable"
    ended: ClassVar[str] = "upstream is reachable again"

    since: int
    now: int
    master: str
    error: str

    @property
    def title(self) -> str:
        return f"upstream has been unreachable for {duration(self.now - self.since)}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"{self.master} has not answered since {moment_of(self.since)}: {self.error}",)

    @property
    def advice(self) -> str:
        return (
            "The mirror still serves what it has and catches up by itself once upstream answers. Check "
            "whether the network, the proxy ([mirror] proxy) or upstream is down."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFilling(Condition):
    """The disk at ``path`` will be down to its reserve at ``full_at``; None: it already is."""

    key: ClassVar[str] = "disk-filling"
    ended: ClassVar[str] = "the disk has room again"

    now: int
    path: str
    free: int
    reserve: int
    full_at: int | None
    bytes_a_day: int | None

    @property
    def title(self) -> str:
        if self.full_at is None:
            return "the disk is down to its reserve; downloads have stopped"
        return f"the disk is expected to be full in {duration(max(0, self.full_at - self.now))}"

    @property
    def details(self) -> tuple[str, ...]:
        lines = [f"{self.path} has {size(self.free)} free, of which {size(self.reserve)} are reserved"]
        if self.full_at is not None:
            lines.append(f"only the reserve will be left at {moment_of(self.full_at)}")
        if self.bytes_a_day is not None:
            lines.append(f"it fills by {size(self.bytes_a_day)} a day")
        return tuple(lines)

    @property
    def advice(self) -> str:
        return (
            "Enlarge the disk, or select less ([allowlist], [blocklist], [platform]); files that are no "
            "longer selected are deleted after [removal] grace-days. [mirror] disk-reserve is the space that "
            "syncs leave free."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRunFailed(Condition):
    """The last sync, ``label``, failed; one that succeeds ends it."""

    key: ClassVar[str] = "run-failed"
    ended: ClassVar[str] = "a run has succeeded again"

    label: str
    failed_at: int
    reason: str

    @property
    def title(self) -> str:
        return f"the last run failed: {shown_label(self.label)}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"failed at {moment_of(self.failed_at)}: {self.reason}",)

    @property
    def advice(self) -> str:
        return "The next run tries again. `pypi-mirror status` and the run's log have the details."

    @property
    def about(self) -> tuple[str, ...]:
        return (self.label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAuditFailed(LastRunFailed):
    """The last audit, ``label``, found damage that it could not repair, or did not finish."""

    key: ClassVar[str] = "audit-failed"
    ended: ClassVar[str] = "an audit found nothing wrong that it could not repair"

    @property
    def title(self) -> str:
        return f"the last audit failed: {shown_label(self.label)}"

    @property
    def advice(self) -> str:
        return (
            "Damaged files are off their pages, and their projects are in the backlog, so that the next run "
            "downloads them again. `pypi-mirror audit` repeats the audit and lists what is left. If damage "
            "keeps appearing, check the disk (kernel log, SMART)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverdue(Condition):
    """The run ``label`` has taken longer than ``hours``."""

    key: ClassVar[str] = "run-overdue"
    ended: ClassVar[str] = "the run that took too long has ended"

    label: str
    started_at: int
    hours: float

    @property
    def title(self) -> str:
        return f"a run has taken longer than {self.hours:g} hours: {shown_label(self.label)}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"started at {moment_of(self.started_at)}",)

    @property
    def advice(self) -> str:
        return (
            "Check whether it advances. A first sync takes long: [schedule] projects-per-run splits it into "
            "several runs. If the run hangs, mark it as failed in Airflow; the next run does the rest. "
            "[alerts] run-deadline sets how long a run may take."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return (self.label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeeded(Condition):
    """The plan of the run ``label`` would remove ``removes``, and is awaiting approval."""

    key: ClassVar[str] = "approval-needed"
    ended: ClassVar[str] = "no plan is awaiting approval any more"

    label: str
    plan: str
    removes: str
    exceeded: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"a plan is awaiting approval to remove {self.removes}"

    @property
    def details(self) -> tuple[str, ...]:
        return tuple(f"limit: {limit}" for limit in self.exceeded)

    @property
    def advice(self) -> str:
        return (
            "Answer it in Airflow under Required Actions of the run (task approve_removals). If that run has "
            "ended, the next one asks again. Until then nothing is removed and nothing is synced. The limits "
            "are in [removal]."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return (about_approval(self.plan, self.label),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A project that failed so often that it is retried rarely; ``error`` is the class of its last error."""

    project: NormalizedName
    error: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectsParked(Condition):
    """Projects have failed too often. Each is notified once for each class of error it fails with."""

    key: ClassVar[str] = "projects-parked"
    ended: ClassVar[str] = "no project is parked any more"
    repeats: ClassVar[bool] = False

    projects: tuple[Parked, ...]

    @property
    def title(self) -> str:
        return f"{count(len(self.projects), 'project')} failed too often and {_is(self.projects)} parked"

    @property
    def details(self) -> tuple[str, ...]:
        lines = [f"{p.project}: {p.error}: {p.reason}" for p in self.projects[:MOST_NAMED]]
        if len(self.projects) > MOST_NAMED:
            lines.append(f"and {count(len(self.projects) - MOST_NAMED, 'project')} more; see the backlog")
        return tuple(lines)

    @property
    def advice(self) -> str:
        return (
            "A parked project is retried once a week; what the mirror has of it stays served. Once the cause "
            "is fixed, `pypi-mirror backlog retry PROJECT` retries it in the next run. If the cause is "
            "upstream's and permanent, add the project to [blocklist]. You are notified again only if it "
            "fails for another reason."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return tuple(about_parked(p.project, p.error) for p in self.projects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Upstream offers other bytes under the name of a file that the mirror has."""

    project: NormalizedName
    filename: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesReplaced(Condition):
    """Upstream offers other bytes under known file names; they are refused. Each file is reported once."""

    key: ClassVar[str] = "files-replaced"
    ended: ClassVar[str] = "upstream offers no other bytes under a known file name any more"
    repeats: ClassVar[bool] = False

    files: tuple[Replaced, ...]

    @property
    def title(self) -> str:
        return f"upstream offers other bytes under {count(len(self.files), 'known file name')}"

    @property
    def details(self) -> tuple[str, ...]:
        lines = [f"{each.project}: {each.filename}: {each.reason}" for each in self.files[:MOST_NAMED]]
        if len(self.files) > MOST_NAMED:
            lines.append(f"and {count(len(self.files) - MOST_NAMED, 'file')} more; see the backlog")
        return tuple(lines)

    @property
    def advice(self) -> str:
        return (
            "Somebody may have tampered with upstream: ask its maintainers what happened. The mirror goes on "
            "serving the file that it has, and follows everything else of the project. For an index where "
            "files are replaced on purpose, set [mirror] replaced-files = follow, then run `pypi-mirror "
            "backlog retry PROJECT`."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return tuple(f"{each.project}: {each.filename}" for each in self.files)


def about_approval(plan: str, label: str) -> str:
    """How an approval is remembered: a plan that was rejected needs another answer in a later run."""
    return f"{plan} of {label}"


def about_parked(project: str, error: str) -> str:
    """How a parked project is remembered."""
    return f"{project}: {error}"


_KINDS: Final[tuple[type[Condition], ...]] = (
    Stale, UpstreamUnreachable, DiskFilling, LastRunFailed, LastAuditFailed, RunOverdue, ApprovalNeeded,
    ProjectsParked, FilesReplaced,
)  # fmt: skip

BY_KEY: Final[dict[str, type[Condition]]] = {kind.key: kind for kind in _KINDS}


def _is(projects: tuple[Parked, ...]) -> str:
    return "is" if len(projects) == 1 else "are"
