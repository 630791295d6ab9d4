from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mirror_airflow.run_request import run_request
from pypi_mirror.model import RunKind

START, END = datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)


@dataclass
class Run:
    run_id: str = "a run"
    run_type: str = "manual"
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None


def params(**given: Any) -> dict[str, Any]:
    return {
        "projects": [],
        "recheck": False,
        "now": False,
        "all": False,
        "dry_run": False,
        "batch_size": None,
        **given,
    }


def test_a_run_by_hand_without_dates_is_a_sync() -> None:
    request = run_request(Run(), params())
    assert request.kind is RunKind.SYNC
    assert request.label == "a run"
    assert request.interval is None


def test_a_scheduled_run_is_a_sync_whatever_its_interval() -> None:
    request = run_request(
        Run(run_type="scheduled", data_interval_start=START, data_interval_end=END), params(recheck=True)
    )
    assert request.kind is RunKind.SYNC
    assert request.recheck
    assert request.interval is None


def test_all_is_without_bounds() -> None:
    assert not run_request(Run(), params()).unbounded
    assert run_request(Run(), params(all=True)).unbounded


def test_now_is_at_any_hour() -> None:
    assert not run_request(Run(), params()).any_hour
    assert run_request(Run(), params(now=True)).any_hour


def test_a_backfill_has_its_interval() -> None:
    request = run_request(
        Run(run_type="backfill", data_interval_start=START, data_interval_end=END), params()
    )
    assert request.kind is RunKind.BACKFILL
    assert request.interval == (int(START.timestamp()), int(END.timestamp()))


def test_named_projects_are_normalized_and_each_once() -> None:
    request = run_request(Run(), params(projects=["Zope.Interface", "zope_interface", "Flask"]))
    assert request.kind is RunKind.SELECTED
    assert request.projects == ("zope-interface", "flask")


def test_fields_that_were_emptied_ask_for_nothing() -> None:
    emptied = dict.fromkeys(params())
    assert run_request(Run(), emptied) == run_request(Run(), params())
