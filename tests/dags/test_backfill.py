"""The schedule's own run and backfills under Airflow's real scheduler."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from pypi_mirror.model import RunKind, RunState
from tests.dags.real_airflow import DAG_ID, RealAirflow
from tests.warehouse import Upload, Warehouse, Wheel, running

pytestmark = [pytest.mark.airflow, pytest.mark.servers]

MONDAY = datetime(2024, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("alpha", "beta", "gamma", "later")


def test_the_schedule_starts_a_run_of_an_interval_of_its_own(airflow: RealAirflow) -> None:
    (run,) = (run for run in airflow.api.runs(DAG_ID) if run["run_type"] == "scheduled")
    assert run["state"] == "success"
    start, end = (datetime.fromisoformat(run[f"data_interval_{edge}"]) for edge in ("start", "end"))
    assert end - start == DAY, "a run of no width could not be backfilled"
    assert end <= datetime.fromisoformat(run["run_after"])


# On SQLite Airflow can end the making of a backfill with "database is locked" (its issue 66726), and a
# scheduler that meets such an error hangs for ever (67870).
@pytest.mark.database("postgresql")
def test_a_backfill_of_three_days_verifies_a_day_at_a_time(airflow: RealAirflow, tmp_path: Path) -> None:
    starts = [
        MONDAY.replace(hour=airflow.daily_at.hour, minute=airflow.daily_at.minute) + number * DAY
        for number in range(len(NAMES))
    ]
    warehouse = Warehouse(
        *(
            Upload(distribution=Wheel(name=name), at=start + timedelta(hours=10))
            for name, start in zip(NAMES, starts, strict=True)
        )
    )
    mirror = tmp_path / "mirror"
    before = {run["dag_run_id"] for run in airflow.api.runs(DAG_ID)}
    with running(warehouse) as upstream:
        airflow.configure(mirror, upstream.url)
        first = airflow.run()
        cursor = airflow.cursor()
        whole = {}
        for name in NAMES:
            (path,) = mirror.glob(f"web/packages/*/*/*/{name}-1.0-*.whl")
            whole[name] = path, path.read_bytes()
            path.write_bytes(b"x" * len(whole[name][1]))
        # Airflow would run all days at once, and somebody wants a sync now.
        days = {"from_date": f"{starts[0]:%FT%TZ}", "to_date": f"{starts[2]:%FT%TZ}"}
        airflow.api.request("POST", "/backfills", body={"dag_id": DAG_ID, **days, "max_active_runs": 3})
        by_hand = airflow.run()
        new = {r["dag_run_id"]: r["run_type"] for r in airflow.api.runs(DAG_ID)}
        backfills = [i for i, kind in new.items() if i not in before and kind == "backfill"]
        states = [airflow.wait(run_id) for run_id in backfills]
    assert states == ["success"] * 3
    assert airflow.api.run_state(DAG_ID, by_hand) == "success"
    runs = [airflow.ledger_run(run_id) for run_id in (first, by_hand, *backfills)]
    assert [(r.request.kind, r.state) for r in runs[2:]] == [(RunKind.BACKFILL, RunState.SUCCESS)] * 3
    intervals = sorted(r.request.interval or (0, 0) for r in runs[2:])
    assert intervals == list(pairwise(int(start.timestamp()) for start in starts))
    in_turn = sorted(runs, key=lambda run: run.id)
    for one, following in pairwise(in_turn):
        assert one.finished_at is not None
        assert one.finished_at <= following.started_at, "two runs had the mirror at once"
    batches = {
        airflow.ledger_run(run_id).request.interval: [
            t.name for t in airflow.api.tasks(DAG_ID, run_id) if t.task_id == "download_projects"
        ]
        for run_id in backfills
    }
    assert [batches[interval] for interval in intervals] == [["alpha"], ["beta"], ["gamma"]]
    mended = {name for name, (path, content) in whole.items() if path.read_bytes() == content}
    assert mended == {"alpha", "beta", "gamma"}
    assert airflow.cursor() == cursor
