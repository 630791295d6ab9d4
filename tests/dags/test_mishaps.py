"""What goes wrong under Airflow's real scheduler and passes: a process killed, an upstream gone, no time."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from local_stack.airflow_api import Task
from mirror_airflow.run_request import SHORT
from pypi_mirror.model import RunState
from pypi_mirror.observing.progress import progress
from tests.dags.real_airflow import DAG_ID, RealAirflow, pages, upstream_of
from tests.warehouse import Delay, Fault, running
from tests.webserver.sites import closed_port

pytestmark = [pytest.mark.airflow, pytest.mark.servers]


def test_a_task_that_is_killed_goes_on_where_it_was(airflow: RealAirflow, tmp_path: Path) -> None:
    names = [f"slow-{number}" for number in range(6)]
    slow = Fault(path="/packages/*.whl", effect=Delay(seconds=1), times=len(names))
    with running(upstream_of(*names), faults=(slow,)) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        run_id = airflow.api.trigger(DAG_ID, {"batch_size": 100})

        def at_work() -> int | None:
            tasks = airflow.api.tasks(DAG_ID, run_id, states=("running",))
            return next((t.pid for t in tasks if t.task_id == "download_projects"), None)

        airflow.until(lambda: at_work() is not None and upstream.requests.count("file") > 1, run_id)
        pid = at_work()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert airflow.wait(run_id) == "success"
    assert _tries(airflow, run_id)["download_projects"] == 2
    assert pages(tmp_path / "mirror") == set(names)
    assert airflow.ledger_run(run_id).state is RunState.SUCCESS


@pytest.mark.database("sqlite")
def test_many_pages_are_read_by_a_task_that_goes_on_where_it_was_killed(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    names = [f"many-{number:03}" for number in range(SHORT + 1)]
    slow = Fault(path="/simple/many-*/", effect=Delay(seconds=0.2), times=60)
    with running(upstream_of(*names), faults=(slow,)) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        run_id = airflow.api.trigger(DAG_ID, {"batch_size": 1000})

        def reading() -> Task | None:
            tasks = airflow.api.tasks(DAG_ID, run_id, states=("running",))
            return next((t for t in tasks if t.task_id == "read_pages" and t.pid is not None), None)

        airflow.until(lambda: reading() is not None and upstream.requests.count("page") > 1, run_id)
        task = reading()
        assert task is not None
        assert task.pid is not None
        with airflow.mirror() as mirror:
            shown = progress(mirror)
        os.kill(task.pid, signal.SIGKILL)
        assert airflow.wait(run_id) == "success"
    assert shown is not None
    assert (shown.pages, shown.planned) == (len(names), 0)
    assert _tries(airflow, run_id)["read_pages"] == 2
    (ended,) = (t for t in airflow.api.tasks(DAG_ID, run_id) if t.task_id == "read_pages")
    assert ended.name == f"{len(names)} pages"
    assert pages(tmp_path / "mirror") == set(names)
    assert airflow.cursor() == upstream.warehouse.serial


@pytest.mark.database("sqlite")
def test_a_run_that_hangs_and_is_marked_failed_does_not_hold_up_the_next(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    hanging = Fault(path="/packages/*/alpha-*.whl", effect=Delay(seconds=60), times=1)
    with running(upstream_of("alpha", "beta"), faults=(hanging,)) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url)
        hung = airflow.api.trigger(DAG_ID, {"batch_size": 100})
        airflow.until(lambda: upstream.requests.count("file") >= 1, hung)
        airflow.api.fail_run(DAG_ID, hung)
        assert airflow.wait(airflow.run()) == "success"
    assert pages(tmp_path / "mirror") == {"alpha", "beta"}
    ended = airflow.ledger_run(hung)
    assert ended.state is RunState.FAILED
    assert ended.outcome is not None
    assert ended.outcome.reason == "it was ended in Airflow while its tasks were running"


@pytest.mark.database("postgresql")
def test_an_upstream_that_was_gone_is_back_when_failed_tasks_are_cleared(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    directory = tmp_path / "mirror"
    with running(upstream_of("alpha")) as upstream, closed_port() as nobody:
        airflow.configure(directory, f"http://127.0.0.1:{nobody}")
        settings = airflow.conf.read_text()
        run_id = airflow.run()
        assert airflow.api.run_state(DAG_ID, run_id) == "failed"
        (task,) = airflow.api.tasks(DAG_ID, run_id, states=("failed",))
        assert (task.task_id, task.try_number) == ("fetch_changelog", 2)
        words = str(airflow.api.xcom(DAG_ID, run_id, task, "error"))
        assert "[mirror] master" in words
        assert airflow.states(run_id)["report"] == ["upstream_failed"]
        airflow.notified(run_id)
        with airflow.mirror() as mirror:
            mirror.ledger.lease.take("the next run")
            mirror.ledger.lease.release("the next run")
        address = urlsplit(upstream.url).netloc
        airflow.conf.write_text(settings.replace(_netloc(settings), address))
        body = {"dry_run": False, "only_failed": True, "dag_run_id": run_id, "reset_dag_runs": True}
        airflow.api.request("POST", f"/dags/{DAG_ID}/clearTaskInstances", body=body)
        airflow.until(lambda: airflow.api.run_state(DAG_ID, run_id) != "failed", run_id)
        assert airflow.wait(run_id) == "success"
    assert pages(directory) == {"alpha"}
    assert airflow.cursor() == upstream.warehouse.serial


@pytest.mark.database("sqlite")
def test_a_run_that_is_not_to_wait_fails_at_once(airflow: RealAirflow, tmp_path: Path) -> None:
    with running(upstream_of("alpha")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url, schedule="when-busy = fail")
        with airflow.mirror() as mirror:
            mirror.ledger.lease.take("somebody else")
            run_id = airflow.run()
        requested = upstream.requests.count("page")
    assert airflow.api.run_state(DAG_ID, run_id) == "failed"
    (task,) = airflow.api.tasks(DAG_ID, run_id, states=("failed",))
    assert (task.task_id, task.try_number) == ("fetch_changelog", 1)
    assert "somebody else" in str(airflow.api.xcom(DAG_ID, run_id, task, "error"))
    assert requested == 0


@pytest.mark.database("sqlite")
def test_a_run_outside_of_its_hours_pauses_and_the_next_one_goes_on(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    later = datetime.now(UTC) + timedelta(hours=6)
    window = f"download-window = {later:%H}:00-{later + timedelta(hours=1):%H}:00"
    with running(upstream_of("alpha", "beta")) as upstream:
        airflow.configure(tmp_path / "mirror", upstream.url, schedule=window)
        run_id = airflow.run()
        (batch,) = (t for t in airflow.api.tasks(DAG_ID, run_id) if t.task_id == "download_projects")
        assert airflow.api.run_state(DAG_ID, run_id) == "success", "to pause is no failure"
        assert airflow.ledger_run(run_id).state is RunState.PAUSED
        assert batch.name == "alpha … beta, 2 projects, 2 of them paused"
        assert pages(tmp_path / "mirror") == set()
        now = airflow.run({"now": True})
    assert airflow.api.run_state(DAG_ID, now) == "success"
    assert pages(tmp_path / "mirror") == {"alpha", "beta"}


def _tries(airflow: RealAirflow, run_id: str) -> dict[str, int]:
    """How many tries each task had; those that did not run have none."""
    return {t.task_id: t.try_number for t in airflow.api.tasks(DAG_ID, run_id) if t.state != "skipped"}


def _netloc(settings: str) -> str:
    (line,) = (line for line in settings.splitlines() if line.startswith("master"))
    return urlsplit(line.partition("=")[2].strip()).netloc
