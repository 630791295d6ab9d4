"""The DAG ``pypi_mirror``: wiring only, the work is done by ``include/pypi_mirror/runs``.

A task forks and reads this file again, so the engine is imported where a task needs it. XCom carries ids
and counts. ``Batch`` is the number of a batch, how many projects it holds, and how many batches run at once.

Where Airflow has fewer slots than tasks, publishing comes before downloading: ``priority_weight``.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Context, CronDataIntervalTimetable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from mirror_airflow.approve_removals import ApproveRemovals
from mirror_airflow.configuration import load_configuration
from mirror_airflow.dag_page import dag_page, trigger_form
from mirror_airflow.links import TASK_NAME, name_task
from mirror_airflow.pages_asset import CHANGES
from mirror_airflow.retry import LONGEST_PAUSE_OF_KILLED, RETRIES_WHILE_WAITING, RetryTransientErrors
from mirror_airflow.scheduling import (
    DOWNLOADING,
    LONGEST_BATCH,
    LONGEST_TASK,
    OWNER,
    PLANNING,
    PUBLISHING,
    batch_pool,
)
from mirror_airflow.task_mirror import task_mirror
from pypi_mirror.wording import count

CONFIGURATION = load_configuration()
SCHEDULE = CONFIGURATION.schedule
Batch = dict[str, int]
# They share the administrator's limits, so there are never more of them than requests at once.
BATCHES_AT_ONCE = CONFIGURATION.batches_at_once
# The XCom with the run's id in the ledger: what a task returns is what Airflow can map over.
RUN_ID = "run"


def notify_failed_run(context: Context) -> None:
    from mirror_airflow.alerts import failed_run

    failed_run.notify_failed_run(context)


@dag(
    schedule=CronDataIntervalTimetable(SCHEDULE.cron, timezone=SCHEDULE.timezone) if SCHEDULE.cron else None,
    catchup=False,
    max_active_runs=1,
    params=trigger_form(SCHEDULE.batch_size),
    on_failure_callback=notify_failed_run,
    description="Keeps the mirror up to date with upstream, and has nginx serve it",
    doc_md=dag_page(CONFIGURATION),
    tags=["pypi-mirror", "sync"],
    default_args={
        "owner": OWNER,
        "retries": SCHEDULE.retries,
        "retry_delay": timedelta(seconds=SCHEDULE.retry_delay),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": LONGEST_PAUSE_OF_KILLED,
        "retry_policy": RetryTransientErrors.of(SCHEDULE),
        "weight_rule": "absolute",
        "priority_weight": PLANNING,
        "execution_timeout": LONGEST_TASK,
    },
)
def pypi_mirror() -> None:
    @task(retries=SCHEDULE.retries + RETRIES_WHILE_WAITING)
    def fetch_changelog() -> list[int]:
        """Begin the run, once no other run has the mirror, and ask upstream what changed.

        Reads the pages, and follows dependencies, if they are few; returns how many pages are left for the
        task read_pages.
        """
        from mirror_airflow.run_request import begin_run, read_short_list

        context = get_current_context()
        with task_mirror() as mirror:
            run = begin_run(mirror, context["dag_run"], context["params"])
            context["ti"].xcom_push(RUN_ID, run)
            return read_short_list(mirror, run)

    @task(map_index_template=TASK_NAME, execution_timeout=LONGEST_BATCH)
    def read_pages(run: int, pages: int) -> int:
        """Read the pages of upstream that the plan needs, if they are many, and follow `[dependencies]`.

        Returns how many pages. A retry goes on where the try before ended.
        """
        from mirror_airflow.run_request import read_long_list
        from mirror_airflow.task_log import log_dependencies, log_pages

        name_task(get_current_context(), count(pages, "page") if pages else "dependencies")
        with task_mirror() as mirror:
            asked = log_pages(read_long_list(mirror, run))
            log_dependencies(mirror)
            return asked

    @task(trigger_rule="none_failed")
    def partition_projects(run: int) -> list[Batch]:
        """Make the plan of the run, and divide it into batches; a dry run logs its plan and ends here."""
        from mirror_airflow.task_log import planned_batches
        from pypi_mirror.planning.plan import BATCHES_EACH
        from pypi_mirror.runs.partition_projects import partition_projects as step

        params = get_current_context()["params"]
        with task_mirror() as mirror:
            at_least = BATCHES_EACH * BATCHES_AT_ONCE
            plan = step(mirror, run, batch_size=params["batch_size"], at_least=at_least, listed=True)
            return planned_batches(mirror, plan, BATCHES_AT_ONCE, dry_run=params["dry_run"])

    @task(
        map_index_template=TASK_NAME,
        max_active_tis_per_dagrun=BATCHES_AT_ONCE,
        pool=batch_pool(),
        priority_weight=DOWNLOADING,
        execution_timeout=LONGEST_BATCH,
    )
    def download_projects(run: int, batch: Batch) -> dict[str, int]:
        """Download the files of one batch of projects, and write their pages; return figures."""
        from mirror_airflow.siblings import SiblingWatch
        from mirror_airflow.task_log import log_batch
        from pypi_mirror.runs.download_projects import download_projects as step
        from pypi_mirror.runs.partition_projects import batch_name

        context = get_current_context()
        with task_mirror() as mirror:
            name = batch_name(mirror, run, batch["number"])
            name_task(context, name)
            watch = SiblingWatch(context["ti"], enabled=mirror.settings.stops_on_failures)
            result = step(mirror, run, batch["number"], sharers=batch["sharers"], should_stop=watch)
        if result.waiting:
            name_task(context, f"{name}, {result.waiting} of them paused")
        return log_batch(result)

    @task(trigger_rule="none_failed", priority_weight=PUBLISHING)
    def rebuild_index(run: int) -> int | None:
        """Publish the pages of all batches: write the root index, move the cursor and return it."""
        from pypi_mirror.runs.rebuild_index import rebuild_index as step

        if get_current_context()["params"]["dry_run"]:
            raise AirflowSkipException("a dry run ends with its plan")
        with task_mirror() as mirror:
            return step(mirror, run).cursor

    @task(priority_weight=PUBLISHING, outlets=[CHANGES])
    def reload_nginx(run: int) -> int:
        """Have nginx serve the pages, and check that it does; return the number of addresses requested.

        Updates the asset `pypi_mirror_pages` if pages changed.
        """
        from mirror_airflow.pages_asset import update_pages_asset
        from pypi_mirror.runs.reload_nginx import reload_nginx as step

        with task_mirror() as mirror:
            reloaded = step(mirror, run)
            update_pages_asset(mirror, get_current_context())
            return len(reloaded.probed)

    @task(priority_weight=PUBLISHING)
    def report(run: int) -> dict[str, int]:
        """End the run and write the status; fails if projects failed, known failures apart."""
        from mirror_airflow.pages_asset import forget_changes
        from mirror_airflow.task_log import require_success
        from pypi_mirror.runs.report import report as step

        with task_mirror() as mirror:
            forget_changes(mirror, run)
            return require_success(step(mirror, run))

    # What a task returns is, while the file is read, a reference to it.
    lists: Any = fetch_changelog()
    run = lists[RUN_ID]
    reading: Any = read_pages.partial(run=run).expand(pages=lists)
    plan: Any = partition_projects(run)
    approval = ApproveRemovals(
        task_id="approve_removals",
        run=run,
        hours=CONFIGURATION.guard.approval_hours,
        approvers=CONFIGURATION.guard.approvers,
        doc_md="Wait for approval, under Required Actions, if the plan removes more than `[removal]` allows.",
    )
    batches = download_projects.partial(run=run).expand(batch=plan)
    reading >> plan >> approval >> batches >> rebuild_index(run) >> reload_nginx(run) >> report(run)


pypi_mirror()
