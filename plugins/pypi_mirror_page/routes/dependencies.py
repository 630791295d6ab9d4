"""What the allowlist requires: how much, what costs most, what is not met, and who requires whom."""

from fastapi import APIRouter

from pypi_mirror.observing.branches import largest_branches
from pypi_mirror.observing.dependencies import (
    count_dependencies,
    required_by_page,
    requirements_page,
    unmet_page,
)
from pypi_mirror.observing.remembered import newest_run, remembered
from pypi_mirror_page.json_answer import DEFAULT_LIMIT, After, Json, Limit
from pypi_mirror_page.mirror_source import TheMirror
from pypi_mirror_page.request_body import project_name

router = APIRouter(prefix="/api")


@router.get("/dependencies")
def get_dependencies(mirror: TheMirror) -> Json:
    """How many projects, and the branches that cost most; ``null`` where dependencies are not followed."""
    counts = count_dependencies(mirror)
    if counts is None:
        return Json(None)
    url, run = mirror.ledger.engine.url, newest_run(mirror)
    branches = remembered(url, "branches", lambda: largest_branches(mirror), run)
    return Json({"counts": counts, "branches": branches})


@router.get("/dependencies/unmet")
def get_unmet(mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    """Requirements that nothing here meets, and why."""
    return Json(unmet_page(mirror, after, limit))


@router.get("/projects/{name}/required-by")
def get_required_by(name: str, mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    """Who requires the project; an item holds all requirements of one of them."""
    return Json(required_by_page(mirror, project_name(name), after, limit))


@router.get("/projects/{name}/requires")
def get_requires(name: str, mirror: TheMirror, after: After = None, limit: Limit = DEFAULT_LIMIT) -> Json:
    """What the project requires; an item holds all requirements of one other."""
    return Json(requirements_page(mirror, project_name(name), after, limit))
