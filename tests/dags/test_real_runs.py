"""The DAG under Airflow's real scheduler, against the stand-in upstream."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from local_stack.airflow_api import Task
from local_stack.airflow_server import ADMINISTRATOR, SCHEDULER, read_or_make_keys
from local_stack.bring_up import nginx_service
from local_stack.errors import StackError
from local_stack.mirror_once import install
from local_stack.ports import accepts
from pypi_mirror.ledger.tables import lease
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver.clients import index_url
from tests.dags.real_airflow import (
    AUDIT_ID,
    COOLDOWN_ID,
    DAG_ID,
    DATABASE_PASSWORD,
    LOGIN_PASSWORD,
    SLACK_TOKEN,
    VIEWERS_PASSWORD,
    RealAirflow,
    free_port,
    pages,
    upstream_of,
)
from tests.warehouse import Delay, Fault, RemoveProject, Sdist, Upload, Warehouse, Wheel, running
from tests.warehouse.faults import Instead

pytestmark = [pytest.mark.airflow, pytest.mark.servers]

RULES = """\
[allowlist]
requirements = {requirements}
[releases]
keep-latest = 2
released-within = 365 days
[platform]
sdists = needed
"""
BROKEN = Fault(path="/simple/broken/*", effect=Instead(body="{"), times=None)


def test_a_run_publishes_what_pip_can_install(airflow: RealAirflow, tmp_path: Path) -> None:
    """And, of what upstream has, what a requirements file asks for and the rules for releases leave."""
    long_ago = datetime.now(UTC) - timedelta(days=1000)
    warehouse = Warehouse(
        *(Upload(distribution=Wheel(name="alpha", version=old), at=long_ago) for old in ("0.8", "0.9")),
        Upload(distribution=Wheel(name="alpha", requires_dist=("beta",))),
        *(Upload(distribution=Wheel(name=name)) for name in ("beta", "gamma", "unwanted")),
        Upload(distribution=Sdist(name="beta")),
        Upload(distribution=Wheel(name="gamma", version="2.0")),
    )
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("alpha\nbeta\ngamma<2\n")
    with running(warehouse) as upstream:
        filters = RULES.format(requirements=requirements)
        airflow.configure(tmp_path / "mirror", upstream.url, site_port=free_port(), filters=filters)
        settings = read_settings(airflow.conf)
        settings.web.mkdir(parents=True)
        nginx = nginx_service(airflow.stack.layout, settings)
        airflow.stack.start(nginx, ready=lambda: accepts(settings.site.port))
        try:
            run_id = airflow.run()
            installed = install(
                "alpha", index_url=index_url(settings), folder=tmp_path / "trial", log=tmp_path / "pip.log"
            )
        finally:
            airflow.stack.services.stop([nginx.name], patience=10)
    assert airflow.states(run_id) == {
        "fetch_changelog": ["success"],
        "read_pages": ["skipped"],
        "partition_projects": ["success"],
        "approve_removals": ["success"],
        "download_projects": ["success", "success"],
        "rebuild_index": ["success"],
        "reload_nginx": ["success"],
        "report": ["success"],
    }
    assert installed.packages == ("alpha 1.0", "beta 1.0")
    pool = (path.name for path in (tmp_path / "mirror/web/packages").rglob("*.*") if path.is_file())
    assert sorted(name for name in pool if name.endswith((".whl", ".gz"))) == [
        f"{name}-1.0-py3-none-any.whl" for name in ("alpha", "beta", "gamma")
    ]
    assert airflow.cursor() == warehouse.serial
    assert airflow.ledger_run(run_id).state is RunState.SUCCESS
    batches = [t for t in airflow.api.tasks(DAG_ID, run_id) if t.task_id == "download_projects"]
    assert sorted(t.name or "" for t in batches) == ["alpha", "beta … gamma, 2 projects"]
    path = f"/dags/{DAG_ID}/dagRuns/{quote(run_id, safe='')}/taskInstances/report/links"
    assert airflow.api.request("GET", path)["extra_links"] == {
        "PyPI mirror": f"{airflow.address}/plugin/pypi-mirror"
    }
    # Ids and counts, whatever the size of the plan; an approval that nobody had to give leaves nothing.
    for task in airflow.api.tasks(DAG_ID, run_id):
        left = airflow.api.xcom(DAG_ID, run_id, task, "return_value")
        figures = left if isinstance(left, list) else [left]
        values = [v for f in figures for v in (f.values() if isinstance(f, dict) else [f])]
        assert all(value is None or isinstance(value, int) for value in values), (task.task_id, left)


@pytest.mark.database("postgresql")
def test_stop_on_error_stops_the_other_batches_and_publishes_nothing(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    names = [f"slow-{number:02}" for number in range(30)]
    slow = Fault(path="/packages/*/slow_*.whl", effect=Delay(seconds=1.5), times=None)
    broken = Fault(path="/packages/*/broken-*.whl", effect=Instead(body="{"), times=None)
    with running(upstream_of("broken", *names), faults=(broken, slow)) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url, stop=True)
        run_id = airflow.run({"batch_size": 10})
        states = airflow.states(run_id)
        text, call = airflow.notified(run_id)
    assert airflow.api.run_state(DAG_ID, run_id) == "failed"
    assert set(states["download_projects"]) == {"failed"}
    assert len(states["download_projects"]) >= 3
    assert states["rebuild_index"] == states["report"] == ["upstream_failed"]
    assert len(pages(tmp_path / "mirror")) < len(names)
    assert airflow.cursor() is None
    assert not (tmp_path / "mirror/web/simple/index.html").exists()
    assert airflow.ledger_run(run_id).state is RunState.FAILED
    assert "broken" in text
    assert call["url"] in text
    assert [p["project"] for p in call["projects"]] == ["broken"]
    assert "SizeMismatch" in call["projects"][0]["reason"]


@pytest.mark.database("sqlite")
def test_without_stop_on_error_everything_else_is_published(airflow: RealAirflow, tmp_path: Path) -> None:
    warehouse = upstream_of("alpha", "broken", "gamma", "delta")
    with running(warehouse, faults=(BROKEN,)) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        run_id = airflow.run()
        text, call = airflow.notified(run_id)
        assert airflow.cursor() == warehouse.serial
        second = airflow.run()
    states = airflow.states(run_id)
    assert airflow.api.run_state(DAG_ID, run_id) == "failed"
    assert set(states["download_projects"]) == {"success"}
    assert states["rebuild_index"] == ["success"]
    assert states["report"] == ["failed"]
    assert pages(tmp_path / "mirror") == {"alpha", "gamma", "delta"}
    assert "broken" in text
    assert [p["project"] for p in call["projects"]] == ["broken"]
    assert call["tasks"] == []
    # Known by now, and not due again: no second alarm.
    assert airflow.api.run_state(DAG_ID, second) == "success"


@pytest.mark.database("postgresql")
def test_an_audit_waits_for_its_turn_and_repairs_what_it_finds(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha", "beta")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        assert airflow.wait(airflow.run()) == "success"
        damaged = next((tmp_path / "mirror").glob("web/packages/*/*/*/alpha-1.0-*.whl"))
        content = damaged.read_bytes()
        damaged.write_bytes(b"x" * len(content))
        with airflow.mirror() as mirror:
            mirror.ledger.lease.take("somebody else")
            airflow.api.pause(AUDIT_ID, paused=False)
            airflow.await_(lambda: bool(airflow.api.runs(AUDIT_ID)), lambda: "the schedule started no audit")
            run_id = str(airflow.api.runs(AUDIT_ID)[0]["dag_run_id"])

            def audits() -> tuple[Task, ...]:
                return airflow.api.tasks(AUDIT_ID, run_id)

            airflow.until(lambda: [t.state for t in audits()] == ["up_for_reschedule"], run_id)
            mirror.ledger.lease.release("somebody else")
        assert airflow.wait(run_id, AUDIT_ID) == "success"
    (task,) = audits()
    figures = airflow.api.xcom(AUDIT_ID, run_id, task, "return_value")
    assert figures == {"found": 1, "repaired": 1, "rechecked": 0}
    assert damaged.read_bytes() == content
    ended = airflow.ledger_run(f"audit {run_id}")
    assert (ended.request.kind, ended.state) == (RunKind.AUDIT, RunState.SUCCESS)


@pytest.mark.database("sqlite")
def test_a_file_is_listed_when_it_is_due_by_a_run_that_asks_for_the_time_alone(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    page = tmp_path / "mirror/web/simple/alpha/index.html"
    newer = "alpha-2.0-py3-none-any.whl"
    now = time.time()

    def listed_by(run_id: str) -> tuple[str, list[str | None], bool]:
        ended = airflow.wait(run_id, COOLDOWN_ID)
        states = [task.state for task in airflow.api.tasks(COOLDOWN_ID, run_id)]
        return ended, states, newer in page.read_text()

    with running(upstream_of("alpha")) as upstream:
        # Upstream's clock is the one that counts.
        upstream.follow(lambda: now)
        at = datetime.fromtimestamp(now, UTC)
        upstream.apply(Upload(distribution=Wheel(name="alpha", version="2.0"), at=at))
        airflow.configure(tmp_path / "mirror", upstream.url)
        with airflow.conf.open("a") as conf:
            conf.write("[cooldown]\nexclude-newer = 20 seconds\ncron = none\n")
        assert airflow.wait(airflow.run()) == "success"
        assert newer not in page.read_text()
        early = airflow.api.trigger(COOLDOWN_ID, {})
        assert listed_by(early) == ("success", ["skipped"], False)
        now += 30
        upstream.requests.reset()
        due = airflow.api.trigger(COOLDOWN_ID, {})
        assert listed_by(due) == ("success", ["success"], True)
        assert upstream.requests.count() == 1
        assert upstream.requests.count("page") == upstream.requests.count("file") == 0
    ended = airflow.ledger_run(f"cooldown {due}")
    assert (ended.request.kind, ended.state) == (RunKind.COOLDOWN, RunState.SUCCESS)


@pytest.mark.database("sqlite")
def test_a_dry_run_plans_and_does_nothing(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha", "beta")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        run_id = airflow.run({"dry_run": True})
        requested = upstream.requests.counts
    states = airflow.states(run_id)
    assert airflow.api.run_state(DAG_ID, run_id) == "success"
    assert states["partition_projects"] == ["success"]
    skipped = ("read_pages", "download_projects", "rebuild_index", "reload_nginx", "report")
    assert {name: states[name] for name in skipped} == {name: ["skipped"] for name in skipped}
    assert "file" not in requested
    assert requested["page"] == 2, "what upstream has is read, so that the plan can say what comes"
    assert pages(tmp_path / "mirror") == set()
    assert airflow.cursor() is None
    assert "would sync alpha" in _log(airflow, run_id, "partition_projects")
    with airflow.mirror() as mirror:
        mirror.ledger.lease.take("somebody else")


@pytest.mark.database("postgresql")
def test_a_plan_that_removes_much_awaits_approval(airflow: RealAirflow, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    with running(upstream_of("alpha", "beta", "gamma", "delta")) as upstream:
        airflow.configure(mirror, upstream.url, always_allowed=0, approvers=f"ada, {ADMINISTRATOR}")
        assert airflow.wait(airflow.run()) == "success"
        before, cursor = pages(mirror), airflow.cursor()
        upstream.apply(RemoveProject(project="alpha"), Upload(distribution=Wheel(name="newcomer")))

        rejected, question = _asked(airflow)
        assert [user["id"] for user in question["assigned_users"]] == ["ada", ADMINISTRATOR]
        assert "1 project, 1 file" in question["subject"]
        assert "25% of the mirror's projects" in question["body"]
        assert "alpha: 1 file, upstream: remove project" in question["body"]
        assert _expiry(airflow) == 0, "a run that waits for hours does not hold the lease"
        _answer(airflow, rejected, "Reject")
        assert airflow.wait(rejected) == "failed"
        states = airflow.states(rejected)
        assert (states["approve_removals"], states["rebuild_index"]) == (["failed"], ["upstream_failed"])
        assert (pages(mirror), airflow.cursor()) == (before, cursor)
        airflow.until(lambda: len(_calls(airflow, rejected)) == 2, rejected)
        waits, failed = _calls(airflow, rejected)
        assert "a plan is awaiting approval to remove 1 project, 1 file" in waits["text"]
        assert waits["url"].endswith(f"/runs/{rejected}/tasks/approve_removals/required_actions")
        assert "rejected plan" in failed["tasks"][0]["reason"]
        assert airflow.ledger_run(rejected).state is RunState.FAILED

        approved, again = _asked(airflow)
        assert again["body"] == question["body"], "the same removals are the same plan"
        _answer(airflow, approved, "Approve")
        assert airflow.wait(approved) == "success"
    assert pages(mirror) == {"beta", "gamma", "delta", "newcomer"}
    assert airflow.cursor() == upstream.warehouse.serial


@pytest.mark.database("sqlite")
def test_to_mark_the_task_that_asks_a_success_approves_nothing(airflow: RealAirflow, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    with running(upstream_of("alpha", "beta", "gamma", "delta")) as upstream:
        airflow.configure(mirror, upstream.url, always_allowed=0, approvers="ada")
        assert airflow.wait(airflow.run()) == "success"
        before, cursor = pages(mirror), airflow.cursor()
        upstream.apply(RemoveProject(project="alpha"), Upload(distribution=Wheel(name="newcomer")))
        run_id, _ = _asked(airflow)
        with pytest.raises(StackError, match=r"403.*not a respondent"):
            _answer(airflow, run_id, "Approve")
        airflow.api.request("PATCH", TASK.format(run=quote(run_id, safe="")), body={"new_state": "success"})
        assert airflow.wait(run_id) == "failed"
    states = airflow.states(run_id)
    assert states["approve_removals"] == ["success"]
    assert set(states["download_projects"]) == {"failed"}
    assert states["rebuild_index"] == ["upstream_failed"]
    assert (pages(mirror), airflow.cursor()) == (before, cursor)
    # Airflow calls back after the run has ended.
    airflow.until(lambda: airflow.ledger_run(run_id).outcome is not None, run_id)
    outcome = airflow.ledger_run(run_id).outcome
    assert outcome is not None
    assert "ApprovalRequired" in (outcome.reason or "")


@pytest.mark.database("sqlite")
def test_projects_can_be_asked_for_by_name(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha", "beta")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        run_id = airflow.run({"projects": ["Beta"]})
    assert airflow.api.run_state(DAG_ID, run_id) == "success"
    assert airflow.ledger_run(run_id).request.kind is RunKind.SELECTED
    assert pages(tmp_path / "mirror") == {"beta"}
    assert airflow.cursor() is None


@pytest.mark.database("sqlite")
@pytest.mark.parametrize("params", [{"batch_size": 0}, {"projects": ["-"]}, {"dry_run": "perhaps"}])
def test_a_wrong_parameter_starts_no_run(airflow: RealAirflow, params: dict[str, object]) -> None:
    before = airflow.api.runs(DAG_ID)
    with pytest.raises(StackError, match="400"):
        airflow.api.trigger(DAG_ID, params)
    assert len(airflow.api.runs(DAG_ID)) == len(before)


@pytest.mark.database("sqlite")
def test_a_task_that_cannot_work_fails_at_once_and_frees_the_mirror(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    with running(upstream_of("alpha")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url, site_port=free_port())
        run_id = airflow.run()
        _, call = airflow.notified(run_id)
    tries = {t.task_id: t.try_number for t in airflow.api.tasks(DAG_ID, run_id)}
    assert airflow.states(run_id)["reload_nginx"] == ["failed"]
    assert tries["reload_nginx"] == 1
    assert [t["task"] for t in call["tasks"]] == ["reload_nginx"]
    assert "WebServerError" in call["tasks"][0]["reason"]
    run = airflow.ledger_run(run_id)
    assert run.state is RunState.FAILED
    assert run.outcome is not None
    assert "reload_nginx" in (run.outcome.reason or "")
    with airflow.mirror() as mirror:
        mirror.ledger.lease.take("the next run")


@pytest.mark.database("postgresql")
def test_a_run_waits_for_the_one_that_has_the_mirror(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        with airflow.mirror() as mirror:
            mirror.ledger.lease.take("somebody else")
            run_id = airflow.api.trigger(DAG_ID, {})
            airflow.until(lambda: airflow.states(run_id)["fetch_changelog"] == ["up_for_reschedule"], run_id)
            mirror.ledger.lease.release("somebody else")
        assert airflow.wait(run_id) == "success"


@pytest.mark.database("sqlite")
def test_a_mistake_in_the_configuration_fails_the_run_with_its_words(airflow: RealAirflow) -> None:
    alerts = "email-to = admin@example.com\nemail-from = mirror@example.com\nsmtp-connection = test_mail\n"
    airflow.conf.write_text(
        "[mirror]\ndirectory = mirror\nstop-on-eror = true\n"
        f"[alerts]\n{alerts}webhook-connection = test_hook\n"
    )
    run_id = airflow.run()
    states = airflow.states(run_id)
    text, _ = airflow.notified(run_id)
    assert "stop-on-error" in text
    assert airflow.api.run_state(DAG_ID, run_id) == "failed"
    assert states["fetch_changelog"] == ["failed"]
    assert states["report"] == ["upstream_failed"]
    (task,) = (t for t in airflow.api.tasks(DAG_ID, run_id) if t.task_id == "fetch_changelog")
    assert task.try_number == 1
    assert "stop-on-error" in str(airflow.api.xcom(DAG_ID, run_id, task, "error"))


TASK = f"/dags/{DAG_ID}/dagRuns/{{run}}/taskInstances/approve_removals"
QUESTION = f"{TASK}/-1/hitlDetails"


def _asked(airflow: RealAirflow) -> tuple[str, dict[str, Any]]:
    """A new run that waits for an answer, and what it asks."""
    run_id = airflow.api.trigger(DAG_ID, {})
    airflow.until(lambda: airflow.states(run_id).get("approve_removals") == ["awaiting_input"], run_id)
    question = airflow.api.request("GET", QUESTION.format(run=quote(run_id, safe="")))
    assert question["options"] == ["Approve", "Reject"]
    return run_id, question


def _answer(airflow: RealAirflow, run_id: str, option: str) -> None:
    # As late as a person: an answer that comes before Airflow's executor has reported the end of the process
    # that asked is taken for a task that was killed, which is then tried again and asks again.
    log = airflow.stack.services.log(SCHEDULER)
    reported = f"Received executor event .*'approve_removals', run_id='{re.escape(run_id)}'"
    airflow.until(lambda: re.search(reported, log.read_text(errors="replace")) is not None, run_id)
    body = {"chosen_options": [option], "params_input": {}}
    airflow.api.request("PATCH", QUESTION.format(run=quote(run_id, safe="")), body=body)


def _calls(airflow: RealAirflow, run_id: str) -> list[dict[str, Any]]:
    return [body for _, body in airflow.webhook.calls if body["run"] == run_id]


def _expiry(airflow: RealAirflow) -> int:
    with airflow.mirror() as mirror, mirror.ledger.engine.connect() as connection:
        return connection.execute(select(lease.c.expires_at)).scalar_one()


def _log(airflow: RealAirflow, run_id: str, task_id: str) -> str:
    folder = (
        airflow.stack.layout.logs / "tasks" / f"dag_id={DAG_ID}" / f"run_id={run_id}" / f"task_id={task_id}"
    )
    return "".join(path.read_text() for path in sorted(folder.glob("attempt=*.log")))


@pytest.mark.database("postgresql")
def test_no_list_of_processes_shows_a_secret(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha", "beta", "gamma")) as upstream, airflow.command_lines.watched():
        airflow.configure(tmp_path / "mirror", upstream.url, site_port=free_port())
        airflow.run()
    lines = airflow.command_lines.all()
    for expected in ("scheduler", "dag-processor", "api-server", "db migrate", "nginx"):
        assert any(expected in each for each in lines), f"{expected} is not among what was recorded"
    keys = read_or_make_keys(airflow.stack.layout.airflow_home)
    secrets = (
        DATABASE_PASSWORD,
        LOGIN_PASSWORD,
        SLACK_TOKEN,
        VIEWERS_PASSWORD,
        keys.password,
        keys.fernet,
        keys.jwt,
    )
    assert [each for each in lines if any(secret in each for secret in (*secrets, keys.session))] == []
