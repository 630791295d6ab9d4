"""Each rule: when its condition holds, and when it does not."""

from typing import Any

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.alerts.conditions import Parked, approval_needed
from pypi_mirror.alerts.notification_state import Notified
from pypi_mirror.alerts.rules import (
    OUTAGE,
    REPORTED_BY_RUN,
    EndedRun,
    Observation,
    ObservedDisk,
    RunningRun,
    conditions,
)
from pypi_mirror.settings.values import Alerts

NOW = 1_700_000_000
HOUR, DAY = 3600, 86_400
DISK = ObservedDisk(path="/srv/pypi", free=500, reserve=100)
GOOD = EndedRun(label="good", failed=False, finished_at=NOW - 2 * HOUR, reason="no reason was recorded")
BAD = EndedRun(label="bad", failed=True, finished_at=NOW - HOUR, reason="1 of 4 projects failed")
WAITING = approval_needed(
    label="held", plan="abc", would="remove 6 projects", exceeded=("6 projects, 5 allowed",)
)


def observed(**changes: Any) -> Observation:
    return Observation(**{"now": NOW, "master": "https://index.example", "disk": DISK, **changes})


def notified(about: str, *, ago: int = HOUR, title: str = "it broke") -> Notified:
    return Notified(since=NOW - ago, notified_at=NOW - ago, title=title, about=(about,))


def test_a_healthy_mirror_raises_no_alert() -> None:
    assert conditions(observed(lag_seconds=60, last_sync=GOOD, last_audit=GOOD), Alerts(), {}) == ()
    # Before the first complete sync nobody can say how far behind it is.
    assert conditions(observed(lag_seconds=None), Alerts(), {}) == ()


@pytest.mark.parametrize(("lag", "limit", "holds"), [(3599, 1, False), (3600, 1, True), (10**7, 0, False)])
def test_it_is_stale_once_it_is_behind_for_longer_than_the_limit(lag: int, limit: float, holds: bool) -> None:
    found = conditions(observed(lag_seconds=lag, cursor=5, upstream_serial=9), Alerts(stale_after=limit), {})
    assert [c.key for c in found] == (["stale"] if holds else [])


def test_a_stale_mirror_says_why() -> None:
    stale = observed(lag_seconds=2 * DAY, cursor=5, upstream_serial=9)
    (nothing,) = conditions(replace(stale, last_sync=GOOD), Alerts(), {})
    assert "the DAG pypi_mirror is paused" in nothing.advice
    assert "upstream has changed since" in nothing.details[1]
    (running,) = conditions(replace(stale, running=RunningRun(label="r", started_at=NOW)), Alerts(), {})
    assert "The run r is in progress" in running.advice
    (closed,) = conditions(replace(stale, paused_until=NOW), Alerts(), {})
    assert "download-window is closed until 2023-11-14 22:13 UTC" in closed.advice
    waits, approval = conditions(replace(stale, waiting=WAITING), Alerts(), {})
    assert "awaiting approval" in waits.advice
    assert approval.key == "approval-needed"


@pytest.mark.parametrize(
    ("seconds", "limit", "holds"),
    [(OUTAGE - 1, 24, False), (OUTAGE, 24, True), (OUTAGE, 0, True), (1800, 0.5, True)],
)
def test_an_upstream_is_away_after_an_hour_or_what_staleness_allows(
    seconds: int, limit: float, holds: bool
) -> None:
    away = observed(unreachable_since=NOW - seconds, upstream_error="connection refused")
    found = conditions(away, Alerts(stale_after=limit), {})
    assert [c.key for c in found] == (["upstream-unreachable"] if holds else [])


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
def test_the_disk_fills_within_the_limit_or_is_full(disk: ObservedDisk, days: float, holds: bool) -> None:
    found = conditions(observed(disk=disk), Alerts(disk_days=days), {})
    assert [c.key for c in found] == (["disk-filling"] if holds else [])


@pytest.mark.parametrize(("field", "key"), [("last_sync", "run-failed"), ("last_audit", "audit-failed")])
def test_a_failed_run_that_did_not_report_itself_is_an_alert(field: str, key: str) -> None:
    (condition,) = conditions(observed(**{field: BAD}), Alerts(), {})
    assert condition.key == key
    assert condition.about == ("bad",)
    assert "1 of 4 projects failed" in condition.details[0]
    fresh = replace(BAD, finished_at=NOW - REPORTED_BY_RUN + 1)
    assert conditions(observed(**{field: fresh}), Alerts(), {}) == ()


def test_a_failure_lasts_until_a_later_run_is_good() -> None:
    known = {"run-failed": notified("gone", ago=HOUR)}
    # The run failed before the ledger knew of it: what the ledger has is older.
    for older in (None, GOOD, replace(BAD, finished_at=NOW - 3 * HOUR)):
        (condition,) = conditions(observed(last_sync=older), Alerts(), known)
        assert condition.about == ("gone",)
    newer = replace(GOOD, finished_at=NOW - 60)
    assert conditions(observed(last_sync=newer), Alerts(), known) == ()
    # One that failed a moment ago is still reporting itself.
    failing = replace(BAD, finished_at=NOW - 60)
    (condition,) = conditions(observed(last_sync=failing), Alerts(), known)
    assert condition.about == ("gone",)


def test_a_run_is_overdue_after_the_deadline_unless_it_awaits_approval() -> None:
    run = RunningRun(label="long", started_at=NOW - 3 * HOUR)
    (condition,) = conditions(observed(running=run), Alerts(run_deadline=3), {})
    assert condition.key == "run-overdue"
    assert conditions(observed(running=run), Alerts(run_deadline=4), {}) == ()
    assert conditions(observed(running=run), Alerts(run_deadline=0), {}) == ()
    waiting = replace(WAITING, label="long")
    (only,) = conditions(observed(running=run, waiting=waiting), Alerts(run_deadline=3), {})
    assert only.key == "approval-needed"


def test_silenced_projects_raise_no_alert() -> None:
    alpha = Parked(project=NormalizedName("alpha"), error="DigestMismatch", reason="sha256 is x")
    beta = replace(alpha, project=NormalizedName("beta"))
    limits = Alerts(silenced=(beta.project,))
    (condition,) = conditions(observed(parked=(alpha, beta)), limits, {})
    assert condition.key == "projects-parked"
    assert condition.about == ("alpha: DigestMismatch",)
    assert conditions(observed(parked=(beta,)), limits, {}) == ()
