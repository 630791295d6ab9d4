"""The DAG ``pypi_mirror_watch``: wiring only, the work is done by ``include/mirror_airflow/watch_run.py``."""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from mirror_airflow.configuration import load_configuration
from mirror_airflow.retry import RetryTransientErrors
from mirror_airflow.scheduling import OWNER
from mirror_airflow.watch_run import TRIES, watch_form, watch_page

CONFIGURATION = load_configuration()
CRON = CONFIGURATION.alerts.watch_cron


@dag(
    schedule=CronDataIntervalTimetable(CRON, timezone=CONFIGURATION.schedule.timezone) if CRON else None,
    catchup=False,
    max_active_runs=1,
    # It changes nothing, and is needed most where nobody looks at Airflow.
    is_paused_upon_creation=False,
    params=watch_form(),
    description="Notifies people when the mirror needs one of them",
    doc_md=watch_page(CONFIGURATION),
    tags=["pypi-mirror", "alerts"],
    default_args={"owner": OWNER},
)
def pypi_mirror_watch() -> None:
    @task(
        retries=TRIES,
        retry_delay=timedelta(seconds=30),
        retry_policy=RetryTransientErrors(tries=TRIES, delay=30),
        execution_timeout=timedelta(minutes=30),
        # Before the batches of a run, however many wait for a slot.
        priority_weight=1_000_000,
        weight_rule="absolute",
    )
    def watch() -> dict[str, int]:
        """Check upstream, the ledger and the disk, and notify people of what is new; return figures."""
        from mirror_airflow.watch_run import watch as run_watch

        return run_watch(get_current_context())

    watch()


pypi_mirror_watch()
