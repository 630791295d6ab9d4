"""Files in cooldown, and lifting their cooldown."""

from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.cooldown import held_page
from pypi_mirror.runs.publish_due import lift_named
from pypi_mirror.wording import count
from pypi_mirror_page.access import MAY_ACT, SAME_ORIGIN, User, log_action
from pypi_mirror_page.airflow_api import Airflow, no_run_started, start_cooldown_run
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit, Search
from pypi_mirror_page.mirror_source import TheMirror
from pypi_mirror_page.problems import Problem
from pypi_mirror_page.request_body import LiftFiles

router = APIRouter(prefix="/api/cooldown")
actions = APIRouter(prefix="/api/cooldown", dependencies=[MAY_ACT, SAME_ORIGIN])

_MOST_LOGGED: Final = 100


@router.get("")
def get_cooldown(
    mirror: TheMirror, query: Search = "", after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Json:
    """Files that no page lists yet, those due first; with ``query`` in their project's name or their own."""
    return Json(held_page(mirror, query, after, limit))


@actions.post("/lift")
async def post_lift(asked: LiftFiles, mirror: TheMirror, user: User, airflow: Airflow) -> Json:
    """Lift the cooldown of files, of all or none (409), and start the run that lists them.

    Who did it and why stays with each file until it is listed, and in Airflow's audit log.
    """
    projects = tuple(dict.fromkeys(project for project, _ in asked.files))
    names = [filename for _, filename in asked.files]
    await run_in_threadpool(
        log_action, user, "cooldown_lift", projects, files=names[:_MOST_LOGGED], reason=asked.reason
    )
    await run_in_threadpool(lift_named, mirror, asked.files, by=user.get_name(), why=asked.reason)
    try:
        run = await start_cooldown_run(airflow, note="cooldown lifted, from the PyPI mirror page")
    except Problem as refused:
        lifted = f"cooldown lifted, and the next run lists {count(len(names), 'file')}"
        raise no_run_started(refused, lifted) from refused
    return Json({"files": names, "run": run})
