"""Files in cooldown, and releasing them before they are due."""

from typing import Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.cooldown import held_page
from pypi_mirror.runs.end_cooldown import lift_named
from pypi_mirror.wording import count
from pypi_mirror_page.access import MAY_ACT, SAME_ORIGIN, User, log_action
from pypi_mirror_page.airflow_api import Airflow, no_run_started, start_cooldown_run
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit, Search
from pypi_mirror_page.mirror_source import TheMirror
from pypi_mirror_page.problems import Problem
from pypi_mirror_page.request_body import ReleaseFiles

router = APIRouter(prefix="/api/cooldown")
actions = APIRouter(prefix="/api/cooldown", dependencies=[MAY_ACT, SAME_ORIGIN])

_MOST_LOGGED: Final = 100


@router.get("")
def get_cooldown(
    mirror: TheMirror, query: Search = "", after: After = None, limit: Limit = DEFAULT_LIMIT
) -> Json:
    """Files that no page lists yet, those due first; with ``query`` in their project's name or their own."""
    return Json(held_page(mirror, query, after, limit))


@actions.post("/release")
async def post_release(asked: ReleaseFiles, mirror: TheMirror, user: User, airflow: Airflow) -> Json:
    """Release files before they are due, all of them or none (409), and start the run that lists them.

    Who did it and why stays with each file until it is listed, and in Airflow's audit log.
    """
    projects = tuple(dict.fromkeys(project for project, _ in asked.files))
    names = [filename for _, filename in asked.files]
    await run_in_threadpool(
        log_action, user, "cooldown_release", projects, files=names[:_MOST_LOGGED], reason=asked.reason
    )
    await run_in_threadpool(lift_named, mirror, asked.files, by=user.get_name(), why=asked.reason)
    try:
        run = await start_cooldown_run(airflow, note="release, from the PyPI mirror page")
    except Problem as refused:
        released = f"{count(len(names), 'file')} released, to be listed by the next run"
        raise no_run_started(refused, released) from refused
    return Json({"files": names, "run": run})
