"""Airflow below a path of its own (``[api] base_url`` with one): what the page asks of it arrives."""

from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Request

from tests.plugins.conftest import asking, token
from tests.runs.bench import Bench

if TYPE_CHECKING:
    from starlette.testclient import TestClient

pytestmark = pytest.mark.airflow


@pytest.fixture
def administrator(page_app: FastAPI, mirror: Bench) -> "TestClient":
    """Before an application below ``/deep/airflow`` that answers with what it was asked."""
    airflow = FastAPI(root_path="/deep/airflow")

    @airflow.get("/api/v2/dags/{dag_id}")
    def get_dag(dag_id: str) -> dict[str, str | bool | None]:
        return {
            "dag_id": dag_id,
            "is_paused": False,
            "next_dagrun_run_after": None,
            "timetable_summary": None,
        }

    @airflow.get("/api/v2/dags/{dag_id}/dagRuns")
    def get_runs(dag_id: str) -> dict[str, list[str]]:
        return {"dag_runs": []}

    @airflow.post("/api/v2/dags/pypi_mirror/dagRuns", status_code=500)
    async def post_run(request: Request) -> dict[str, str]:
        return {"detail": f"broken for {request.headers['authorization'][:7]}"}

    airflow.mount("/pypi-mirror", page_app)
    made = asking(airflow)
    made.headers["Authorization"] = f"Bearer {token('admin')}"
    return made


def test_the_page_and_what_it_asks_of_airflow(administrator: "TestClient") -> None:
    for path in ("/", "/static/icon.svg", "/api/overview"):
        assert administrator.get(f"/deep/airflow/pypi-mirror{path}").status_code == 200
    dags = administrator.get("/deep/airflow/pypi-mirror/api/runs").json()["dags"]
    assert [dag["dag_id"] for dag in dags] == ["pypi_mirror", "pypi_mirror_audit", "pypi_mirror_watch"]


def test_an_airflow_that_is_broken_is_named_as_such(administrator: "TestClient") -> None:
    answer = administrator.post("/deep/airflow/pypi-mirror/api/sync", json={"projects": ["good-0"]})
    assert (answer.status_code, answer.json()["title"]) == (502, "Airflow refused")
    assert answer.json()["detail"] == "Airflow: broken for Bearer "
