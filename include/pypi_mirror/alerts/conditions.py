"""What people are alerted to: a kind by its key, with the words of its message.

Keys are stable: the runbook, silencers and programs behind the webhook use them. Times are seconds since
1970.
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from packaging.utils import NormalizedName

from pypi_mirror.run_label import shown_label
from pypi_mirror.wording import count, moment_of

MOST_NAMED: Final = 50
RUN_FAILED: Final = "run-failed"
AUDIT_FAILED: Final = "audit-failed"
PARKED: Final = "projects-parked"
REPLACED: Final = "files-replaced"

# Of each kind, what is said when it is over.
ENDED: Final = {
    "stale": "the mirror is up to date again",
    "upstream-unreachable": "upstream is reachable again",
    "disk-filling": "the disk has room again",
    RUN_FAILED: "a run has succeeded again",
    AUDIT_FAILED: "an audit found nothing wrong that it could not repair",
    "run-overdue": "the run that took too long has ended",
    "approval-needed": "no plan is awaiting approval any more",
    PARKED: "no project is parked any more",
    REPLACED: "upstream offers no other bytes under a known file name any more",
}


class Condition(Struct, frozen=True, kw_only=True):
    """Something that lasts.

    ``title`` says in half a line what is wrong, ``details`` in lines what is known of it, ``advice`` in
    sentences what to do, or why there is nothing to do. ``about`` are stable names of what it is about; a new
    one among them is a new notification. ``label`` is that of the run it is about, if it is about one.
    """

    key: str
    title: str
    advice: str
    details: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    label: str | None = None

    @property
    def repeats(self) -> bool:
        """Whether there are reminders while it lasts; each project and each file is reported once."""
        return self.key not in (PARKED, REPLACED)


def run_failed(*, label: str, failed_at: int, reason: str) -> Condition:
    """The last sync failed; one that succeeds ends it."""
    return Condition(
        key=RUN_FAILED,
        title=f"the last run failed: {shown_label(label)}",
        details=(f"failed at {moment_of(failed_at)}: {reason}",),
        advice="The next run tries again. `pypi-mirror status` and the run's log have the details.",
        about=(label,),
        label=label,
    )


def audit_failed(*, label: str, failed_at: int, reason: str) -> Condition:
    """The last audit found damage that it could not repair, or did not finish."""
    return Condition(
        key=AUDIT_FAILED,
        title=f"the last audit failed: {shown_label(label)}",
        details=(f"failed at {moment_of(failed_at)}: {reason}",),
        advice="Damaged files are off their pages, and their projects are in the backlog, so that the next "
        "run downloads them again. `pypi-mirror audit` repeats the audit and lists what is left. If damage "
        "keeps appearing, check the disk (kernel log, SMART).",
        about=(label,),
        label=label,
    )


def run_overdue(*, label: str, started_at: int, hours: float) -> Condition:
    """The run has taken longer than ``hours``."""
    return Condition(
        key="run-overdue",
        title=f"a run has taken longer than {hours:g} hours: {shown_label(label)}",
        details=(f"started at {moment_of(started_at)}",),
        advice="Check whether it advances. A first sync takes long: [schedule] projects-per-run splits it "
        "into several runs. If the run hangs, mark it as failed in Airflow; the next run does the rest. "
        "[alerts] run-deadline sets how long a run may take.",
        about=(label,),
        label=label,
    )


def approval_needed(*, label: str, plan: str, would: str, exceeded: Sequence[str]) -> Condition:
    """The plan of a run ``would`` do so much (``remove 3 projects …``), and is awaiting approval."""
    return Condition(
        key="approval-needed",
        title=f"a plan is awaiting approval to {would}",
        details=tuple(f"limit: {limit}" for limit in exceeded),
        advice="Answer it in Airflow under Required Actions of the run (task approve_removals). If that run "
        "has ended, the next one asks again. Until then nothing is removed and nothing is synced. The "
        "limits are in [removal] and [dependencies].",
        # A plan that was rejected needs another answer in a later run.
        about=(f"{plan} of {label}",),
        label=label,
    )


class Parked(Struct, frozen=True, kw_only=True):
    """A project that failed so often that it is retried rarely; ``error`` is the class of its last error."""

    project: NormalizedName
    error: str
    reason: str


def projects_parked(projects: Sequence[Parked]) -> Condition:
    """Projects have failed too often. Each is notified once for each class of error it fails with."""
    are = "is" if len(projects) == 1 else "are"
    return Condition(
        key=PARKED,
        title=f"{count(len(projects), 'project')} failed too often and {are} parked",
        details=_listed([f"{each.project}: {each.error}: {each.reason}" for each in projects], "project"),
        advice="A parked project is retried once a week; what the mirror has of it stays served. Once the "
        "cause is fixed, `pypi-mirror backlog retry PROJECT` retries it in the next run. If the cause is "
        "upstream's and permanent, add the project to [blocklist]. You are notified again only if it fails "
        "for another reason.",
        about=tuple(about_parked(each.project, each.error) for each in projects),
    )


class Replaced(Struct, frozen=True, kw_only=True):
    """Upstream offers other bytes under the name of a file that the mirror has."""

    project: NormalizedName
    filename: str
    reason: str


def files_replaced(files: Sequence[Replaced]) -> Condition:
    """Upstream offers other bytes under known file names; they are refused. Each file is reported once."""
    return Condition(
        key=REPLACED,
        title=f"upstream offers other bytes under {count(len(files), 'known file name')}",
        details=_listed([f"{each.project}: {each.filename}: {each.reason}" for each in files], "file"),
        advice="Somebody may have tampered with upstream: ask its maintainers what happened. The mirror goes "
        "on serving the file that it has, and follows everything else of the project. For an index where "
        "files are replaced on purpose, set [mirror] replaced-files = follow, then run `pypi-mirror backlog "
        "retry PROJECT`.",
        about=tuple(f"{each.project}: {each.filename}" for each in files),
    )


def about_parked(project: str, error: str) -> str:
    """How a parked project is remembered."""
    return f"{project}: {error}"


def _listed(lines: Sequence[str], noun: str) -> tuple[str, ...]:
    more = len(lines) - MOST_NAMED
    return (*lines[:MOST_NAMED], *((f"and {count(more, noun)} more; see the backlog",) if more > 0 else ()))
