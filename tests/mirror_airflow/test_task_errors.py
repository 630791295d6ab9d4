from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from mirror_airflow.message import FailedTask
from mirror_airflow.task_errors import failed_tasks, last_words
from pypi_mirror.errors import WebServerError


class Ti:
    dag_id = "pypi_mirror"
    run_id = "a run"

    def __init__(self, states: dict[str, str | None] | None = None) -> None:
        self.states = states or {}
        self.words: dict[tuple[str, int], str] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.words[key, -1] = value

    def xcom_pull(self, task_ids: str, *, key: str, map_indexes: int) -> Any:
        assert key == "error"
        return self.words.get((task_ids, map_indexes))

    def get_task_states(self, dag_id: str, *, run_ids: list[str]) -> dict[str, dict[str, str | None]]:
        assert dag_id == self.dag_id
        return {run_ids[0]: self.states}


def test_the_error_that_ends_a_task_is_kept_and_passes_on() -> None:
    ti = Ti()
    with pytest.raises(WebServerError), last_words(ti):
        raise WebServerError("nginx does not run")
    assert ti.words == {("error", -1): "WebServerError: nginx does not run"}


def test_a_skipped_task_leaves_no_words() -> None:
    ti = Ti()
    with pytest.raises(AirflowSkipException), last_words(ti):
        raise AirflowSkipException("a dry run")
    assert ti.words == {}


def test_failed_tasks_come_with_their_words_and_map_index() -> None:
    ti = Ti(
        {
            "fetch_changelog": "success",
            "download_projects_0": "success",
            "download_projects_12": "failed",
            "rebuild_index": "upstream_failed",
            "report": None,
        }
    )
    ti.words["download_projects", 12] = "OSError: no space"
    assert failed_tasks(ti) == (FailedTask(task="download_projects [12]", reason="OSError: no space"),)


def test_a_task_that_was_killed_is_named_too() -> None:
    (task,) = failed_tasks(Ti({"reload_nginx": "failed"}))
    assert task.task == "reload_nginx"
    assert "killed" in task.reason
