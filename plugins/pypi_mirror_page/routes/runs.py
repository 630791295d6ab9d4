"""The newest runs of the DAGs in Airflow, with links to them."""

from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter

from pypi_mirror_page.access import DAG_IDS
from pypi_mirror_page.airflow_api import Airflow, AirflowApi, run_link
from pypi_mirror_page.json_answer import Json

router = APIRouter(prefix="/api/runs")

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowRun:
    """A run as Airflow has it; times are RFC 3339, ``link`` is relative to Airflow's root."""

    run_id: str
    type: str
    state: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    started_by: str | None
    note: str | None
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowDag:
    """A DAG of the mirror: runs, newest first. ``next_run_at`` is None without a schedule."""

    dag_id: str
    paused: bool
    next_run_at: str | None
    runs: tuple[AirflowRun, ...]
    link: str


@router.get("")
async def get_runs(airflow: Airflow) -> Json:
    """The DAGs of the mirror that Airflow knows and this person may see, each with its newest runs."""
    dags = [await _dag(airflow, dag_id) for dag_id in DAG_IDS]
    return Json({"dags": [dag for dag in dags if dag is not None]})


async def _dag(airflow: AirflowApi, dag_id: str) -> AirflowDag | None:
    dag = await airflow.find(f"dags/{dag_id}")
    if dag is None:
        return None
    answer = await airflow.find(f"dags/{dag_id}/dagRuns", {"limit": _SHOWN, "order_by": "-run_after"})
    return AirflowDag(
        dag_id=dag_id,
        paused=dag["is_paused"],
        next_run_at=dag["next_dagrun_run_after"],
        runs=tuple(_run(run) for run in (answer or {}).get("dag_runs", ())),
        link=f"dags/{dag_id}",
    )


def _run(run: dict[str, Any]) -> AirflowRun:
    return AirflowRun(
        run_id=run["dag_run_id"],
        type=run["run_type"],
        state=run["state"],
        queued_at=run["queued_at"],
        started_at=run["start_date"],
        finished_at=run["end_date"],
        started_by=run["triggering_user_name"],
        note=run["note"],
        link=run_link(run["dag_id"], run["dag_run_id"]),
    )
