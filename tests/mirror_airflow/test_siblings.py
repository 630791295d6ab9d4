from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from mirror_airflow.siblings import SiblingWatch


class Ti:
    dag_id = "pypi_mirror"
    task_id = "download_projects"
    run_id = "a run"

    def __init__(self) -> None:
        self.failed = 0
        self.asked: list[dict[str, list[str]]] = []
        self.silent = False

    def get_ti_count(self, dag_id: str, *, task_ids: list[str], run_ids: list[str], states: list[str]) -> int:
        assert dag_id == self.dag_id
        self.asked.append({"task_ids": task_ids, "run_ids": run_ids, "states": states})
        if self.silent:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return self.failed


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_asks_for_failed_batches_of_its_own_run() -> None:
    ti = Ti()
    assert SiblingWatch(ti, enabled=True)() is None
    assert ti.asked == [
        {"task_ids": ["download_projects"], "run_ids": ["a run"], "states": ["failed"]},
    ]


def test_it_asks_airflow_now_and_then_however_often_it_is_called() -> None:
    ti, clock = Ti(), Clock()
    watch = SiblingWatch(ti, enabled=True, every=2.0, now=clock)
    for _ in range(50):
        watch()
    assert len(ti.asked) == 1
    clock.now += 2.0
    watch()
    assert len(ti.asked) == 2


def test_a_failed_sibling_is_a_reason_that_stays() -> None:
    ti, clock = Ti(), Clock()
    watch = SiblingWatch(ti, enabled=True, every=2.0, now=clock)
    assert watch() is None
    ti.failed = 1
    assert watch() is None
    clock.now += 2.0
    reason = watch()
    assert reason is not None
    assert "another batch" in reason
    ti.failed = 0
    clock.now += 2.0
    assert watch() == reason


def test_without_stop_on_error_airflow_is_not_asked() -> None:
    ti = Ti()
    ti.failed = 1
    assert SiblingWatch(ti, enabled=False)() is None
    assert ti.asked == []


def test_that_airflow_does_not_answer_is_no_reason_to_stop() -> None:
    ti, clock = Ti(), Clock()
    ti.silent = True
    watch = SiblingWatch(ti, enabled=True, every=2.0, now=clock)
    assert watch() is None
    ti.silent, ti.failed = False, 1
    clock.now += 2.0
    assert watch() is not None
