"""What becomes of a task when something goes wrong in it, without Airflow around it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from sqlalchemy import select

from mirror_airflow import task_mirror as module
from mirror_airflow.task_mirror import SHORTEST_WAIT, task_mirror
from pypi_mirror.errors import MirrorBusy, UpstreamMalformed, UpstreamUnavailable
from pypi_mirror.ledger.lease import SECONDS
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.tables import lease
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.settings.read import read_settings

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "https://index.example/simple/"


@dataclass
class Task:
    """``states`` are those of Airflow's runs, by DAG and run id."""

    try_number: int = 1
    left: dict[str, Any] = field(default_factory=dict)
    states: dict[tuple[str, str], str] = field(default_factory=dict)

    def get_dagrun_state(self, dag_id: str, run_id: str) -> str:
        if (dag_id, run_id) not in self.states:
            raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))
        return self.states[dag_id, run_id]

    def xcom_push(self, key: str, value: Any) -> None:
        self.left[key] = value


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    task = Task()
    monkeypatch.setattr(module, "get_current_context", lambda: {"ti": task, "run_id": "a run"})
    monkeypatch.setattr(module, "_after", lambda seconds: NOON + timedelta(seconds=seconds))
    return task


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def write(schedule: str) -> Path:
        conf = tmp_path / "mirror.conf"
        conf.write_text(
            f"[mirror]\ndirectory = data\nmaster = https://index.example\n[schedule]\n{schedule}\n"
        )
        monkeypatch.setenv("PYPI_MIRROR_CONF", str(conf))
        return conf

    return write


def work(owner: str, then: Callable[[Mirror], None]) -> None:
    """A task that finds the mirror in the hands of ``owner``."""
    with task_mirror() as mirror:
        mirror.ledger.lease.take(owner)
        then(mirror)


def failing(error: Exception) -> Callable[[Mirror], None]:
    def fail(_: Mirror) -> None:
        raise error

    return fail


def beginning(mirror: Mirror) -> None:
    mirror.ledger.lease.take("a run")


def kept_for(mirror: Mirror) -> float:
    with mirror.ledger.engine.connect() as connection:
        return float(connection.execute(select(lease.c.expires_at)).scalar_one() - time.time())


def test_the_mirror_is_kept_until_the_next_try(configure: Callable[[str], Path], task: Task) -> None:
    conf = configure("retry-delay = 2000")
    with pytest.raises(UpstreamUnavailable):
        work("a run", failing(UpstreamUnavailable("refused", url=URL)))
    with open_mirror(read_settings(conf)) as mirror:
        assert SECONDS < kept_for(mirror) <= 2000 + SECONDS
    assert "refused" in task.left["error"]["reason"]
    assert datetime.fromisoformat(task.left["next_try"]) == NOON + timedelta(seconds=2000)


@pytest.mark.parametrize(
    ("error", "try_number"),
    [(UpstreamUnavailable("refused", url=URL), 4), (UpstreamMalformed("no JSON", url=URL), 1)],
)
def test_what_is_not_tried_again_keeps_nothing(
    configure: Callable[[str], Path], task: Task, error: Exception, try_number: int
) -> None:
    conf = configure("retries = 3\nretry-delay = 2000")
    task.try_number = try_number
    with pytest.raises(type(error)):
        work("a run", failing(error))
    with open_mirror(read_settings(conf)) as mirror:
        assert kept_for(mirror) <= SECONDS
    assert set(task.left) == {"error"}


def test_a_run_that_lost_the_mirror_takes_nothing_back(configure: Callable[[str], Path], task: Task) -> None:
    conf = configure("retry-delay = 2000")
    with pytest.raises(UpstreamUnavailable):
        work("another run", failing(UpstreamUnavailable("refused", url=URL)))
    with open_mirror(read_settings(conf)) as mirror:
        busy = mirror.ledger.lease.holder()
        assert busy is not None
        assert busy.owner == "another run"
        assert kept_for(mirror) <= SECONDS


@pytest.mark.parametrize(("delay", "wait"), [(1, SHORTEST_WAIT), (70, 70)])
def test_while_another_run_has_the_mirror_the_task_comes_back_later(
    configure: Callable[[str], Path], task: Task, delay: int, wait: float
) -> None:
    configure(f"retry-delay = {delay}")
    with pytest.raises(AirflowRescheduleException) as caught:
        work("another run", beginning)
    assert caught.value.reschedule_date == NOON + timedelta(seconds=wait)
    assert task.left == {}, "to wait is no failure"


@pytest.mark.parametrize("when_busy", ["wait", "fail"])
@pytest.mark.parametrize(
    ("owner", "run"),
    [
        ("manual__2026", ("pypi_mirror", "manual__2026")),
        ("audit scheduled__2026", ("pypi_mirror_audit", "scheduled__2026")),
    ],
)
def test_a_run_that_airflow_has_ended_is_not_waited_for(
    configure: Callable[[str], Path], task: Task, when_busy: str, owner: str, run: tuple[str, str]
) -> None:
    conf = configure(f"when-busy = {when_busy}\nretry-delay = 900")
    task.states[run] = "failed"
    with open_mirror(read_settings(conf)) as mirror:
        mirror.ledger.runs.begin(RunRequest(label=owner, kind=RunKind.SYNC))
    with pytest.raises(AirflowRescheduleException) as caught:
        work(owner, beginning)
    assert caught.value.reschedule_date == NOON + timedelta(seconds=SHORTEST_WAIT)
    with open_mirror(read_settings(conf)) as mirror:
        assert mirror.ledger.lease.holder() is None
        ended = mirror.ledger.runs.labelled(owner)
    assert ended is not None
    assert ended.state is RunState.FAILED
    assert ended.outcome is not None
    assert ended.outcome.reason == "it was ended in Airflow while its tasks were running"


@pytest.mark.parametrize("owner", ["manual__2026", "manual__unknown", "sync on a host"])
def test_a_run_that_airflow_has_not_ended_keeps_the_mirror(
    configure: Callable[[str], Path], task: Task, owner: str
) -> None:
    conf = configure("retry-delay = 900")
    task.states["pypi_mirror", "manual__2026"] = "running"
    with pytest.raises(AirflowRescheduleException) as caught:
        work(owner, beginning)
    assert caught.value.reschedule_date == NOON + timedelta(seconds=900)
    with open_mirror(read_settings(conf)) as mirror:
        busy = mirror.ledger.lease.holder()
    assert busy is not None
    assert busy.owner == owner


def test_a_run_that_is_not_to_wait_fails(configure: Callable[[str], Path], task: Task) -> None:
    configure("when-busy = fail")
    with pytest.raises(MirrorBusy):
        work("another run", beginning)
    assert "another run" in task.left["error"]["reason"]
