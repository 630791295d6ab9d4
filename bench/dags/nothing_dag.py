"""The DAG ``nothing``: the shape of ``pypi_mirror``, and tasks that do nothing; for case L."""

from typing import Any

from airflow.sdk import dag, get_current_context, task


@dag(schedule=None, catchup=False, max_active_runs=1)
def nothing() -> None:
    @task
    def fetch_changelog() -> list[int]:
        get_current_context()["ti"].xcom_push("run", 1)
        return []

    @task
    def read_pages(run: int, pages: int) -> int:
        del run
        return pages

    @task(trigger_rule="none_failed")
    def partition_projects(run: int) -> list[dict[str, int]]:
        del run
        return []

    @task
    def approve_removals(run: int) -> None:
        del run

    @task
    def download_projects(run: int, batch: dict[str, int]) -> dict[str, int]:
        del run
        return batch

    @task(trigger_rule="none_failed")
    def rebuild_index(run: int) -> int:
        return run

    @task
    def reload_nginx(run: int) -> int:
        return run

    @task
    def report(run: int) -> dict[str, int]:
        return {"projects": run}

    lists: Any = fetch_changelog()
    run = lists["run"]
    reading = read_pages.partial(run=run).expand(pages=lists)
    plan: Any = partition_projects(run)
    batches = download_projects.partial(run=run).expand(batch=plan)
    (
        reading
        >> plan
        >> approve_removals(run)
        >> batches
        >> rebuild_index(run)
        >> reload_nginx(run)
        >> report(run)
    )


nothing()
