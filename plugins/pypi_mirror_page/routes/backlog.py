"""The backlog, and what a person does about it."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.projects import backlog_page
from pypi_mirror.runs.manage_backlog import forget_backlog, retry_backlog
from pypi_mirror.wording import count
from pypi_mirror_page.access import MAY_ACT, SAME_ORIGIN, User, log_action
from pypi_mirror_page.airflow_api import Airflow, no_run_started, start_run
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit
from pypi_mirror_page.mirror_source import TheMirror
from pypi_mirror_page.problems import Problem
from pypi_mirror_page.request_body import ForgetProjects, Projects

router = APIRouter(prefix="/api/backlog")
actions = APIRouter(prefix="/api/backlog", dependencies=[MAY_ACT, SAME_ORIGIN])


@router.get("")
def get_backlog(
    mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT, parked: bool | None = None
) -> Json:
    return Json(backlog_page(mirror, after, limit, parked))


@actions.post("/retry")
async def post_retry(projects: Projects, mirror: TheMirror, user: User, airflow: Airflow) -> Json:
    """Make ``projects`` due, parked ones too, and start a run of them alone.

    A project that the filters leave out by now takes a run of all that is due: that takes it off the backlog.
    """
    await run_in_threadpool(log_action, user, "backlog_retry", projects)
    await run_in_threadpool(retry_backlog, mirror, projects)
    selected = all(mirror.policy.rejection_reason(name) is None for name in projects)
    try:
        run = await start_run(airflow, projects if selected else (), note="retry, from the PyPI mirror page")
    except Problem as refused:
        raise no_run_started(refused, f"the next run retries {count(len(projects), 'project')}") from refused
    return Json({"projects": projects, "run": run})


@actions.post("/forget")
def post_forget(asked: ForgetProjects, mirror: TheMirror, user: User) -> Json:
    """Take projects off the backlog, and say what the mirror goes on serving of each.

    Without ``force`` a project that the filters select is refused (409): it would stay behind upstream.
    """
    log_action(user, "backlog_forget", asked.projects)
    return Json({"forgotten": forget_backlog(mirror, asked.projects, force=asked.force)})
