"""Who gets in: every route, whoever added it, as nobody and as each of Airflow's roles."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugins.conftest import PAGE, Client, problem

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.testclient import TestClient

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("mirror")]

FILLED = {"name": "good-0", "name:path": "icon.svg"}


def asked(app: "FastAPI", client: "TestClient") -> dict[tuple[str, str], int]:
    """The answer to each method of each route. Actions get no JSON: whoever may act is told so."""
    from fastapi.routing import APIRoute

    answers = {}
    for route in app.routes:
        # A mounted application, or a plain Starlette route, would not have the checks of this one.
        assert isinstance(route, APIRoute), route
        path = route.path
        for name, value in FILLED.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, "say in FILLED what this route is asked for"
        for method in route.methods:
            answer = client.request(method, f"{PAGE}{path}")
            answers[method, route.path] = answer.status_code
    return answers


def test_nobody_gets_anything(page_app: "FastAPI", client: Client) -> None:
    answers = asked(page_app, client())
    assert len(answers) > 15
    assert set(answers.values()) == {401}


@pytest.mark.parametrize("cookie", [True, False])
def test_a_login_that_is_none_is_refused(cookie: bool, page_app: "FastAPI", client: Client) -> None:
    forged = client()
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJhZG1pbiJ9."
    if cookie:
        forged.cookies.set("_token", token)
    else:
        forged.headers["Authorization"] = f"Bearer {token}"
    assert set(asked(page_app, forged).values()) == {401}


def test_a_person_without_permissions_gets_nothing(page_app: "FastAPI", client: Client) -> None:
    assert set(asked(page_app, client("nobody")).values()) == {403}


def test_a_viewer_reads_everything_and_presses_nothing(page_app: "FastAPI", client: Client) -> None:
    answers = asked(page_app, client("viewer"))
    assert {status for (method, _), status in answers.items() if method != "GET"} == {403}
    read = {path: status for (method, path), status in answers.items() if method == "GET"}
    assert {path: status for path, status in read.items() if status != 200} == {}


@pytest.mark.parametrize("role", ["user", "op", "admin"])
def test_others_read_and_press(role: str, page_app: "FastAPI", client: Client) -> None:
    answers = asked(page_app, client(role))
    assert {status for (method, _), status in answers.items() if method == "GET"} == {200}
    assert {status for (method, _), status in answers.items() if method != "GET"} == {415}


def test_a_login_cookie_is_as_good_as_a_token(client: Client) -> None:
    assert client("viewer", cookie=True).get(f"{PAGE}/api/me").status_code == 200


def test_nobody_learns_what_a_body_should_be(client: Client) -> None:
    answer = client().post(f"{PAGE}/api/sync", content=b"{", headers={"Content-Type": "application/json"})
    assert problem(answer, 401, "unauthorized") == "Not authenticated"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["openapi.json", "docs", "redoc", "api/nothing"])
def test_there_is_nothing_else(path: str, client: Client) -> None:
    assert problem(client("admin").get(f"{PAGE}/{path}"), 404, "not-found") == "Not Found"


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("user", True), ("op", True), ("admin", True)])
def test_the_page_knows_which_buttons_work(role: str, may: bool, client: Client) -> None:
    answer = client(role).get(f"{PAGE}/api/me")
    found = {"name": f"the {role}", "may_act": may, "may_approve": may, "follows": False}
    assert answer.json() == found


@pytest.mark.parametrize(("approvers", "may"), [("boss other", True), ("other", False), ("", True)])
def test_who_may_approve_is_one_of_those_whom_the_configuration_names(
    approvers: str, may: bool, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    conf = tmp_path / "mirror.conf"
    conf.write_text(
        f"[mirror]\ndirectory = data\nmaster = https://index.example\n[removal]\napprovers = {approvers}\n"
    )
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
    boss = SimpleAuthManagerUser(username="boss", role="admin")
    login = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(boss)}"}
    me = client().get(f"{PAGE}/api/me", headers=login).json()
    assert me == {"name": "boss", "may_act": True, "may_approve": may, "follows": False}


def test_every_answer_keeps_browsers_from_outside(client: Client) -> None:
    viewer = client("viewer")
    for path in ("/", "/static/icon.svg", "/api/me", "/api/nothing"):
        headers = viewer.get(f"{PAGE}{path}").headers
        policy = headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert not any("unsafe" in rule or "http" in rule for rule in policy)
        assert headers["x-content-type-options"] == "nosniff"
    assert viewer.get(f"{PAGE}/api/me").headers["cache-control"] == "no-store"
