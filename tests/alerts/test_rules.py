"""Each rule: when its condition holds, and when it does not."""

from dataclasses import replace
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.alerts.conditions import (
    ApprovalNeeded,
    AuditFails,
    DiskFilling,
    Parked,
    ProjectsParked,
    RunFails,
    RunOverdue,
    Stale,
    UpstreamSilent,
)
from pypi_mirror.alerts.notification_state import Told
from pypi_mirror.alerts.observation import DiskSight, EndedRun, RunningRun, Sight, WaitingPlan
from pypi_mirror.alerts.rules import SILENCE, TOLD_BY_ITSELF, conditions
from pypi_mirror.settings.values import Alerts

NOW = 1_700_000_000
HOUR, DAY = 3600, 86_400
DISK = DiskSight(path="/srv/pypi", free=500, reserve=100)
GOOD = EndedRun(label="good", failed=False, finished_at=NOW - 2 * HOUR, reason="no reason is known")
BAD = EndedRun(label="bad", failed=True, finished_at=NOW - HOUR, reason="1 of 4 projects failed")
WAITING = WaitingPlan(label="held", plan="abc", removes="6 projects", exceeded=("6 projects, 5 allowed",))


def sight(**changes: Any) -> Sight:
    return Sight(**{"now": NOW, "master": "https://index.example", "disk": DISK, **changes})


def told(about: str, *, ago: int = HOUR, title: str = "it broke") -> Told:
    return Told(since=NOW - ago, told_at=NOW - ago, title=title, about=(about,))


def test_a_mirror_of_which_all_is_well_needs_nobody() -> None:
    assert conditions(sight(lag_seconds=60, last_sync=GOOD, last_audit=GOOD), Alerts(), {}) == ()
    # Before the first complete sync nobody can say how far behind it is.
    assert conditions(sight(lag_seconds=None), Alerts(), {}) == ()


@pytest.mark.parametrize(("lag", "limit", "holds"), [(3599, 1, False), (3600, 1, True), (10**7, 0, False)])
def test_it_is_stale_once_it_is_behind_for_longer_than_the_limit(lag: int, limit: float, holds: bool) -> None:
    found = conditions(sight(lag_seconds=lag, cursor=5, upstream_serial=9), Alerts(stale_after=limit), {})
    assert [type(c) for c in found] == ([Stale] if holds else [])


def test_a_stale_mirror_says_what_keeps_it() -> None:
    stale = sight(lag_seconds=2 * DAY, cursor=5, upstream_serial=9)
    (nothing,) = conditions(replace(stale, last_sync=GOOD), Alerts(), {})
    assert "the DAG pypi_mirror is paused" in nothing.advice
    assert "upstream has moved on since" in nothing.details[1]
    (running,) = conditions(replace(stale, running=RunningRun(label="r", started_at=NOW)), Alerts(), {})
    assert "The run r is at work" in running.advice
    (closed,) = conditions(replace(stale, paused_until=NOW), Alerts(), {})
    assert "download-window is closed until 2023-11-14 22:13 UTC" in closed.advice
    waits, approval = conditions(replace(stale, waiting=WAITING), Alerts(), {})
    assert "waits for approval" in waits.advice
    assert isinstance(approval, ApprovalNeeded)


@pytest.mark.parametrize(
    ("silent", "limit", "holds"),
    [(SILENCE - 1, 24, False), (SILENCE, 24, True), (SILENCE, 0, True), (1800, 0.5, True)],
)
def test_an_upstream_is_away_after_an_hour_or_what_staleness_allows(
    silent: int, limit: float, holds: bool
) -> None:
    away = sight(silent_since=NOW - silent, trouble="connection refused")
    found = conditions(away, Alerts(stale_after=limit), {})
    assert [type(c) for c in found] == ([UpstreamSilent] if holds else [])


@pytest.mark.parametrize(
    ("disk", "days", "holds"),
    [
        (DISK, 14, False),
        (replace(DISK, full_at=NOW + 14 * DAY), 14, True),
        (replace(DISK, full_at=NOW + 15 * DAY), 14, False),
        (replace(DISK, free=100), 14, True),
        (replace(DISK, free=0, reserve=0), 14, False),
        (replace(DISK, free=100, full_at=NOW), 0, False),
    ],
)
def test_the_disk_fills_within_the_limit_or_is_full(disk: DiskSight, days: float, holds: bool) -> None:
    found = conditions(sight(disk=disk), Alerts(disk_days=days), {})
    assert [type(c) for c in found] == ([DiskFilling] if holds else [])


@pytest.mark.parametrize(("field", "kind"), [("last_sync", RunFails), ("last_audit", AuditFails)])
def test_a_failed_run_that_did_not_tell_of_itself_is_told(field: str, kind: type[RunFails]) -> None:
    (condition,) = conditions(sight(**{field: BAD}), Alerts(), {})
    assert type(condition) is kind
    assert condition.about == ("bad",)
    assert "1 of 4 projects failed" in condition.details[0]
    fresh = replace(BAD, finished_at=NOW - TOLD_BY_ITSELF + 1)
    assert conditions(sight(**{field: fresh}), Alerts(), {}) == ()


def test_a_failure_lasts_until_a_later_run_is_good() -> None:
    known = {"run-failed": told("gone", ago=HOUR)}
    # The run failed before the ledger knew of it: what the ledger has is older.
    for older in (None, GOOD, replace(BAD, finished_at=NOW - 3 * HOUR)):
        (condition,) = conditions(sight(last_sync=older), Alerts(), known)
        assert condition.about == ("gone",)
    newer = replace(GOOD, finished_at=NOW - 60)
    assert conditions(sight(last_sync=newer), Alerts(), known) == ()
    # One that failed a moment ago is still telling of itself.
    failing = replace(BAD, finished_at=NOW - 60)
    (condition,) = conditions(sight(last_sync=failing), Alerts(), known)
    assert condition.about == ("gone",)


def test_a_run_is_overdue_after_the_deadline_unless_a_person_keeps_it() -> None:
    run = RunningRun(label="long", started_at=NOW - 3 * HOUR)
    (condition,) = conditions(sight(running=run), Alerts(run_deadline=3), {})
    assert isinstance(condition, RunOverdue)
    assert conditions(sight(running=run), Alerts(run_deadline=4), {}) == ()
    assert conditions(sight(running=run), Alerts(run_deadline=0), {}) == ()
    waiting = replace(WAITING, label="long")
    (only,) = conditions(sight(running=run, waiting=waiting), Alerts(run_deadline=3), {})
    assert isinstance(only, ApprovalNeeded)


def test_an_overdue_run_of_airflow_stays_so_while_the_ledger_has_not_seen_its_end() -> None:
    known = {"run-overdue": told("long")}
    late = RunningRun(label="long", started_at=NOW - 60)
    for seen in (sight(running=late), sight(last_sync=GOOD), sight()):
        assert [c.about for c in conditions(seen, Alerts(), known)] == [("long",)]
    assert conditions(sight(last_sync=replace(GOOD, finished_at=NOW)), Alerts(), known) == ()


def test_silenced_projects_are_not_told_of() -> None:
    alpha = Parked(project=NormalizedName("alpha"), error="DigestMismatch", reason="sha256 is x")
    beta = replace(alpha, project=NormalizedName("beta"))
    limits = Alerts(silenced=(beta.project,))
    (condition,) = conditions(sight(parked=(alpha, beta)), limits, {})
    assert isinstance(condition, ProjectsParked)
    assert condition.projects == (alpha,)
    assert conditions(sight(parked=(beta,)), limits, {}) == ()
