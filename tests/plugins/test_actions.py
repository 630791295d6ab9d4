"""What buttons do: to the ledger, in Airflow as the person who pressed, and on record."""

import json
from typing import Any

import pytest

from pypi_mirror.ledger.held_files import HeldRow
from tests.plugins.conftest import HELD, PAGE, Client, dag, problem
from tests.runs.bench import Bench

pytestmark = pytest.mark.airflow


def newest_run() -> Any:
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return session.scalar(select(DagRun).order_by(DagRun.id.desc()).limit(1))


def newest_record() -> tuple[str, str, str, dict[str, Any]]:
    """Of the page's actions in Airflow's audit log: event, who, the DAG and the facts."""
    from airflow.models import Log
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalar(
            select(Log).where(Log.event.startswith("pypi_mirror.")).order_by(Log.id.desc()).limit(1)
        )
        assert found is not None
        return found.event, found.owner, found.dag_id, json.loads(found.extra)


def due(bench: Bench, project: str) -> bool:
    with bench.open() as mirror:
        return project in {entry.project for entry in mirror.ledger.backlog.due()}


def test_retry_makes_a_project_due_and_starts_a_run_as_the_person(own_mirror: Bench, client: Client) -> None:
    assert not due(own_mirror, "bad")
    answer = client("user").post(f"{PAGE}/api/backlog/retry", json={"projects": ["Bad"]})
    assert answer.status_code == 200, answer.text
    assert due(own_mirror, "bad")
    run = newest_run()
    assert answer.json() == {
        "projects": ["bad"],
        "run": {
            "dag_id": "pypi_mirror",
            "run_id": run.run_id,
            "state": "queued",
            "link": f"dags/pypi_mirror/runs/{run.run_id.replace(':', '%3A').replace('+', '%2B')}",
            "paused": True,
        },
    }
    assert (run.conf["projects"], run.triggering_user_name) == (["bad"], "the user")
    event, owner, dag_id, facts = newest_record()
    assert (event, owner, dag_id) == ("pypi_mirror.backlog_retry", "the user", "pypi_mirror")
    assert facts == {"projects": ["bad"], "count": 1}


def test_a_dag_that_is_not_paused_is_told(own_mirror: Bench, client: Client) -> None:
    with dag(is_paused=False):
        answer = client("user").post(f"{PAGE}/api/backlog/retry", json={"projects": ["bad"]})
    assert answer.json()["run"]["paused"] is False


def test_what_the_filters_leave_out_by_now_takes_an_ordinary_run(own_mirror: Bench, client: Client) -> None:
    """One of that project alone would be refused in its first task."""
    conf = own_mirror.settings.path
    conf.write_text(conf.read_text().replace("packages = unwanted", "packages = bad"))
    answer = client("user").post(f"{PAGE}/api/backlog/retry", json={"projects": ["bad"]})
    assert answer.status_code == 200
    assert newest_run().conf["projects"] == []


def test_retry_of_what_is_not_on_the_backlog_changes_nothing(own_mirror: Bench, client: Client) -> None:
    before = newest_run()
    answer = client("user").post(f"{PAGE}/api/backlog/retry", json={"projects": ["bad", "good-0"]})
    assert "good-0: not on the backlog" in problem(answer, 409, "mirror-error")
    assert not due(own_mirror, "bad")
    assert getattr(newest_run(), "id", None) == getattr(before, "id", None)


def test_a_retry_that_airflow_starts_no_run_for_says_so(own_mirror: Bench, client: Client) -> None:
    with dag(is_stale=True):
        answer = client("user").post(f"{PAGE}/api/backlog/retry", json={"projects": ["bad"]})
    detail = problem(answer, 404, "airflow-refused")
    assert "the next run retries 1 project; none could be started now: Airflow: Dag with dag_id" in detail
    assert due(own_mirror, "bad")


def test_forget_takes_force_for_what_the_filters_select(own_mirror: Bench, client: Client) -> None:
    user = client("user")
    refused = user.post(f"{PAGE}/api/backlog/forget", json={"projects": ["bad"]})
    assert "--force" in problem(refused, 409, "mirror-error")
    assert list(own_mirror.backlog()) == ["bad"]
    done = user.post(f"{PAGE}/api/backlog/forget", json={"projects": ["bad"], "force": True})
    assert done.json() == {"forgotten": [{"project": "bad", "selected": True, "serial": None, "files": None}]}
    assert own_mirror.backlog() == {}
    event, owner, _, facts = newest_record()
    assert (event, owner, facts["projects"]) == ("pypi_mirror.backlog_forget", "the user", ["bad"])


def held(bench: Bench) -> HeldRow:
    with bench.open() as mirror:
        return next(mirror.ledger.held_files.all())


def test_a_cooldown_is_lifted_with_who_and_why_and_a_run_lists_the_file(
    own_mirror: Bench, client: Client
) -> None:
    asked = {"files": [{"project": "Good_1", "filename": HELD}] * 2, "reason": "  fixes\n a hole "}
    answer = client("user").post(f"{PAGE}/api/cooldown/lift", json=asked)
    assert answer.status_code == 200, answer.text
    row = held(own_mirror)
    assert (row.lifted_by, row.lifted_why) == ("the user", "fixes a hole")
    run = newest_run()
    assert (run.dag_id, run.conf, run.triggering_user_name) == ("pypi_mirror_cooldown", {}, "the user")
    shown = answer.json()
    assert shown["files"] == [HELD]
    assert (shown["run"]["run_id"], shown["run"]["dag_id"]) == (run.run_id, "pypi_mirror_cooldown")
    assert shown["run"]["link"].startswith("dags/pypi_mirror_cooldown/runs/manual__")
    event, owner, dag_id, facts = newest_record()
    assert (event, owner, dag_id) == ("pypi_mirror.cooldown_lift", "the user", "pypi_mirror")
    assert facts == {"projects": ["good-1"], "count": 1, "files": [HELD], "reason": "fixes a hole"}


