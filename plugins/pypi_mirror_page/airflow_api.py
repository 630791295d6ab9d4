"""Airflow's public REST API, asked inside the API server with the credentials of the person who asks.

So Airflow itself checks that person's permissions and the parameters and records who started what, however
the server is reached from outside.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote

import httpx
from fastapi import Depends, Request
from packaging.utils import NormalizedName

from pypi_mirror_page.access import COOLDOWN_DAG_ID, DAG_ID
from pypi_mirror_page.problems import Problem

_CREDENTIALS: Final = ("authorization", "cookie")
_TIMEOUT: Final = 30.0


class AirflowApi:
    """The API on behalf of ``request``."""

    def __init__(self, request: Request) -> None:
        self._app = request.scope["airflow"]
        self._address = f"{request.url.scheme}://{request.url.netloc}"
        self._headers = {name: request.headers[name] for name in _CREDENTIALS if name in request.headers}
        # By this Airflow tells runs that were started in its UI from those of programs.
        if "origin" in request.headers or "sec-fetch-site" in request.headers:
            self._headers["referer"] = str(request.url)

    async def find(self, path: str, query: Mapping[str, str | int] | None = None) -> Any | None:
        """The document at ``path`` (``dags/pypi_mirror``); None where none is, or none for this person."""
        answer = await self._send("GET", path, query=query)
        if answer.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
            return None
        return _document(answer)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What Airflow answers; raises Problem with Airflow's message where it refuses."""
        return _document(await self._send("POST", path, body=body))

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url=self._address, headers=self._headers, timeout=_TIMEOUT
        ) as client:
            return await client.request(method, f"/api/v2/{path}", params=query, json=body)


def _document(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:500]
    raise Problem(
        answer.status_code if answer.is_client_error else HTTPStatus.BAD_GATEWAY,
        kind="airflow-refused",
        title="Airflow refused",
        detail=f"Airflow: {detail}",
    )


def run_link(dag_id: str, run_id: str) -> str:
    """The page of a run in Airflow's UI, relative to Airflow's root."""
    return f"dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


Airflow = Annotated[AirflowApi, Depends(AirflowApi)]


async def start_run(airflow: AirflowApi, projects: Sequence[NormalizedName], *, note: str) -> dict[str, Any]:
    """Start a run of ``projects`` alone, or with none of all that is due; Problem where Airflow refuses.

    Returns the run that Airflow has queued; ``link`` is relative to Airflow's root, and ``paused`` says that
    the DAG is paused: then the run waits until somebody switches it on.
    """
    return await _start(airflow, DAG_ID, {"projects": list(projects)}, note)


async def start_cooldown_run(airflow: AirflowApi, *, note: str) -> dict[str, Any]:
    """The same of the DAG that lists what is due or lifted."""
    return await _start(airflow, COOLDOWN_DAG_ID, {}, note)


def no_run_started(refused: Problem, done: str) -> Problem:
    """What to answer where Airflow refused to start a run, though ``done`` is so."""
    detail = f"{done}; none could be started now: {refused}"
    return Problem(refused.status, kind=refused.kind, title="No run was started", detail=detail)


async def _start(airflow: AirflowApi, dag_id: str, conf: Mapping[str, Any], note: str) -> dict[str, Any]:
    body = {"logical_date": None, "conf": conf, "note": note}
    run = await airflow.post(f"dags/{dag_id}/dagRuns", body)
    dag = await airflow.find(f"dags/{dag_id}")
    return {
        "dag_id": dag_id,
        "run_id": run["dag_run_id"],
        "state": run["state"],
        "link": run_link(dag_id, run["dag_run_id"]),
        "paused": bool(dag and dag["is_paused"]),
    }
