"""What the deadline's callback makes of the run; that Airflow calls it is tested in tests/dags."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mirror_airflow import alerts
from mirror_airflow.message import Message
from mirror_airflow.run_overdue import run_deadline, tell_of_overdue_run
from pypi_mirror.alerts.notification_state import Told
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.runs.raise_alerts import alert_state
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.values import Alerts
from tests.mirror_airflow.test_approve_removals import plan

RUN = {
    "dag_id": "pypi_mirror",
    "dag_run_id": "manual__1",
    "state": "running",
    "start_date": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mirror.conf"
    path.write_text(
        "[mirror]\ndirectory = data\nmaster = https://index.example\n"
        "[alerts]\nwebhook-connection = hook\nrun-deadline = 2\n"
    )
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(path))
    return path


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    messages: list[Message] = []
    deliver = {"webhook": lambda message, *_: messages.append(message)}
    monkeypatch.setattr(alerts, "_DELIVER", deliver)
    return messages


def called(**changes: Any) -> str:
    return asyncio.run(tell_of_overdue_run({"dag_run": {**RUN, **changes}}))


def opened(conf: Path) -> Any:
    return open_mirror(read_settings(conf))


def test_a_run_under_way_is_told_once(conf: Path, heard: list[Message]) -> None:
    assert called() == "told"
    called()
    (message,) = heard
    assert message.subject == "pypi-mirror: a run takes longer than 2 hours (manual__1)"
    assert message.link.endswith("/dags/pypi_mirror/runs/manual__1")
    assert "it began at 2026-01-01 00:00 UTC" in message.text()
    with opened(conf) as mirror:
        told = alert_state(mirror).told["run-overdue"]
        assert (type(told), told.about) == (Told, ("manual__1",))


@pytest.mark.parametrize("changes", [{"state": "failed"}, {"state": "success"}, {"start_date": None}])
def test_a_run_that_has_ended_or_not_begun_is_not(
    conf: Path, heard: list[Message], changes: dict[str, Any]
) -> None:
    assert called(**changes) != "told"
    assert heard == []


def test_nor_is_one_that_waits_for_a_person(conf: Path, heard: list[Message]) -> None:
    mirror: Mirror
    with opened(conf) as mirror:
        plan(mirror, "manual__1", 6)
        assert called() != "told"
        assert heard == []
        mirror.ledger.lease.release("manual__1")
        other = mirror.ledger.runs.begin(RunRequest(label="manual__2"))
    assert other.request.label == "manual__2"
    assert called(dag_run_id="manual__2") == "told"


def test_without_a_configuration_that_can_be_read_it_is_told_as_well(
    conf: Path, heard: list[Message]
) -> None:
    conf.write_text(conf.read_text() + "no-such-key = 1\n")
    assert called() == "told"
    assert len(heard) == 1


def test_a_dag_has_the_deadline_of_the_settings() -> None:
    deadline: Any = run_deadline(Alerts(run_deadline=2))
    assert deadline.interval == timedelta(hours=2)
    assert deadline.callback.path == "mirror_airflow.run_overdue.tell_of_overdue_run"
    assert run_deadline(Alerts(run_deadline=0)) is None
