"""The words of every condition, as golden text: who changes them sees what people will read."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.alerts.conditions import (
    ENDED,
    MOST_NAMED,
    Condition,
    Parked,
    Replaced,
    approval_needed,
    audit_failed,
    files_replaced,
    projects_parked,
    run_failed,
    run_overdue,
)
from pypi_mirror.alerts.rules import Observation, ObservedDisk, conditions
from pypi_mirror.settings.values import Alerts

NOW = 1_700_000_000
HOUR, DAY = 3600, 86_400
ALPHA = Parked(project=NormalizedName("alpha"), error="StalePage", reason="the page is of serial 3")

ROOMY = ObservedDisk(path="/srv", free=9 * 10**9, reserve=10**9)


def observed(**changes: Any) -> Condition:
    """The one condition that holds of such a mirror."""
    seen = Observation(**{"now": NOW, "master": "https://index.example", "disk": ROOMY, **changes})
    (condition,) = conditions(seen, Alerts(), {})
    return condition


EVERY: tuple[tuple[Condition, tuple[str, ...]], ...] = (
    (
        observed(lag_seconds=30 * HOUR, cursor=5, upstream_serial=9),
        ("the mirror has been behind upstream for 30 hours",
         "behind since 2023-11-13 16:13 UTC: the mirror is at serial 5, upstream at 9"),
    ),
    (
        observed(unreachable_since=NOW - 70 * 60, upstream_error="refused"),
        ("upstream has been unreachable for 1 hour 10 minutes",
         "https://index.example has not answered since 2023-11-14 21:03 UTC: refused"),
    ),
    (
        observed(disk=replace(ROOMY, free=3 * 10**9, full_at=NOW + 5 * DAY, bytes_a_day=4 * 10**8)),
        ("the disk is expected to be full in 5 days",
         "/srv has 3.00 GB free, of which 1.00 GB are reserved",
         "only the reserve will be left at 2023-11-19 22:13 UTC",
         "it fills by 400 MB a day"),
    ),
    (
        observed(disk=replace(ROOMY, free=10**9)),
        ("the disk is down to its reserve; downloads have stopped",
         "/srv has 1.00 GB free, of which 1.00 GB are reserved"),
    ),
    (
        run_failed(label="scheduled__1", failed_at=NOW, reason="1 of 4 projects failed"),
        ("the last run failed: scheduled__1",
         "failed at 2023-11-14 22:13 UTC: 1 of 4 projects failed"),
    ),
    (
        audit_failed(label="audit 1", failed_at=NOW, reason="2 of 2 faults were not repaired"),
        ("the last audit failed: audit 1",
         "failed at 2023-11-14 22:13 UTC: 2 of 2 faults were not repaired"),
    ),
    (
        run_overdue(label="scheduled__1", started_at=NOW, hours=1.5),
        ("a run has taken longer than 1.5 hours: scheduled__1", "started at 2023-11-14 22:13 UTC"),
    ),
    (
        approval_needed(label="scheduled__1", plan="abc", would="remove 6 projects, 9 files (2 kB)",
                        exceeded=("6 projects, 5 are allowed",)),
        ("a plan is awaiting approval to remove 6 projects, 9 files (2 kB)",
         "limit: 6 projects, 5 are allowed"),
    ),
    (
        projects_parked((ALPHA,)),
        ("1 project failed too often and is parked", "alpha: StalePage: the page is of serial 3"),
    ),
    (
        files_replaced((Replaced(project=ALPHA.project, filename="alpha-1.0.tar.gz", reason="size 3"),)),
        ("upstream offers other bytes under 1 known file name", "alpha: alpha-1.0.tar.gz: size 3"),
    ),
)  # fmt: skip


def test_each_says_what_it_is() -> None:
    for condition, words in EVERY:
        assert (condition.title, *condition.details) == words
        assert condition.advice.endswith(".")


def test_each_key_is_one_conditions_and_none_is_forgotten() -> None:
    assert {condition.key for condition, _ in EVERY} == set(ENDED)
    assert all(ENDED.values())


def test_a_long_list_is_cut_off_and_says_so() -> None:
    many = projects_parked((ALPHA,) * (MOST_NAMED + 7))
    assert len(many.details) == MOST_NAMED + 1
    assert many.details[-1] == "and 7 projects more; see the backlog"
    assert many.title == f"{MOST_NAMED + 7} projects failed too often and are parked"


def test_the_runbook_has_a_heading_for_each() -> None:
    runbook = Path(__file__).parents[2] / "docs" / "operations.md"
    headings = {line.removeprefix("### ") for line in runbook.read_text().splitlines()}
    assert {*ENDED, "watch-failed"} - headings == set()
