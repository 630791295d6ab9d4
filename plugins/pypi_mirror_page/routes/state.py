"""Who is logged in, and the state of the mirror: the verdict, the run under way, the past, audits."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from starlette.concurrency import run_in_threadpool

from pypi_mirror.errors import ConfigurationError
from pypi_mirror.observing.coverage import coverage
from pypi_mirror.observing.history import history
from pypi_mirror.observing.metrics import CONTENT_TYPE, metrics
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.progress import progress
from pypi_mirror.observing.verdict import no_mirror_yet, verdict
from pypi_mirror.settings.locate import name_used_file
from pypi_mirror_page.access import DAG_ID, User, may_act, may_approve
from pypi_mirror_page.airflow_api import Airflow
from pypi_mirror_page.json_answer import Json
from pypi_mirror_page.mirror_source import MirrorSource, NoMirrorYet, TheMirror, TheSource

router = APIRouter(prefix="/api")
metrics_router = APIRouter()

# What every part of the page looks at, of a mirror that is not there.
_NOTHING: Final = {"running": None, "waiting": None, "backlog": 0, "parked": 0}

Days = Annotated[float, Query(gt=0, le=3660)]


@router.get("/me")
def get_me(user: User, source: TheSource) -> Json:
    """Who is logged in, which buttons work for that person, and whether dependencies are followed."""
    try:
        settings = source.settings()
        approvers, follows = settings.guard.approvers, settings.policy.follows
    except ConfigurationError:
        # Which the overview shows; nobody is asked for an approval meanwhile.
        approvers, follows = (), False
    may = {"may_act": may_act(user), "may_approve": may_approve(user, approvers)}
    return Json({"name": user.get_name(), **may, "follows": follows})


@router.get("/overview")
async def get_overview(source: TheSource, airflow: Airflow) -> Json:
    """The overview, and in ``verdict`` what to say of it first.

    Before the first sync there is a verdict, and no figures: ``exists`` is false.
    """
    dag = await airflow.find(f"dags/{DAG_ID}")
    switched_off = dag is not None and dag["is_paused"]
    try:
        return Json(await run_in_threadpool(_overview, source, switched_off=switched_off))
    except NoMirrorYet as missing:
        judged = no_mirror_yet(name_used_file(str(missing)))
        return Json({**_NOTHING, "exists": False, "verdict": judged})


def _overview(source: MirrorSource, *, switched_off: bool) -> dict[str, Any]:
    with source.mirror() as mirror:
        seen = overview(mirror)
        hours = mirror.settings.alerts.stale_after
    judged = verdict(seen, stale_after=hours * 3600 if hours > 0 else None, switched_off=switched_off)
    figures = {name: getattr(seen, name) for name in seen.__struct_fields__}
    return {**figures, "exists": True, "verdict": judged}


@router.get("/progress")
def get_progress(source: TheSource) -> Json:
    """The run under way, ``null`` when none is."""
    try:
        with source.mirror() as mirror:
            return Json(progress(mirror))
    except NoMirrorYet:
        return Json(None)


@router.get("/history")
def get_history(mirror: TheMirror, days: Days = 30) -> Json:
    return Json(history(mirror, datetime.now(UTC) - timedelta(days=days)))


@router.get("/audit")
def get_audit(mirror: TheMirror) -> Json:
    """How much of the mirror audits have looked at, and what they found."""
    return Json(coverage(mirror))


@metrics_router.get("/metrics")
def get_metrics(mirror: TheMirror) -> Response:
    """For Prometheus, which asks with a bearer token of Airflow; nginx serves the same without one."""
    return Response(metrics(mirror), headers={"Content-Type": CONTENT_TYPE})
