"""Records the error of a failed task, so that the message about the run can quote it.

The message is made in Airflow's DAG processor, where only XCom says what happened in a task.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSkipException,
)

from mirror_airflow.alerts.message import ERROR_KEY, LONGEST_REASON, FailedTask


class RunFailed(AirflowFailException):
    """The run did what it could, and failed."""


class TaskInstance(Protocol):
    """The part of Airflow's task instance that is used here."""

    dag_id: str
    run_id: str

    def xcom_push(self, key: str, value: Any) -> None: ...

    def xcom_pull(self, task_ids: str, *, key: str, map_indexes: int) -> Any: ...

    def get_task_states(self, dag_id: str, *, run_ids: list[str]) -> Mapping[str, Any]: ...


@contextmanager
def record_task_error(ti: TaskInstance) -> Iterator[None]:
    """Record the error that ends the task, and let it pass."""
    try:
        yield
    except (AirflowSkipException, AirflowRescheduleException):
        raise
    except Exception as error:
        ti.xcom_push(
            key=ERROR_KEY, value={"error": type(error).__name__, "reason": str(error)[:LONGEST_REASON]}
        )
        raise


def failed_tasks(ti: TaskInstance) -> tuple[FailedTask, ...]:
    """The failed tasks of the run that ``ti`` belongs to, each with its error."""
    states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    return tuple(_failed_task(ti, name) for name in sorted(states) if states[name] == "failed")


def _failed_task(ti: TaskInstance, name: str) -> FailedTask:
    """``name`` is Airflow's: the task's id, then an underscore and the map index where it is mapped."""
    task_id, _, index = name.rpartition("_")
    mapped = index.isdecimal()
    error = ti.xcom_pull(task_id if mapped else name, key=ERROR_KEY, map_indexes=int(index) if mapped else -1)
    return FailedTask(
        task=f"{task_id} [{index}]" if mapped else name,
        **(error or {"reason": "ended without an error (killed?); see its log"}),
    )
