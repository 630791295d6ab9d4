"""Metrics for Prometheus, which asks with a bearer token of Airflow; nginx serves the same without one."""

from fastapi import APIRouter, Response

from pypi_mirror.observing.metrics import CONTENT_TYPE, metrics
from pypi_mirror_page.mirror_source import TheMirror

router = APIRouter()


@router.get("/metrics")
def get_metrics(mirror: TheMirror) -> Response:
    return Response(metrics(mirror), headers={"Content-Type": CONTENT_TYPE})
