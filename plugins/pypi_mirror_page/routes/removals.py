"""What the plan that waits for a person would take off the pages, where the answer goes; tombstones."""

from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.overview import overview, removals_waiting
from pypi_mirror.observing.tombstones import tombstone_page
from pypi_mirror.observing.verdict import awaiting_approval
from pypi_mirror_page.access import DAG_ID
from pypi_mirror_page.airflow_api import Airflow, AirflowApi, run_link
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit
from pypi_mirror_page.mirror_source import TheMirror

router = APIRouter(prefix="/api")

TASK_ID: Final = "approve_removals"


@router.get("/removals")
async def get_removals(
    mirror: TheMirror, airflow: Airflow, after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Json:
    """A page of removals. ``waiting`` has the sums, ``finding`` the words; ``approval`` is null unless a run
    is awaiting it in Airflow.
    """
    seen = await run_in_threadpool(overview, mirror)
    waiting = seen.waiting
    page = await run_in_threadpool(removals_waiting, mirror, after, limit)
    approval = None if waiting is None else await _approval(airflow, waiting.run)
    finding = awaiting_approval(seen)
    return Json(
        {"items": page.items, "next": page.next, "waiting": waiting, "finding": finding, "approval": approval}
    )


async def _approval(airflow: AirflowApi, run_id: str) -> dict[str, Any] | None:
    """The task that waits for the answer; None for a run of the command line, and for one that waits no more.

    ``answer`` is where it goes, relative to Airflow's root: PATCH ``{"chosen_options": [one of options]}``.
    ``link`` is the run's page in Airflow's UI.
    """
    run = f"dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/taskInstances/{TASK_ID}"
    task = await airflow.find(run)
    if task is None or task["state"] not in ("awaiting_input", "deferred"):
        return None
    path = f"{run}/{task['map_index']}/hitlDetails"
    question = await airflow.find(path)
    if question is None:
        return None
    return {
        "dag_id": DAG_ID,
        "run_id": run_id,
        "task_id": TASK_ID,
        "map_index": task["map_index"],
        "subject": question["subject"],
        "options": question["options"],
        "answer": f"api/v2/{path}",
        "link": run_link(DAG_ID, run_id),
    }


@router.get("/tombstones")
def get_tombstones(mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    """Files that no page lists any more."""
    return Json(tombstone_page(mirror, after, limit))
