"""What happens when a run has failed: its run in the ledger ends, and one message goes out."""

import logging
from collections.abc import Sequence

from airflow.sdk import Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowRuntimeError

from mirror_airflow.alerts import send
from mirror_airflow.configuration import Configuration, load_configuration
from mirror_airflow.message import FailedProject, FailedTask, FailureMessage
from mirror_airflow.task_errors import failed_tasks
from pypi_mirror.errors import MirrorError
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.settings.values import Settings
from pypi_mirror.steps.report import fail_run

log = logging.getLogger(__name__)

# These tasks fail because a project did; where projects are named they add nothing,
CONSEQUENCES = ("RunStopped:", "RunFailed:")
# but for the first that says how many failures are too many, and that nothing was published for it.
LIMIT = "RunStopped: max-failures"


def tell_of_failed_run(context: Context, *, label: str | None = None) -> None:
    """The DAG's ``on_failure_callback``: Airflow calls it once a run, in its DAG processor.

    ``label`` is the run's in the ledger, by default Airflow's own.
    """
    configuration = load_configuration()
    dag_id, run_id = context["dag"].dag_id, context["run_id"]
    label = run_id if label is None else label
    tasks = _tasks(context)
    projects = () if configuration.settings is None else _end_run(configuration.settings, label, tasks)
    if projects:
        tasks = causes(tasks)
    message = FailureMessage(
        run=label,
        mirror=mirror_name(configuration),
        link=link_to_run(dag_id, run_id),
        projects=projects,
        tasks=tasks,
    )
    log.error("%s", message.text())
    send(message, configuration.alerts, context)


def causes(tasks: Sequence[FailedTask]) -> tuple[FailedTask, ...]:
    """``tasks`` without those that only failed because a project did."""
    limit = next((t for t in tasks if t.reason.startswith(LIMIT)), None)
    return tuple(t for t in tasks if t is limit or not t.reason.startswith(CONSEQUENCES))


def _tasks(context: Context) -> tuple[FailedTask, ...]:
    """The failed tasks; where Airflow cannot tell, its own word for why the run failed."""
    ti = context.get("ti")
    if ti is not None:
        try:
            return failed_tasks(ti)
        except AirflowRuntimeError as error:
            log.warning("Airflow does not say which tasks failed: %s", error)
    return (FailedTask(task="the run", reason=str(context.get("reason", ""))),)


def _end_run(settings: Settings, label: str, tasks: tuple[FailedTask, ...]) -> tuple[FailedProject, ...]:
    """End the ledger's run of that label, if a task died and left it open; its failed projects."""
    try:
        with open_mirror(settings) as mirror:
            run = mirror.ledger.runs.labelled(label)
            if run is None:
                return ()
            names = mirror.ledger.plan.failed(run.id)
            entries = mirror.ledger.backlog.of_run(run.id, names)
            if run.state is RunState.RUNNING:
                fail_run(mirror, label, "; ".join(f"{t.task}: {t.reason}" for t in tasks))
    except MirrorError as error:
        log.error("the run cannot be ended in the ledger: %s", error)
        return ()
    return tuple(FailedProject(project=e.project, reason=f"{e.error}: {e.reason}") for e in entries)


def mirror_name(configuration: Configuration) -> str:
    """What people know the mirror by."""
    return (
        configuration.path.name if configuration.settings is None else configuration.settings.site.public_url
    )


def link_to_run(dag_id: str, run_id: str) -> str:
    """The run's page in Airflow's UI."""
    return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}/dags/{dag_id}/runs/{run_id}"
