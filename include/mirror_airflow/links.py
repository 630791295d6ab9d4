"""The button on each task of the mirror's DAGs that leads to the mirror's page in Airflow's UI."""

from typing import TYPE_CHECKING, Final

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

# What all ids of the project's DAGs begin with.
DAG_ID_PREFIX: Final = "pypi_mirror"
PAGE: Final = "/plugin/pypi-mirror"


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
        return f"{conf.get('api', 'base_url', fallback='').rstrip('/')}{PAGE}"
