"""What happens when a run has failed: its run in the ledger ends, and one message goes out."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow.sdk import Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowRuntimeError

from mirror_airflow.advice import advice_for, next_run
from mirror_airflow.configuration import Configuration, load_configuration
from mirror_airflow.message import MOST_LISTED, FailedProject, FailedTask, Message
from mirror_airflow.task_errors import failed_tasks
from mirror_airflow.telling import tell_people
from pypi_mirror.alerts.conditions import RunFails, about_parked
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.runs.raise_alerts import Happened, known_parked
from pypi_mirror.runs.report import fail_run
from pypi_mirror.settings.values import Settings
from pypi_mirror.wording import moment_of

log = logging.getLogger(__name__)

# These tasks fail because a project did; where projects are named they add nothing,
CONSEQUENCES = ("RunStopped:", "RunFailed:")
# but for the first that says how many failures are too many, and that nothing was published for it.
LIMIT = "RunStopped: max-failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The projects that a run failed for: those to tell of, and how many nobody wants to hear of."""

    told: tuple[FailedProject, ...] = ()
    silenced: int = 0


def tell_of_failed_run(context: Context, *, label: str | None = None, alert: str = RunFails.key) -> None:
    """The DAG's ``on_failure_callback``: Airflow calls it once a run, in its DAG processor.

    ``label`` is the run's in the ledger, by default Airflow's own; ``alert`` is the key of what it begins.
    """
    configuration = load_configuration()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    label = run_id if label is None else label
    tasks = _tasks(context)
    settings = configuration.settings
    failures = Failures() if settings is None else _end_run(settings, label, tasks)
    if failures.told or failures.silenced:
        tasks = causes(tasks)
    if failures.silenced and not failures.told and not tasks:
        log.info("the run failed for %d silenced or parked projects alone: nobody is told", failures.silenced)
        return
    message = failure_message(
        configuration,
        alert=alert,
        label=label,
        link=link_to_run(dag_id, run_id),
        projects=failures.told,
        tasks=tasks,
        now=datetime.now(UTC),
    )
    log.error("%s", message.text())
    tell_people(configuration, message, Happened(key=alert, about=label, title=message.title), context)


def failure_message(
    configuration: Configuration,
    *,
    alert: str,
    label: str,
    link: str,
    projects: tuple[FailedProject, ...],
    tasks: tuple[FailedTask, ...],
    now: datetime,
) -> Message:
    """What people are told of a run that failed for ``projects`` and ``tasks``."""
    title = _title(projects, tasks)
    reasons = (*(p.error for p in projects), *(t.reason for t in tasks))
    follows = (next_run(configuration.schedule, now),) if alert == RunFails.key else ()
    return Message(
        alert=alert,
        title=title,
        summary=f"The run {label} of the mirror {mirror_name(configuration)} has failed: {title}.",
        mirror=mirror_name(configuration),
        link=link,
        run=label,
        projects=projects[:MOST_LISTED],
        unlisted=len(projects[MOST_LISTED:]),
        tasks=tasks,
        advice=(*advice_for(reasons), *follows),
    )


def causes(tasks: Sequence[FailedTask]) -> tuple[FailedTask, ...]:
    """``tasks`` without those that only failed because a project did."""
    limit = next((t for t in tasks if t.reason.startswith(LIMIT)), None)
    return tuple(t for t in tasks if t is limit or not t.reason.startswith(CONSEQUENCES))


def worth_telling(
    entries: Sequence[BacklogEntry], *, silenced: Collection[str], known: Collection[str]
) -> Failures:
    """What to tell of the failed projects ``entries``.

    Not of ``silenced`` ones, and not of parked ones that people know to fail that way (``known``, as
    ``about_parked`` writes them).
    """
    told = [
        entry
        for entry in entries
        if entry.project not in silenced
        and not (entry.parked and about_parked(entry.project, entry.error) in known)
    ]
    return Failures(told=tuple(_failed_project(e) for e in told), silenced=len(entries) - len(told))


def _title(projects: Sequence[FailedProject], tasks: Sequence[FailedTask]) -> str:
    if projects:
        names = ", ".join(p.project for p in projects[:3])
        more = len(projects) - 3
        count = "1 project failed" if len(projects) == 1 else f"{len(projects)} projects failed"
        return f"{count}: {names}" + (f" and {more} more" if more > 0 else "")
    return f"{tasks[0].task} failed" if tasks else "it ended without saying why"


def _tasks(context: Context) -> tuple[FailedTask, ...]:
    """The failed tasks; where Airflow cannot tell, its own word for why the run failed."""
    ti = context.get("ti")
    if ti is not None:
        try:
            return failed_tasks(ti)
        except AirflowRuntimeError as error:
            log.warning("Airflow does not say which tasks failed: %s", error)
    return (FailedTask(task="the run", reason=str(context.get("reason", ""))),)


def _end_run(settings: Settings, label: str, tasks: tuple[FailedTask, ...]) -> Failures:
    """End the ledger's run of that label, if a task died and left it open; its failed projects."""
    try:
        with open_mirror(settings) as mirror:
            run = mirror.ledger.runs.labelled(label)
            if run is None:
                return Failures()
            names = mirror.ledger.plan.failed(run.id)
            entries = mirror.ledger.backlog.of_run(run.id, names)
            if run.state is RunState.RUNNING:
                fail_run(mirror, label, "; ".join(f"{t.task}: {t.reason}" for t in tasks))
            return worth_telling(entries, silenced=settings.alerts.silenced, known=known_parked(mirror))
    except MirrorError as error:
        log.error("the run cannot be ended in the ledger: %s", error)
        return Failures()


def _failed_project(entry: BacklogEntry) -> FailedProject:
    return FailedProject(
        project=entry.project,
        error=entry.error,
        reason=entry.reason,
        again=moment_of(entry.next_try_at),
    )


def mirror_name(configuration: Configuration) -> str:
    """What people know the mirror by."""
    return (
        configuration.path.name if configuration.settings is None else configuration.settings.site.public_url
    )


def link_to_run(dag_id: str, run_id: str) -> str:
    """The run's page in Airflow's UI."""
    return f"{_airflow()}/dags/{dag_id}/runs/{run_id}"


def link_to_page() -> str:
    """The mirror's page in Airflow's UI."""
    return f"{_airflow()}/pypi-mirror/"


def _airflow() -> str:
    return str(conf.get("api", "base_url", fallback="")).rstrip("/")
