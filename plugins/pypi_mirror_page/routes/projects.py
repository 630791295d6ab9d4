"""Projects: the search, one with its files, why each file is kept or left out, and syncing it now."""

from fastapi import APIRouter
from msgspec.structs import replace
from packaging.utils import NormalizedName
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.explain import explain
from pypi_mirror.observing.projects import project, project_page, similar_projects
from pypi_mirror.settings.locate import name_used_file
from pypi_mirror.settings.values import Settings
from pypi_mirror_page.access import MAY_ACT, SAME_ORIGIN, User, log_action
from pypi_mirror_page.airflow_api import Airflow, start_run
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit, Search
from pypi_mirror_page.mirror_source import TheMirror, TheSettings
from pypi_mirror_page.problems import Problem
from pypi_mirror_page.request_body import Projects, project_name

router = APIRouter(prefix="/api/projects")
actions = APIRouter(prefix="/api", dependencies=[MAY_ACT, SAME_ORIGIN])


@router.get("")
def get_projects(
    mirror: TheMirror,
    query: Search = "",
    after: After = None,
    limit: Limit = DEFAULT_LIMIT,
) -> Json:
    """Projects whose name begins with ``query``, then those that have it elsewhere.

    Where there is none, ``similar`` are names that may be meant.
    """
    page = project_page(mirror, query, after, limit)
    similar = () if page.items or after is not None else similar_projects(mirror, query)
    return Json({"items": page.items, "next": page.next, "similar": similar})


@router.get("/{name}")
def get_project(name: str, mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    """One project; ``files`` are a page, after the filename ``after``."""
    return Json(project(mirror, project_name(name), after=after, limit=limit))


@router.get("/{name}/explanation")
def get_explanation(name: str, mirror: TheMirror) -> Json:
    """Says of each file of upstream's page, as last read, why it is here or not; upstream is not asked."""
    explained = explain(mirror, project_name(name))
    trouble = None if explained.trouble is None else name_used_file(explained.trouble)
    return Json(replace(explained, trouble=trouble))


@actions.post("/sync")
async def post_sync(projects: Projects, settings: TheSettings, user: User, airflow: Airflow) -> Json:
    """Start a run of ``projects`` alone, which asks upstream for each and verifies its files.

    There need not be a mirror yet: then the run makes it.
    """
    _require_selected(settings, projects)
    await run_in_threadpool(log_action, user, "sync", projects)
    run = await start_run(airflow, projects, note="sync of named projects, from the PyPI mirror page")
    return Json({"projects": projects, "run": run})


def _require_selected(settings: Settings, projects: tuple[NormalizedName, ...]) -> None:
    """Such a run would fail in its first task."""
    refused = {name: why for name in projects if (why := settings.policy.rejection_reason(name)) is not None}
    if refused:
        name, why = next(iter(refused.items()))
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise Problem(
            409,
            kind="not-selected",
            title="Not selected by the filters",
            detail=f"{name}{more}: the filters leave it out: {why}",
            more={"projects": refused},
        )
