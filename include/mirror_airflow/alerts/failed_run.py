"""Ends a failed run in the ledger, and notifies people of it once."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowRuntimeError

from mirror_airflow.alerts.advice import advice_for, next_run
from mirror_airflow.alerts.message import MOST_LISTED, FailedProject, FailedTask, Message
from mirror_airflow.alerts.notify import notify
from mirror_airflow.configuration import Configuration, load_configuration
from mirror_airflow.links import link_to_run
from mirror_airflow.task_errors import RunFailed, failed_tasks
from pypi_mirror.alerts.conditions import RUN_FAILED, about_parked
from pypi_mirror.errors import MirrorError, RunStopped
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.runs.raise_alerts import Event, known_parked
from pypi_mirror.runs.report import fail_run
from pypi_mirror.settings.values import Settings
from pypi_mirror.wording import count, moment_of, some_of

log = logging.getLogger(__name__)

# These errors of tasks follow from failed projects: where projects are named, they add nothing but that the
# run stopped early, which is advice.
CONSEQUENCES = (RunStopped.__name__, RunFailed.__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The projects that a run failed for: those in the message, and how many are silenced or known."""

    reported: tuple[FailedProject, ...] = ()
    silenced: int = 0


def notify_failed_run(context: Context, *, label: str | None = None, alert: str = RUN_FAILED) -> None:
    """The DAG's ``on_failure_callback``: Airflow calls it once a run, in its DAG processor.

    ``label`` is the run's in the ledger, by default Airflow's own; ``alert`` is the key of the alert.
    """
    configuration = load_configuration()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    label = run_id if label is None else label
    tasks = _tasks(context)
    settings = configuration.settings
    failures = Failures() if settings is None else _end_run(settings, label, tasks)
    if failures.silenced and not failures.reported and not causes(tasks):
        log.info("only silenced or parked projects failed (%d): nobody is notified", failures.silenced)
        return
    message = failure_message(
        configuration,
        alert=alert,
        label=label,
        link=link_to_run(dag_id, run_id),
        projects=failures.reported,
        tasks=tasks,
        about_projects=bool(failures.reported or failures.silenced),
        now=datetime.now(UTC),
    )
    log.error("%s", message.text())
    notify(configuration, message, Event(key=alert, about=label, title=message.title), context)


def failure_message(
    configuration: Configuration,
    *,
    alert: str,
    label: str,
    link: str,
    projects: tuple[FailedProject, ...],
    tasks: tuple[FailedTask, ...],
    about_projects: bool,
    now: datetime,
) -> Message:
    """The message about a run that failed for ``projects`` and ``tasks``.

    Where it is ``about_projects``, named or silenced, tasks that failed only because of them are left out.
    """
    stopped = {task.error for task in tasks} & {RunStopped.__name__}
    tasks = causes(tasks) if about_projects else tasks
    title = _title(projects, tasks)
    errors = (*(p.error for p in projects), *stopped, *(t.error for t in tasks))
    follows = (next_run(configuration.schedule, now),) if alert == RUN_FAILED else ()
    return Message(
        alert=alert,
        title=title,
        summary=f"The run {label} of the mirror {configuration.mirror_name} failed: {title}.",
        mirror=configuration.mirror_name,
        link=link,
        run=label,
        projects=projects[:MOST_LISTED],
        unlisted=len(projects[MOST_LISTED:]),
        tasks=tasks,
        advice=(*advice_for(errors), *follows),
    )


def causes(tasks: Sequence[FailedTask]) -> tuple[FailedTask, ...]:
    """``tasks`` without those that only failed because a project did."""
    return tuple(task for task in tasks if task.error not in CONSEQUENCES)


def failures_to_report(
    entries: Sequence[BacklogEntry], *, silenced: Collection[str], known: Collection[str]
) -> Failures:
    """Which of the failed projects ``entries`` are in the message.

    ``silenced`` ones are not, nor parked ones of which people were notified for the same error (``known``,
    as ``about_parked`` writes them).
    """
    reported = [
        entry
        for entry in entries
        if entry.project not in silenced
        and not (entry.parked and about_parked(entry.project, entry.error) in known)
    ]
    return Failures(
        reported=tuple(_failed_project(e) for e in reported), silenced=len(entries) - len(reported)
    )


def _title(projects: Sequence[FailedProject], tasks: Sequence[FailedTask]) -> str:
    if projects:
        names = some_of([each.project for each in projects], 3)
        return f"{count(len(projects), 'project')} failed: {names}"
    return f"{tasks[0].task} failed" if tasks else "it ended without an error"


def _tasks(context: Context) -> tuple[FailedTask, ...]:
    """The failed tasks; where Airflow does not say, its own reason for the run."""
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
                fail_run(mirror, label, "; ".join(f"{t.task}: {t.why}" for t in tasks))
            return failures_to_report(entries, silenced=settings.alerts.silenced, known=known_parked(mirror))
    except MirrorError as error:
        log.error("the run cannot be ended in the ledger: %s", error)
        return Failures()


def _failed_project(entry: BacklogEntry) -> FailedProject:
    return FailedProject(
        project=entry.project,
        error=entry.error,
        reason=entry.reason,
        retried_at=moment_of(entry.next_try_at),
    )
