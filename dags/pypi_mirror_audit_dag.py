"""The DAG ``pypi_mirror_audit``: wiring only, the work is done by ``include/pypi_mirror/runs/audit.py``."""

from datetime import timedelta

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from mirror_airflow.audit_run import audit_form, audit_page, notify_failed_audit
from mirror_airflow.configuration import load_configuration
from mirror_airflow.pages_asset import CHANGES
from mirror_airflow.retry import LONGEST_PAUSE_OF_KILLED, RETRIES_WHILE_WAITING, RetryTransientErrors
from mirror_airflow.scheduling import AUDITING, LONGEST_AUDIT, OWNER
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
    description="Verifies a part of the mirror in each run, and repairs damage",
    doc_md=audit_page(CONFIGURATION),
    tags=["pypi-mirror", "audit"],
    default_args={"owner": OWNER},
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
        outlets=[CHANGES],
    )
    def audit() -> dict[str, int]:
        """Verify what was verified longest ago, once no other run has the mirror, and repair damage."""
        from mirror_airflow.audit_run import audit_request, require_clean
        from mirror_airflow.pages_asset import update_pages_asset
        from pypi_mirror.run_label import audit_label
        from pypi_mirror.runs.audit import audit as step

        context = get_current_context()
        with task_mirror(label=audit_label(context["run_id"])) as mirror:
            figures = require_clean(step(mirror, audit_request(context["run_id"], context["params"])))
            if not context["params"]["dry_run"]:
                update_pages_asset(mirror, context)
            return figures

    audit()


pypi_mirror_audit()
