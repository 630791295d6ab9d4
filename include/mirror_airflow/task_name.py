"""The name that people see of one of several mapped tasks."""

from collections.abc import Mapping
from typing import Any, Final, cast

# For ``map_index_template``. Airflow renders it when the task ends, with what the task has put there by then.
TASK_NAME: Final = "{{ task_name }}"


def name_task(context: Mapping[str, Any], name: str) -> None:
    """Call the mapped task of ``context``, the task's own, ``name``."""
    cast("dict[str, Any]", context)["task_name"] = name
