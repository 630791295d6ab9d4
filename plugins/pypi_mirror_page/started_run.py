"""Starts a run of the DAG for the person who uses the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName

from pypi_mirror_page.access import DAG_ID
from pypi_mirror_page.airflow_api import AirflowApi, run_link


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedRun:
    """A run that Airflow has queued; ``link`` is relative to Airflow's root.

    ``paused`` says that the DAG is paused: then the run waits until somebody switches it on.
    """

    dag_id: str
    run_id: str
    state: str
    link: str
    paused: bool


async def start_run(airflow: AirflowApi, projects: Sequence[NormalizedName], *, note: str) -> StartedRun:
    """A run of ``projects`` alone, or with none of all that is due. Raises Problem where Airflow refuses."""
    run = await airflow.post(
        f"dags/{DAG_ID}/dagRuns",
        {"logical_date": None, "conf": {"projects": list(projects)}, "note": note},
    )
    dag = await airflow.find(f"dags/{DAG_ID}")
    return StartedRun(
        dag_id=DAG_ID,
        run_id=run["dag_run_id"],
        state=run["state"],
        link=run_link(DAG_ID, run["dag_run_id"]),
        paused=bool(dag and dag["is_paused"]),
    )
