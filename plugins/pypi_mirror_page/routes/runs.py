"""The newest runs of the DAGs in Airflow with what they did, and starting one."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pypi_mirror.errors import MirrorError
from pypi_mirror.observing.history import PastRun, past_run
from pypi_mirror.run_label import audit_label, cooldown_label
from pypi_mirror_page.access import (
    AUDIT_DAG_ID,
    COOLDOWN_DAG_ID,
    DAG_ID,
    DAG_IDS,
    MAY_ACT,
    SAME_ORIGIN,
    User,
    log_action,
)
from pypi_mirror_page.airflow_api import Airflow, AirflowApi, run_link, start_run
from pypi_mirror_page.json_answer import Json
from pypi_mirror_page.mirror_source import MirrorSource, NoMirrorYet, TheSource
from pypi_mirror_page.request_body import NOTHING

router = APIRouter(prefix="/api/runs")
actions = APIRouter(prefix="/api/runs", dependencies=[MAY_ACT, SAME_ORIGIN])

_SHOWN: Final = 10
_SUCCESS: Final = "success"
_FAILED: Final = "failed"
# The ledger knows nothing of the watch's.
_LABELS: Final[dict[str, Callable[[str], str]]] = {
    DAG_ID: str,
    AUDIT_DAG_ID: audit_label,
    COOLDOWN_DAG_ID: cooldown_label,
}


@router.get("")
async def get_runs(airflow: Airflow, source: TheSource) -> Json:
    """The DAGs of the mirror that Airflow knows and this person may see, each with its newest runs.

    Times are RFC 3339, a ``link`` is relative to Airflow's root; ``next_run_at`` is null without a schedule.
    ``did`` is what the ledger says of a run: null where that has no such run, or cannot be read.

    Airflow keeps the runs of every mirror that its DAGs ever worked for, and only the ledger tells this one's
    from others. A run that succeeded and is not in the ledger is another mirror's, or a dry run: it is left
    out, and counted as ``left_out``. One that failed may have failed before it reached the ledger:
    ``unknown`` says so. One that is under way belongs to this mirror.
    """
    dags = [dag for dag_id in DAG_IDS if (dag := await _dag(airflow, dag_id)) is not None]
    runs = [(_label(dag["dag_id"], run["run_id"]), run) for dag in dags for run in dag["runs"]]
    did = await run_in_threadpool(_of_ledger, source, [label for label, _ in runs if label])
    for label, run in runs:
        run["did"] = None if did is None else did.get(label)
        run["unknown"] = bool(did is not None and label and run["did"] is None)
    return Json({"dags": [_own(dag) for dag in dags]})


@actions.post("", dependencies=[NOTHING])
async def post_run(user: User, airflow: Airflow) -> Json:
    """Start a run of all that is due, as the schedule does. Without a mirror yet it makes one."""
    await run_in_threadpool(log_action, user, "run", ())
    return Json({"run": await start_run(airflow, (), note="sync, from the PyPI mirror page")})


def _label(dag_id: str, run_id: str) -> str:
    """What the ledger calls a run; empty where it has none of that DAG."""
    label = _LABELS.get(dag_id)
    return "" if label is None else label(run_id)


def _own(dag: dict[str, Any]) -> dict[str, Any]:
    """The DAG with the runs of this mirror, and the number of those left out."""
    left_out = [run for run in dag["runs"] if run["unknown"] and run["state"] == _SUCCESS]
    for run in dag["runs"]:
        run["unknown"] = run["unknown"] and run["state"] == _FAILED
    runs = [run for run in dag["runs"] if run not in left_out]
    # A run of the cooldown that found nothing to do is not in the ledger.
    return {**dag, "runs": runs, "left_out": 0 if dag["dag_id"] == COOLDOWN_DAG_ID else len(left_out)}


def _of_ledger(source: MirrorSource, labels: Sequence[str]) -> dict[str, PastRun] | None:
    """The ledger's runs by label; None where the ledger cannot be read."""
    try:
        with source.mirror() as mirror:
            found = [mirror.ledger.runs.labelled(label) for label in labels]
    except NoMirrorYet:
        return {}
    except MirrorError:
        # What is wrong with the mirror the overview says; Airflow's runs are there without it.
        return None
    return {run.request.label: past_run(run) for run in found if run is not None}


async def _dag(airflow: AirflowApi, dag_id: str) -> dict[str, Any] | None:
    dag = await airflow.find(f"dags/{dag_id}")
    if dag is None:
        return None
    if dag_id == COOLDOWN_DAG_ID and dag["timetable_summary"] is None:
        # Without [cooldown] exclude-newer it has no schedule.
        return None
    answer = await airflow.find(f"dags/{dag_id}/dagRuns", {"limit": _SHOWN, "order_by": "-run_after"})
    return {
        "dag_id": dag_id,
        "paused": dag["is_paused"],
        "next_run_at": dag["next_dagrun_run_after"],
        "runs": [_run(run) for run in (answer or {}).get("dag_runs", ())],
        "link": f"dags/{dag_id}",
    }


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": run["dag_run_id"],
        "type": run["run_type"],
        "state": run["state"],
        "queued_at": run["queued_at"],
        "started_at": run["start_date"],
        "finished_at": run["end_date"],
        "started_by": run["triggering_user_name"],
        "note": run["note"],
        "link": run_link(run["dag_id"], run["dag_run_id"]),
    }
