"""The page under a real Airflow: its API server, its scheduler, and a run that a button started."""

from pathlib import Path

import pytest
import requests

from local_stack.airflow_server import ADMINISTRATOR, read_or_make_keys
from tests.dags.real_airflow import VIEWER, VIEWERS_PASSWORD, RealAirflow
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = [pytest.mark.airflow, pytest.mark.database("sqlite")]


def browser(airflow: RealAirflow, user: str | None = None, password: str = "") -> requests.Session:
    """Somebody's browser; logged in, it has the cookie that Airflow's login page would give it."""
    made = requests.Session()
    made.trust_env = False
    if user is not None:
        login = {"username": user, "password": password}
        answer = made.post(f"{airflow.address}/auth/token", json=login, timeout=30)
        assert answer.status_code == 201, answer.text
        made.cookies.set("_token", answer.json()["access_token"])
        made.headers["Origin"] = airflow.address
    return made


def test_a_button_starts_a_run_as_the_person_who_pressed_it(airflow: RealAirflow, tmp_path: Path) -> None:
    page = f"{airflow.address}/pypi-mirror"
    password = read_or_make_keys(airflow.stack.layout.airflow_home).password
    administrator = browser(airflow, ADMINISTRATOR, password)
    viewer = browser(airflow, VIEWER, VIEWERS_PASSWORD)

    plugins = administrator.get(f"{airflow.address}/api/v2/plugins", timeout=30).json()["plugins"]
    assert [plugin["name"] for plugin in plugins] == ["pypi_mirror"]
    errors = administrator.get(f"{airflow.address}/api/v2/plugins/importErrors", timeout=30).json()
    assert errors["import_errors"] == []

    with running(Warehouse()) as upstream:
        airflow.configure(tmp_path / "another", upstream.url)
        # To open a mirror is to make it.
        airflow.cursor()
    for path in ("/", "/static/icon.svg", "/api/overview", "/metrics"):
        assert browser(airflow).get(f"{page}{path}", timeout=30).status_code == 401
        assert viewer.get(f"{page}{path}", timeout=30).status_code == 200

    with running(Warehouse(Upload(distribution=Wheel(name="wanted")))) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        shown = viewer.get(f"{page}/api/overview", timeout=30).json()
        assert (shown["exists"], shown["verdict"]["worst"]["state"]) == (False, "empty")

        asked = {"projects": ["Wanted"]}
        assert viewer.post(f"{page}/api/sync", json=asked, timeout=30).status_code == 403
        started = administrator.post(f"{page}/api/sync", json=asked, timeout=30)
        assert started.status_code == 200, started.text
        run = started.json()["run"]
        assert run["paused"] is False
        assert airflow.wait(run["run_id"]) == "success"

    assert viewer.get(f"{page}/api/overview", timeout=30).json()["projects"] == 1
    newest = viewer.get(f"{page}/api/runs", timeout=30).json()["dags"][0]["runs"][0]
    assert (newest["run_id"], newest["state"]) == (run["run_id"], "success")
    assert newest["started_by"] == ADMINISTRATOR
    record = f"{airflow.address}/api/v2/eventLogs?event=pypi_mirror.sync"
    assert [e["owner"] for e in administrator.get(record, timeout=30).json()["event_logs"]] == [ADMINISTRATOR]
