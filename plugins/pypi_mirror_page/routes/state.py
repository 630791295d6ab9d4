"""Who is logged in, and the state of the mirror: the verdict, the run under way, the past."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.concurrency import run_in_threadpool

from pypi_mirror.observing.history import history
from pypi_mirror.observing.overview import overview
from pypi_mirror.observing.progress import progress
from pypi_mirror.observing.verdict import verdict
from pypi_mirror_page.access import DAG_ID, User, may_act, may_approve
from pypi_mirror_page.airflow_api import Airflow
from pypi_mirror_page.json_answer import Json
from pypi_mirror_page.mirror_source import TheMirror

router = APIRouter(prefix="/api")

Days = Annotated[float, Query(gt=0, le=3660)]


@router.get("/me")
def get_me(user: User) -> Json:
    """Who is logged in, and which buttons work for that person."""
    return Json({"name": user.get_name(), "may_act": may_act(user), "may_approve": may_approve(user)})


@router.get("/overview")
async def get_overview(mirror: TheMirror, airflow: Airflow) -> Json:
    """The overview, and in ``verdict`` what to say of it first."""
    seen = await run_in_threadpool(overview, mirror)
    dag = await airflow.find(f"dags/{DAG_ID}")
    hours = mirror.settings.alerts.stale_after
    judged = verdict(
        seen,
        stale_after=hours * 3600 if hours > 0 else None,
        switched_off=dag is not None and dag["is_paused"],
    )
    return Json({**{field.name: getattr(seen, field.name) for field in fields(seen)}, "verdict": judged})


@router.get("/progress")
def get_progress(mirror: TheMirror) -> Json:
    """The run under way, ``null`` when none is."""
    return Json(progress(mirror))


@router.get("/history")
def get_history(mirror: TheMirror, days: Days = 30) -> Json:
    return Json(history(mirror, datetime.now(UTC) - timedelta(days=days)))
