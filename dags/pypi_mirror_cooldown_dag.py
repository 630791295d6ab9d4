"""The DAG ``pypi_mirror_cooldown``: wiring only, the work is done by ``pypi_mirror/runs/publish_due.py``."""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from mirror_airflow.configuration import load_configuration
from mirror_airflow.cooldown_run import cooldown_page, notify_failed_cooldown
from mirror_airflow.pages_asset import CHANGES
from mirror_airflow.retry import RetryTransientErrors
from mirror_airflow.scheduling import LONGEST_TASK, OWNER, PUBLISHING
from mirror_airflow.task_mirror import task_mirror

CONFIGURATION = load_configuration()
SCHEDULE = CONFIGURATION.schedule
CRON = CONFIGURATION.cooldown_cron


@dag(
    schedule=CronDataIntervalTimetable(CRON, timezone=SCHEDULE.timezone) if CRON else None,
    catchup=False,
    max_active_runs=1,
    # It does nothing unless files wait, which an administrator asks for.
    is_paused_upon_creation=False,
    on_failure_callback=notify_failed_cooldown,
    description="Lists new files whose cooldown is over",
    doc_md=cooldown_page(CONFIGURATION),
    tags=["pypi-mirror", "cooldown"],
    default_args={"owner": OWNER},
)
def pypi_mirror_cooldown() -> None:
    @task(
        retries=SCHEDULE.retries,
        retry_delay=timedelta(seconds=SCHEDULE.retry_delay),
        retry_policy=RetryTransientErrors.of(SCHEDULE),
        weight_rule="absolute",
        priority_weight=PUBLISHING,
        execution_timeout=LONGEST_TASK,
        outlets=[CHANGES],
    )
    def publish_due() -> int:
        """List the files that are due; return of how many projects. Skipped while another run is at work."""
        from mirror_airflow.cooldown_run import end_due
        from mirror_airflow.pages_asset import update_pages_asset

        context = get_current_context()
        with task_mirror() as mirror:
            projects = end_due(mirror, context["run_id"])
            update_pages_asset(mirror, context)
            return projects

    publish_due()


pypi_mirror_cooldown()