def test_what_is_not_in_cooldown_is_not_lifted(own_mirror: Bench, client: Client) -> None:
    other = "good_0-1.0-py3-none-any.whl"
    files = [{"project": "good-1", "filename": HELD}, {"project": "good-0", "filename": other}]
    answer = client("user").post(f"{PAGE}/api/cooldown/lift", json={"files": files, "reason": "urgent"})
    assert f"not in cooldown, or no longer: {other}" in problem(answer, 409, "mirror-error")
    assert held(own_mirror).lifted_at is None


def test_a_lifted_cooldown_that_airflow_starts_no_run_for_says_so(own_mirror: Bench, client: Client) -> None:
    asked = {"files": [{"project": "good-1", "filename": HELD}], "reason": "urgent"}
    with dag("pypi_mirror_cooldown", is_stale=True):
        answer = client("user").post(f"{PAGE}/api/cooldown/lift", json=asked)
    detail = problem(answer, 404, "airflow-refused")
    assert detail.startswith("cooldown lifted, and the next run lists 1 file; none could be started now: ")
    assert held(own_mirror).lifted_by == "the user"


FILES = f'"files": [{{"project": "good-1", "filename": "{HELD}"}}]'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        f"{{{FILES}}}",
        f'{{{FILES}, "reason": ""}}',
        f'{{{FILES}, "reason": " \\n"}}',
        f'{{{FILES}, "reason": "a\\u0000b"}}',
        f'{{{FILES}, "reason": "{"a" * 501}"}}',
        f'{{{FILES}, "reason": "urgent", "all": true}}',
        '{"files": [], "reason": "urgent"}',
        '{"files": ["good-1"], "reason": "urgent"}',
        '{"files": [{"project": "../etc", "filename": "a"}], "reason": "urgent"}',
    ],
)
def test_lifting_without_files_or_a_reason_is_refused(body: str, mirror: Bench, client: Client) -> None:
    answer = client("user").post(
        f"{PAGE}/api/cooldown/lift", content=body, headers={"Content-Type": "application/json"}
    )
    problem(answer, 422, "not-valid")
    assert held(mirror).lifted_at is None


def test_sync_starts_a_run_of_the_named_projects(mirror: Bench, client: Client) -> None:
    names = {"projects": ["Good_0", "good-1", "good.0"]}
    answer = client("op", cookie=True).post(
        f"{PAGE}/api/sync", json=names, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["projects"] == ["good-0", "good-1"]
    run = newest_run()
    assert run.run_id == answer.json()["run"]["run_id"]
    assert (run.conf["projects"], run.triggering_user_name) == (["good-0", "good-1"], "the op")
    assert run.triggered_by.value == "ui"
    assert newest_record()[:2] == ("pypi_mirror.sync", "the op")


def test_a_run_of_all_that_is_due_is_started_as_the_person(mirror: Bench, client: Client) -> None:
    answer = client("op", cookie=True).post(
        f"{PAGE}/api/runs", json={}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status_code == 200, answer.text
    run = newest_run()
    assert run.run_id == answer.json()["run"]["run_id"]
    assert (run.conf["projects"], run.triggering_user_name) == ([], "the op")
    assert newest_record()[:2] == ("pypi_mirror.run", "the op")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"projects": []}'])
def test_a_run_of_all_takes_nothing_but_an_empty_body(body: bytes, mirror: Bench, client: Client) -> None:
    before = newest_run()
    answer = client("user").post(
        f"{PAGE}/api/runs", content=body, headers={"Content-Type": "application/json"}
    )
    assert problem(answer, 422, "not-valid").startswith("the body must be {}")
    assert getattr(newest_run(), "id", None) == getattr(before, "id", None)


def test_sync_of_what_the_filters_leave_out_is_refused_at_once(mirror: Bench, client: Client) -> None:
    answer = client("user").post(f"{PAGE}/api/sync", json={"projects": ["good-0", "unwanted"]})
    assert problem(answer, 409, "not-selected").startswith("unwanted: the filters leave it out: ")
    assert list(answer.json()["projects"]) == ["unwanted"]


@pytest.mark.parametrize("path", ["/api/sync", "/api/backlog/retry", "/api/backlog/forget"])
@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"", 422, "not-valid"),
        (b"{", 422, "not-valid"),
        (b"\xff", 422, "not-valid"),
        (b"[]", 422, "not-valid"),
        (b'{"projects": []}', 422, "not-valid"),
        (b'{"projects": "bad"}', 422, "not-valid"),
        (b'{"projects": [1]}', 422, "not-valid"),
        (b'{"projects": ["../etc"]}', 422, "not-valid"),
        (b'{"projects": ["bad"], "all": true}', 422, "not-valid"),
        (json.dumps({"projects": [f"p{n}" for n in range(1001)]}).encode(), 422, "not-valid"),
        (b'{"projects": ["' + b"a" * 1_000_000 + b'"]}', 413, "too-long"),
    ],
)
def test_bodies_that_are_refused(
    path: str, body: bytes, status: int, kind: str, mirror: Bench, client: Client
) -> None:
    answer = client("user").post(f"{PAGE}{path}", content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, kind)
    assert list(mirror.backlog()) == ["bad"]
