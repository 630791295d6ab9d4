"""The DAG ``pypi_mirror_audit``: wiring only, the work is done by ``include/pypi_mirror/runs/audit.py``."""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from mirror_airflow.audit_run import audit_form, audit_page, notify_failed_audit
from mirror_airflow.configuration import load_configuration
from mirror_airflow.retry import LONGEST_PAUSE_OF_KILLED, RETRIES_WHILE_WAITING, RetryTransientErrors
from mirror_airflow.scheduling import AUDITING, LONGEST_AUDIT
from mirror_airflow.task_mirror import task_mirror

CONFIGURATION = load_configuration()
SCHEDULE = CONFIGURATION.schedule
CRON = CONFIGURATION.audit.cron


@dag(
    schedule=CronDataIntervalTimetable(CRON, timezone=SCHEDULE.timezone) if CRON else None,
    catchup=False,
    max_active_runs=1,
    params=audit_form(),
    on_failure_callback=notify_failed_audit,
    description="Finds damage in the mirror and repairs it, a part of the mirror a run",
    doc_md=audit_page(CONFIGURATION),
    tags=["mirror"],
)
def pypi_mirror_audit() -> None:
    @task(
        retries=SCHEDULE.retries + RETRIES_WHILE_WAITING,
        retry_delay=timedelta(seconds=SCHEDULE.retry_delay),
        retry_exponential_backoff=2.0,
        max_retry_delay=LONGEST_PAUSE_OF_KILLED,
        retry_policy=RetryTransientErrors.of(SCHEDULE),
        weight_rule="absolute",
        priority_weight=AUDITING,
        execution_timeout=LONGEST_AUDIT,
    )
    def audit() -> dict[str, int]:
        """Look at what has its turn as soon as no other run is at work, and repair it; return figures."""
        from mirror_airflow.audit_run import audit_request, require_clean
        from mirror_airflow.run_label import audit_label
        from pypi_mirror.runs.audit import audit as step

        context = get_current_context()
        with task_mirror(label=audit_label(context["run_id"])) as mirror:
            return require_clean(step(mirror, audit_request(context["run_id"], context["params"])))

    audit()


pypi_mirror_audit()
