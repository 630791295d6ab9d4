"""What Airflow's UI shows of ours: addresses, the button on each task, the name of a mapped one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from mirror_airflow.page_path import PAGE

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

# What all ids of the project's DAGs begin with.
DAG_ID_PREFIX: Final = "pypi_mirror"

# For ``map_index_template``. Airflow renders it when the task ends, with what the task has put there by then.
TASK_NAME: Final = "{{ task_name }}"


class MirrorPage(BaseOperatorLink):
    """For a plugin's ``global_operator_extra_links``: there while a task still runs, other than an operator's
    own link, which Airflow knows when the task is over.
    """

    @property
    def name(self) -> str:
        """What is on the button."""
        return "PyPI mirror"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:
        """The page's address; nothing, which Airflow shows no button for, at a task of another DAG."""
        del operator
        if not ti_key.dag_id.startswith(DAG_ID_PREFIX):
            return ""
        return f"{_airflow()}{PAGE}"


def link_to_run(dag_id: str, run_id: str) -> str:
    """The run's page."""
    return f"{_airflow()}/dags/{dag_id}/runs/{run_id}"


def link_to_question(dag_id: str, run_id: str, task_id: str) -> str:
    """Where a task that is awaiting input is answered.

    Airflow's ``generate_link_to_ui`` leaves out the path of ``[api] base_url``.
    """
    return f"{link_to_run(dag_id, run_id)}/tasks/{task_id}/required_actions"


def link_to_page() -> str:
    """The mirror's page by itself, without Airflow's menu."""
    return f"{_airflow()}/pypi-mirror/"


def _airflow() -> str:
    return str(conf.get("api", "base_url", fallback="")).rstrip("/")


def name_task(context: Mapping[str, Any], name: str) -> None:
    """Call the mapped task of ``context``, the task's own, ``name``."""
    cast("dict[str, Any]", context)["task_name"] = name
