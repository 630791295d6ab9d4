"""What can be wrong for longer than a moment: one frozen dataclass each, with the words for people.

``key`` is stable: the runbook, silencers and programs behind the webhook go by it. Times are seconds since
1970.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

from packaging.utils import NormalizedName

from pypi_mirror.wording import count, moment_of, size

MOST_NAMED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition(ABC):
    """Something that lasts.

    ``key`` names its kind, ``ended`` says that it is over. Without ``repeats`` it is told once, however
    long it lasts.
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
        """Sentences: what to do, or why nothing has to be done."""

    @property
    def about(self) -> tuple[str, ...]:
        """What it is about, in names that stay; where one is new, it is told again."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(Condition):
    """The mirror has been behind upstream ``since`` then, whether runs happen or not."""

    key: ClassVar[str] = "stale"
    ended: ClassVar[str] = "the mirror is up to date again"

    since: int
    now: int
    cursor: int | None
    upstream_serial: int | None
    last_run: str | None
    running: str | None
    waits_for_approval: bool
    paused_until: int | None = None

    @property
    def title(self) -> str:
        return f"the mirror has been behind upstream for {_duration(self.now - self.since)}"

    @property
    def details(self) -> tuple[str, ...]:
        serials = f"the mirror is at serial {self.cursor}, upstream at {self.upstream_serial}"
        since = f"behind since {moment_of(self.since)}: {serials}"
        return (since,) if self.last_run is None else (since, self.last_run)

    @property
    def advice(self) -> str:
        if self.waits_for_approval:
            return "A plan waits for approval: answer it under Required Actions, then the mirror goes on."
        if self.paused_until is not None:
            return (
                f"[schedule] download-window is closed until {moment_of(self.paused_until)}: nothing to do "
                "if the mirror catches up then. [alerts] stale-after is what may be expected of it."
            )
        if self.running is not None:
            return f"The run {self.running} is at work: see its progress; nothing to do if it advances."
        return (
            "No run is under way: see in Airflow whether the DAG pypi_mirror is paused and the scheduler is "
            "alive, mend what the last run failed of, and trigger a run."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSilent(Condition):
    """Upstream has not answered ``since`` then: nobody knows whether the mirror is fresh."""

    key: ClassVar[str] = "upstream-unreachable"
    ended: ClassVar[str] = "upstream answers again"

    since: int
    now: int
    master: str
    trouble: str

    @property
    def title(self) -> str:
        return f"upstream cannot be asked for {_duration(self.now - self.since)}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"{self.master} is silent since {moment_of(self.since)}: {self.trouble}",)

    @property
    def advice(self) -> str:
        return (
            "The mirror goes on serving what it has, and catches up by itself once upstream answers. See "
            "whether the network, the proxy ([mirror] proxy) or upstream is down: the first two are yours."
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
            return "the disk is down to its reserve, nothing more is downloaded"
        return f"the disk is expected to be full in {_duration(max(0, self.full_at - self.now))}"

    @property
    def details(self) -> tuple[str, ...]:
        lines = [f"{self.path} has {size(self.free)} free, {size(self.reserve)} of it are kept in reserve"]
        if self.full_at is not None:
            lines.append(f"no more than that will be left at {moment_of(self.full_at)}")
        if self.bytes_a_day is not None:
            lines.append(f"it fills by {size(self.bytes_a_day)} a day")
        return tuple(lines)

    @property
    def advice(self) -> str:
        return (
            "Make the disk larger, or have the filters keep less ([allowlist], [blocklist], [platform]); "
            "what they drop is deleted after [removal] grace-days. [mirror] disk-reserve is the room that "
            "syncs leave free."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFails(Condition):
    """The last run that synced, ``label``, has failed; a good one ends it."""

    key: ClassVar[str] = "run-failed"
    ended: ClassVar[str] = "a run has succeeded again"

    label: str
    failed_at: int
    reason: str

    @property
    def title(self) -> str:
        return f"the last run has failed: {self.label}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"it failed at {moment_of(self.failed_at)}: {self.reason}",)

    @property
    def advice(self) -> str:
        return "The next run tries again; `pypi-mirror status` and the run's log say more."

    @property
    def about(self) -> tuple[str, ...]:
        return (self.label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFails(RunFails):
    """The last audit, ``label``, found damage that it could not repair, or could not do its work."""

    key: ClassVar[str] = "audit-failed"
    ended: ClassVar[str] = "an audit has found nothing wrong that it could not repair"

    @property
    def title(self) -> str:
        return f"the last audit has failed: {self.label}"

    @property
    def advice(self) -> str:
        return (
            "What is damaged is off its page, and its project is on the backlog, so that the next run "
            "downloads it again. `pypi-mirror audit` repeats the audit and names what is left; when more "
            "breaks again and again, look at the disk (the kernel's log, SMART)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverdue(Condition):
    """The run ``label`` takes longer than ``hours``."""

    key: ClassVar[str] = "run-overdue"
    ended: ClassVar[str] = "the run that took too long has ended"

    label: str
    started_at: int
    hours: float

    @property
    def title(self) -> str:
        return f"a run takes longer than {self.hours:g} hours: {self.label}"

    @property
    def details(self) -> tuple[str, ...]:
        return (f"it began at {moment_of(self.started_at)}",)

    @property
    def advice(self) -> str:
        return (
            "See whether it advances. A first sync takes its time: [schedule] projects-per-run cuts it into "
            "runs. One that hangs is ended by marking it failed in Airflow; the next run goes on with what "
            "is left. [alerts] run-deadline is what may be expected of a run."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return (self.label,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalNeeded(Condition):
    """The plan of the run ``label`` would remove ``removes``, and nobody has approved it."""

    key: ClassVar[str] = "approval-needed"
    ended: ClassVar[str] = "no plan waits for approval any more"

    label: str
    plan: str
    removes: str
    exceeded: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"waits for approval to remove {self.removes}"

    @property
    def details(self) -> tuple[str, ...]:
        return tuple(f"limit: {limit}" for limit in self.exceeded)

    @property
    def advice(self) -> str:
        return (
            "Answer it in Airflow under Required Actions of the run (the task approve_removals). If no run "
            "waits any more, the next one asks again. Until then nothing is removed and nothing is synced. "
            "The limits are in [removal]."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return (about_approval(self.plan, self.label),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """A project that failed so often that it is tried rarely; ``error`` is the class of its last error."""

    project: NormalizedName
    error: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectsParked(Condition):
    """Projects have failed too often. Each is told once for each class of error it fails with."""

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
            "A parked project is tried once a week; what the mirror has of it stays served. If the cause is "
            "mended, `pypi-mirror backlog retry PROJECT` tries it with the next run; if it is upstream's and "
            "stays, put the project on [blocklist]. Nothing more is told of it until it fails otherwise."
        )

    @property
    def about(self) -> tuple[str, ...]:
        return tuple(about_parked(p.project, p.error) for p in self.projects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Upstream offers other bytes under the name of a file that the mirror knows."""

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
    """How a plan is remembered as told of: one that was rejected has to be answered again in a later run."""
    return f"{plan} of {label}"


def about_parked(project: str, error: str) -> str:
    """How a parked project is remembered as told of."""
    return f"{project}: {error}"


_KINDS: Final[tuple[type[Condition], ...]] = (
    Stale, UpstreamSilent, DiskFilling, RunFails, AuditFails, RunOverdue, ApprovalNeeded, ProjectsParked,
    FilesReplaced,
)  # fmt: skip

BY_KEY: Final[dict[str, type[Condition]]] = {kind.key: kind for kind in _KINDS}


def _is(projects: tuple[Parked, ...]) -> str:
    return "is" if len(projects) == 1 else "are"


def _duration(seconds: int) -> str:
    """``45 minutes``, ``30 hours``, ``12 days``."""
    for unit, length, least in (("day", 86_400, 3), ("hour", 3600, 2), ("minute", 60, 1)):
        if seconds >= least * length:
            return count(seconds // length, unit)
    return count(seconds, "second")
