from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mirror_airflow.alerts.message import FailedTask
from mirror_airflow.task_errors import failed_tasks, record_task_error
from pypi_mirror.errors import WebServerError


class Ti:
    dag_id = "pypi_mirror"
    run_id = "a run"

    def __init__(self, states: dict[str, str | None] | None = None) -> None:
        self.states = states or {}
        self.errors: dict[tuple[str, int], Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.errors[key, -1] = value

    def xcom_pull(self, task_ids: str, *, key: str, map_indexes: int) -> Any:
        assert key == "error"
        return self.errors.get((task_ids, map_indexes))

    def get_task_states(self, dag_id: str, *, run_ids: list[str]) -> dict[str, dict[str, str | None]]:
        assert dag_id == self.dag_id
        return {run_ids[0]: self.states}


def test_the_error_that_ends_a_task_is_recorded_and_raised() -> None:
    ti = Ti()
    with pytest.raises(WebServerError), record_task_error(ti):
        raise WebServerError("nginx does not run")
    assert ti.errors == {("error", -1): {"error": "WebServerError", "reason": "nginx does not run"}}


def test_a_skipped_task_records_no_error() -> None:
    ti = Ti()
    with pytest.raises(AirflowSkipException), record_task_error(ti):
        raise AirflowSkipException("a dry run")
    assert ti.errors == {}


def test_failed_tasks_come_with_error_and_map_index() -> None:
    ti = Ti(
        {
            "fetch_changelog": "success",
            "download_projects_0": "success",
            "download_projects_12": "failed",
            "rebuild_index": "upstream_failed",
            "report": None,
        }
    )
    ti.errors["download_projects", 12] = {"error": "OSError", "reason": "no space: /srv"}
    assert failed_tasks(ti) == (
        FailedTask(task="download_projects [12]", error="OSError", reason="no space: /srv"),
    )


def test_a_task_that_was_killed_is_named_too() -> None:
    (task,) = failed_tasks(Ti({"reload_nginx": "failed"}))
    assert task.task == "reload_nginx"
    assert task.error is None
    assert "killed" in task.reason
