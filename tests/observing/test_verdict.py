"""What is said of a mirror first: a table over its states."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from pypi_mirror.errors import Mistake
from pypi_mirror.model import RunState
from pypi_mirror.observing.overview import Disk, Left, Overview
from pypi_mirror.observing.verdict import Finding, Tone, Verdict, verdict
from tests.observing.figures import NOW, OVERVIEW

MINUTE, HOUR, DAY = 60, 3600, 86400
FULL = Disk(path="/srv", total=10**12, free=10**9, reserve=10**10)
FINE = Disk(path="/srv", total=10**12, free=10**11, reserve=10**10)
CURRENT = replace(
    OVERVIEW,
    cursor=1000,
    behind=0,
    lag_seconds=0,
    upstream_silent_since=None,
    backlog=0,
    parked=0,
    waiting=None,
    disk=FINE,
    running=None,
    left=None,
    last_run=RunState.SUCCESS,
)
WAITING = OVERVIEW.waiting
assert WAITING is not None

SILENT: dict[str, Any] = {"upstream_silent_since": NOW - timedelta(hours=3)}
FAILED: dict[str, Any] = {"last_run": RunState.FAILED, "last_reason": "2 of 12 projects failed"}
EMPTY: dict[str, Any] = {
    "cursor": None,
    "behind": None,
    "lag_seconds": None,
    "last_run": None,
    "updated_at": None,
    "checked_at": None,
}
ASKING: dict[str, Any] = {"waiting": WAITING, "running": WAITING.run, "last_run": RunState.RUNNING}

# What is so, and the states that are told of it in their order, the first with its tone and headline. A
# mirror is stale after a day.
STATES: tuple[tuple[dict[str, Any], str, str, tuple[str, ...]], ...] = (
    ({}, "good", "Up to date", ("up-to-date",)),
    ({"behind": 37, "lag_seconds": 12 * MINUTE}, "info", "37 events behind for 12 min", ("behind",)),
    ({"behind": 1, "lag_seconds": 61}, "info", "1 event behind for 1 min", ("behind",)),
    ({"behind": None, "lag_seconds": 90 * MINUTE}, "info", "Behind for 1 hour 30 minutes", ("behind",)),
    ({"behind": 5, "lag_seconds": DAY}, "info", "5 events behind for 24 h", ("behind",)),
    ({"behind": 5, "lag_seconds": DAY + 1}, "bad", "Stale: 5 events behind for 24 h", ("stale",)),
    (
        {"behind": 5, "lag_seconds": 3 * DAY, "running": "r"},
        "bad",
        "Stale: 5 events behind for 3 days",
        ("stale",),
    ),
    (FAILED, "bad", "The last run failed", ("run-failed",)),
    ({**FAILED, "backlog": 2}, "bad", "The last run failed", ("run-failed",)),
    ({**FAILED, "running": "r"}, "good", "Up to date", ("up-to-date",)),
    ({**FAILED, "lag_seconds": 2 * DAY, "behind": 5}, "bad", "Stale: 5 events behind for 2 days", ("stale",)),
    ({**FAILED, **SILENT}, "bad", "The last run failed", ("run-failed", "upstream-silent")),
    (SILENT, "warn", "Upstream has not answered for 3 h", ("upstream-silent",)),
    ({**SILENT, "behind": 5, "lag_seconds": HOUR}, "warn", "Upstream has not", ("upstream-silent", "behind")),
    ({**SILENT, "behind": 5, "lag_seconds": 2 * DAY}, "bad", "Stale: 5 events behind for 2 days", ("stale",)),
    (
        ASKING,
        "warn",
        "Awaiting approval to remove 501 projects, 502 files (503 bytes)",
        ("awaiting-approval",),
    ),
    ({**ASKING, "lag_seconds": 3 * DAY}, "bad", "Awaiting approval", ("awaiting-approval", "stale")),
    ({**ASKING, **SILENT}, "warn", "Awaiting approval", ("awaiting-approval", "upstream-silent")),
    ({**ASKING, "backlog": 1}, "warn", "Awaiting approval", ("awaiting-approval", "backlog")),
    ({"waiting": WAITING, **FAILED}, "warn", "Awaiting approval", ("awaiting-approval",)),
    ({"disk": FULL}, "bad", "The disk is full down to its reserve", ("disk-full",)),
    ({"disk": FULL, **ASKING}, "bad", "The disk is full", ("disk-full", "awaiting-approval")),
    ({"disk": FULL, **FAILED}, "bad", "The disk is full", ("disk-full", "run-failed")),
    (EMPTY, "warn", "Nothing is mirrored yet", ("empty",)),
    ({**EMPTY, "running": "r"}, "info", "The first sync is under way", ("first-sync",)),
    ({**EMPTY, **FAILED}, "bad", "The last run failed", ("run-failed",)),
    ({"lag_seconds": None}, "warn", "It is unknown how far the mirror is behind", ("lag-unknown",)),
    (
        {"checked_at": NOW - timedelta(days=3)},
        "warn",
        "Not compared with upstream for 3 days",
        ("not-compared",),
    ),
    ({"clock_ahead": 2 * HOUR}, "warn", "This machine's clock is 2 hours ahead", ("clock-ahead",)),
    (
        {"unknown_names": ("nunpy",)},
        "warn",
        "Upstream does not list 1 requested project",
        ("unknown-names",),
    ),
    (
        {"configuration_warnings": (Mistake(line=3, key="[mirror] verifiers", message="has no effect"),)},
        "warn",
        "1 warning about the configuration",
        ("configuration-warnings",),
    ),
    ({"backlog": 2}, "warn", "Up to date, except for 2 projects", ("backlog",)),
    ({"backlog": 2, "behind": 3, "lag_seconds": HOUR}, "warn", "2 projects failed", ("backlog", "behind")),
    (
        {"paused_until": NOW, "behind": 3, "lag_seconds": HOUR},
        "info",
        "3 events behind for 1 h",
        ("behind", "outside-window"),
    ),
    (
        {"left": Left(projects=12, bytes=3 * 10**9, runs=2)},
        "info",
        "12 projects, about 3.00 GB, left for later runs (about 2 runs)",
        ("left",),
    ),
)


LEFT = Left(projects=12, bytes=None, runs=None)


def test_what_the_run_under_way_takes_is_not_left_for_later_ones() -> None:
    assert judged({"left": LEFT, "running": "r"}).worst.state == "up-to-date"


def judged(changes: dict[str, Any], **more: Any) -> Verdict:
    seen: Overview = replace(CURRENT, **changes)
    return verdict(seen, stale_after=DAY, **more)


@pytest.mark.parametrize(("changes", "tone", "headline", "states"), STATES)
def test_each_state_has_one_verdict(
    changes: dict[str, Any], tone: str, headline: str, states: tuple[str, ...]
) -> None:
    found = judged(changes)
    assert (found.worst.state, *(each.state for each in found.others)) == states
    assert found.worst.tone == tone
    assert found.worst.headline.startswith(headline)


@pytest.mark.parametrize("changes", [changes for changes, *_ in STATES])
def test_all_that_is_wrong_says_what_to_do(changes: dict[str, Any]) -> None:
    found = judged(changes)
    every: list[Finding] = [found.worst, *found.others]
    assert [each.tone for each in every] == sorted((each.tone for each in every), key=list(Tone).index)
    for each in every:
        assert not each.headline[0].islower()
        assert each.headline[-1] != "."
        assert each.tone is Tone.GOOD or each.advice.endswith(".")
        assert (each.tone is Tone.GOOD) <= (len(every) == 1), "nothing is good while something is wrong"


def test_a_mirror_without_a_limit_is_never_stale() -> None:
    found = verdict(replace(CURRENT, behind=5, lag_seconds=9 * DAY), stale_after=None)
    assert (found.worst.state, found.worst.headline) == ("behind", "5 events behind for 9 days")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Start a run with Sync now"),
        ({"running": "r"}, "A run is under way"),
        (SILENT, "Upstream has not answered for 3 hours."),
        (FAILED, "The last run failed. 2 of 12 projects failed."),
        (ASKING, "approved or rejected"),
    ],
)
def test_a_stale_mirror_names_the_reason(changes: dict[str, Any], words: str) -> None:
    found = judged({"behind": 5, "lag_seconds": 2 * DAY, **changes})
    (stale,) = (each for each in (found.worst, *found.others) if each.state == "stale")
    assert words in stale.advice


def test_a_paused_dag_is_told() -> None:
    found = judged({}, switched_off=True)
    assert (found.worst.state, found.worst.tone) == ("switched-off", "warn")
    stale = judged({"lag_seconds": 2 * DAY}, switched_off=True)
    assert "The DAG pypi_mirror is paused" in stale.worst.advice
    assert stale.others == ()


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (
            replace(WAITING, grace_days=7),
            "Removed files stay on the disk for 7 days.",
        ),
        (
            replace(WAITING, grace_days=None),
            "Removed files stay on the disk: [mirror] delete-packages is off.",
        ),
    ],
)
def test_approvals_say_how_long_files_can_come_back(waiting: Any, words: str) -> None:
    assert words in judged({**ASKING, "waiting": waiting}).worst.advice


def test_a_run_that_nobody_answered_is_over() -> None:
    assert "After 24 hours the run fails" in judged(ASKING).worst.advice
    assert "Its run has ended" in judged({"waiting": WAITING, **FAILED}).worst.advice
