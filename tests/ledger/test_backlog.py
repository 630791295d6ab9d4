"""The backlog: attempts, delays, parking, and what an entry waits for."""

import pytest
from msgspec.structs import replace

from pypi_mirror.ledger.backlog import PARKED_AFTER, BacklogEntry
from pypi_mirror.ledger.results import Synced
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Loss, PlannedProject
from tests.ledger.samples import (
    NOON,
    Hands,
    begin,
    failed,
    missing,
    name,
    planned,
    removed,
    synced,
    unchanged,
)

HOUR = 3600


def lagging(ledger: Ledger) -> list[BacklogEntry]:
    return [entry for entry in ledger.backlog.all() if entry.lagging]


def test_delays_double_up_to_a_day_and_then_a_week(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    delays = []
    for attempt in range(1, PARKED_AFTER + 3):
        clock.now += 10
        results.record([failed(planned("a"), f"reason {attempt}")])
        [entry] = ledger.backlog.failed()
        assert (entry.attempts, entry.reason) == (attempt, f"reason {attempt}")
        assert (entry.first_failed_at, entry.last_failed_at) == (NOON + 10, clock.now)
        assert entry.parked == (attempt >= PARKED_AFTER)
        delays.append((entry.next_try_at - clock.now) / HOUR)
    assert delays == [0.25, 0.5, 1, 2, 4, 8, 16, 24, 24, 168, 168, 168]


def test_an_entry_is_due_when_its_time_has_come(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    results.record([failed(planned("b"))])
    clock.now += 1
    results.record([failed(planned("a"))])
    clock.now = NOON + 15 * 60 - 1
    assert ledger.backlog.due() == []
    clock.now += 1
    assert [e.project for e in ledger.backlog.due()] == ["b"]
    clock.now += 1
    assert [e.project for e in ledger.backlog.due()] == ["b", "a"], "oldest first"


def test_a_clock_that_was_ahead_by_years_makes_nobody_wait_for_years(ledger: Ledger, clock: Hands) -> None:
    clock.now = NOON + 3 * 365 * 24 * HOUR
    _, results = begin(ledger, clock=clock)
    results.record([failed(planned("a"))])
    clock.now = NOON
    assert [e.project for e in ledger.backlog.due()] == ["a"]


def test_the_first_run_that_failed_stays_known(ledger: Ledger) -> None:
    first, results = begin(ledger, "first")
    results.record([failed(planned("a"))])
    ledger.lease.release("first")
    second, results = begin(ledger, "second")
    results.record([failed(planned("a")), failed(planned("b"))])
    entries = ledger.backlog.of_run(second.id, [name("a"), name("b"), name("c")])
    assert {e.project: e.first_run_id for e in entries} == {"a": first.id, "b": second.id}
    assert [e.project for e in ledger.backlog.of_run(second.id, [name("b")])] == ["b"]


@pytest.mark.parametrize("how", ["synced", "unchanged", "removed"])
def test_success_of_any_kind_ends_it(ledger: Ledger, how: str) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), serial=3)])
    results.record([failed(planned("a", serial=4, exact=True)), failed(planned("b"))])
    plan = planned("a", serial=4, exact=True)
    match how:
        case "synced":
            results.record([synced(ledger, plan, serial=4)])
        case "unchanged":
            results.record([unchanged(ledger, plan, serial=5)])
        case _:
            results.record([removed(ledger, plan)])
    assert [e.project for e in ledger.backlog.failed()] == ["b"]
    results.record([failed(planned("a"))])
    assert {e.project: e.attempts for e in ledger.backlog.failed()} == {"a": 1, "b": 1}, "counted from zero"


def test_an_older_page_does_not_end_the_wait_for_an_event(ledger: Ledger) -> None:
    """Asked for by name, a stale page is taken as it is; the cursor has passed the event."""
    _, results = begin(ledger)
    results.record([failed(planned("a", serial=9, exact=True), "the page is stale")])
    results.record([synced(ledger, planned("a"), serial=8)])
    assert [(e.serial, e.exact) for e in ledger.backlog.failed()] == [(9, True)]
    results.record([unchanged(ledger, planned("a"))])
    assert ledger.backlog.count() == 1, "a page without a serial proves nothing"
    results.record([synced(ledger, planned("a"), serial=9)])
    assert ledger.backlog.count() == 0


def test_a_failure_does_not_forget_what_an_earlier_one_waits_for(ledger: Ledger) -> None:
    _, results = begin(ledger)
    seen = []
    for plan in (
        planned("a", serial=3),
        planned("a", serial=9, exact=True),
        planned("a"),
        planned("a", serial=8, exact=True),
        planned("a", serial=12),
        planned("a", serial=10, exact=True),
    ):
        results.record([failed(plan)])
        seen += [(e.serial, e.exact) for e in ledger.backlog.failed()]
    assert seen == [(3, False), (9, True), (9, True), (9, True), (9, True), (10, True)]


def test_a_page_older_than_announced_is_looked_at_again_and_is_no_failure(
    ledger: Ledger, clock: Hands
) -> None:
    run, results = begin(ledger, clock=clock)
    results.record([synced(ledger, planned("a", serial=10), serial=4)])
    [entry] = lagging(ledger)
    assert (entry.project, entry.serial, entry.exact, entry.parked) == ("a", 10, False, False)
    assert entry.reason == "the page is of serial 4, upstream announced 10; it is looked at again"
    assert ledger.backlog.failed() == ledger.backlog.of_run(run.id, [name("a")]) == []
    assert ledger.backlog.count() == 0
    delays = []
    while looks := lagging(ledger):
        delays.append((looks[0].next_try_at - clock.now) / HOUR)
        clock.now = looks[0].next_try_at - 1
        assert ledger.backlog.due() == []
        results.record([unchanged(ledger, planned("a", serial=10), serial=4)])
        assert lagging(ledger) == looks, "a look before its time does not count"
        clock.now += 1
        assert ledger.backlog.due() == looks
        results.record([unchanged(ledger, planned("a", serial=10))])
    assert delays == [0.25, 0.5, 1, 2]
    results.record([unchanged(ledger, planned("a", serial=10), serial=4)])
    assert lagging(ledger) == [], "given up for good"
    results.record([unchanged(ledger, planned("a", serial=11), serial=4)])
    assert [(e.serial, e.attempts) for e in lagging(ledger)] == [(11, 1)]


@pytest.mark.parametrize("how", ["synced", "unchanged", "removed"])
def test_what_ends_the_wait_for_an_announced_serial(ledger: Ledger, how: str) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a", serial=10), serial=4)])
    results.record([synced(ledger, planned("a"), serial=9)])
    assert [e.serial for e in lagging(ledger)] == [10], "9 is not 10"
    match how:
        case "synced":
            results.record([synced(ledger, planned("a"), serial=10)])
        case "unchanged":
            results.record([unchanged(ledger, planned("a"), serial=10)])
        case _:
            results.record([removed(ledger, planned("a"))])
    assert lagging(ledger) == []


def test_without_serials_nothing_lags(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a")), synced(ledger, planned("b", serial=10))])
    results.record([synced(ledger, planned("a"), serial=3)])
    assert lagging(ledger) == []


def test_a_page_older_than_the_one_we_had_lags_whoever_asked(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), serial=7)])
    results.record([synced(ledger, planned("a"), serial=6)])
    assert [(e.project, e.serial) for e in lagging(ledger)] == [("a", 7)]


def test_a_lagging_project_that_fails_fails_for_the_first_time(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, "first", clock=clock)
    results.record([synced(ledger, planned("a", serial=10), serial=4)])
    clock.now += HOUR
    results.record([unchanged(ledger, planned("a", serial=10))])
    ledger.lease.release("first")
    second, results = begin(ledger, "second", clock=clock)
    results.record([failed(planned("a"))])
    assert lagging(ledger) == []
    [entry] = ledger.backlog.failed()
    assert (entry.first_run_id, entry.first_failed_at, entry.attempts) == (second.id, clock.now, 1)
    assert (entry.serial, entry.exact, entry.error) == (10, False, "UpstreamError")
    results.record([synced(ledger, planned("a"), serial=9)])
    assert ledger.backlog.failed() == []
    assert [(e.serial, e.attempts) for e in lagging(ledger)] == [(10, 1)], "nor is it forgotten then"


@pytest.mark.parametrize(("announced", "kept"), [(8, None), (12, 12)])
def test_a_lagging_look_keeps_a_failure_that_waits_for_an_event(
    ledger: Ledger, announced: int, kept: int | None
) -> None:
    _, results = begin(ledger)
    results.record([failed(planned("a", serial=9, exact=True), "the page is stale")])
    [before] = ledger.backlog.failed()
    results.record([synced(ledger, planned("a", serial=announced), serial=4)])
    assert ledger.backlog.failed() == [replace(before, announced=kept)]
    assert lagging(ledger) == []


@pytest.mark.parametrize("how", ["an older page", "a failure", "a failure before"])
def test_what_was_announced_meanwhile_outlives_the_wait_for_an_event(ledger: Ledger, how: str) -> None:
    _, results = begin(ledger)
    event = failed(planned("a", serial=9, exact=True), "the page is stale")
    announced = failed(planned("a", serial=12))
    match how:
        case "an older page":
            results.record([event])
            results.record([synced(ledger, planned("a", serial=12), serial=4)])
        case "a failure":
            results.record([event])
            results.record([announced])
        case _:
            results.record([announced])
            results.record([event])
    assert [(e.serial, e.exact, e.announced) for e in ledger.backlog.failed()] == [(9, True, 12)]
    results.record([synced(ledger, planned("a", serial=9, exact=True), serial=10)])
    assert [(e.serial, e.exact, e.announced) for e in lagging(ledger)] == [(12, False, None)]
    results.record([synced(ledger, planned("a", serial=12), serial=12)])
    assert ledger.backlog.all() == []


def test_an_event_past_what_was_announced_needs_no_second_serial(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([failed(planned("a", serial=12))])
    results.record([failed(planned("a", serial=13, exact=True))])
    assert [(e.serial, e.exact, e.announced) for e in ledger.backlog.failed()] == [(13, True, None)]


def test_the_later_word_says_whether_a_project_is_gone(ledger: Ledger) -> None:
    _, results = begin(ledger)
    seen = []
    for plan in (
        planned("a", serial=3, exact=True, gone=True),
        planned("a"),
        planned("a", serial=2, exact=True),
        planned("a", serial=5),
        planned("a", serial=8, gone=True),
        planned("a", serial=6, exact=True),
        planned("a", serial=9, exact=True),
    ):
        results.record([failed(plan)])
        seen += [(e.serial, e.announced, e.gone) for e in ledger.backlog.failed()]
    assert seen == [
        (3, None, True),
        (3, None, True),
        (3, None, True),
        (3, 5, False),
        (3, 8, True),
        (6, 8, True),
        (9, None, False),
    ]


def test_a_page_that_is_missing_is_looked_at_again(ledger: Ledger, clock: Hands) -> None:
    """As often as one that lags where an index announced it; until it comes where an event did."""
    _, results = begin(ledger, clock=clock)
    announced, event = planned("a", serial=9), planned("b", serial=9, exact=True)
    looks = []
    for _ in range(8):
        results.record([missing(ledger, plan) for plan in (announced, event)])
        looks.append({str(e.project): e.attempts for e in lagging(ledger)})
        clock.now += 48 * HOUR
    assert [each.get("a") for each in looks] == [1, 2, 3, 4, None, 1, 2, 3]
    assert [each["b"] for each in looks] == [1, 2, 3, 4, 5, 6, 7, 8]
    results.record([synced(ledger, event, serial=9)])
    assert {e.project for e in lagging(ledger)} == {"a"}


def test_a_page_of_what_no_index_lists_is_looked_at_again(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    results.record([synced(ledger, planned("a"), serial=4)])
    unlisted = planned("a", serial=9, gone=True)
    results.record([unchanged(ledger, unlisted, serial=4)])
    [entry] = lagging(ledger)
    assert (entry.serial, entry.exact, entry.gone) == (9, False, True)
    assert "upstream's index of serial 9 does not list the project" in entry.reason
    results.record([unchanged(ledger, unlisted, serial=10)])
    assert lagging(ledger) == [], "it was created again after the index"
    results.record([unchanged(ledger, planned("a", serial=12, gone=True), serial=4)])
    results.record([synced(ledger, unlisted, serial=4, status="quarantined")])
    assert lagging(ledger) == [], "what is quarantined is in no index"


def waiting(ledger: Ledger, plan: PlannedProject) -> Synced:
    """A project that keeps its page, since upstream's lost a file after the plan was made."""
    return replace(unchanged(ledger, plan), waits=Loss(project=False, files=1, bytes=10))


@pytest.mark.parametrize("before", ["nothing", "a failure", "a lagging page"])
def test_what_is_put_off_is_looked_at_by_the_next_run(ledger: Ledger, clock: Hands, before: str) -> None:
    """It did not fail, and what was waited for before is waited for still."""
    _, results = begin(ledger, "first", clock=clock)
    results.record([synced(ledger, planned("a"), serial=3)])
    match before:
        case "a failure":
            results.record([failed(planned("a", serial=9, exact=True))] * 3)
        case "a lagging page":
            results.record([unchanged(ledger, planned("a", serial=9), serial=3)])
    ledger.lease.release("first")
    run, results = begin(ledger, "second", clock=clock)
    clock.now += 1
    results.record([waiting(ledger, planned("a", serial=5, exact=True))])
    assert ledger.backlog.failed() == []
    [entry] = ledger.backlog.due()
    assert (entry.project, entry.first_run_id, entry.parked, entry.lagging) == ("a", run.id, False, True)
    expected = {"nothing": (5, True, None), "a failure": (9, True, None), "a lagging page": (5, True, 9)}
    assert (entry.serial, entry.exact, entry.announced) == expected[before]
    results.record([failed(planned("a"))])
    [entry] = ledger.backlog.failed()
    assert (entry.attempts, entry.serial) == (1, expected[before][0])


def test_what_is_put_off_while_it_goes_is_gone_for_the_next_run_too(ledger: Ledger, clock: Hands) -> None:
    """Or the next one would take the event for one that says that there is such a project."""
    _, results = begin(ledger, clock=clock)
    results.record([synced(ledger, planned("a"), serial=3)])
    results.record([waiting(ledger, planned("a", serial=5, exact=True, gone=True))])
    [entry] = ledger.backlog.due()
    assert (entry.serial, entry.exact, entry.gone) == (5, True, True)


def test_a_page_that_followed_ends_what_was_put_off(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), serial=3), synced(ledger, planned("b"), serial=3)])
    results.record([waiting(ledger, planned("a", serial=5)), waiting(ledger, planned("b"))])
    assert [e.project for e in ledger.backlog.due()] == ["a", "b"]
    results.record(
        [synced(ledger, planned("a", serial=5), serial=5), unchanged(ledger, planned("b"), serial=3)]
    )
    assert ledger.backlog.all() == []


def test_retrying_makes_due_and_remembers_the_attempts(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    for _ in range(PARKED_AFTER):
        results.record([failed(planned("a")), failed(planned("b"))])
    ledger.backlog.retry([name("a"), name("not there")])
    ledger.backlog.retry([])
    assert [e.project for e in ledger.backlog.due()] == ["a"]
    assert {e.project: (e.parked, e.attempts) for e in ledger.backlog.all()} == {
        "a": (False, PARKED_AFTER),
        "b": (True, PARKED_AFTER),
    }
    results.record([failed(planned("a"))])
    assert ledger.backlog.count_parked() == 2


def test_forgetting(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([failed(planned(n)) for n in "abc"])
    ledger.backlog.forget([name("a"), name("c"), name("not there")])
    ledger.backlog.forget([])
    assert [e.project for e in ledger.backlog.failed()] == ["b"]
    assert ledger.backlog.count() == 1


def test_a_run_that_died_was_a_failure(ledger: Ledger) -> None:
    dead = ledger.runs.begin(RunRequest(label="dead"))
    ledger.runs.begin(RunRequest(label="next"))
    found = ledger.runs.get(dead.id)
    assert (found.state.value, found.finished_at) == ("failed", NOON)
    assert found.outcome is not None
    assert found.outcome.reason == "did not finish (killed?); detected by next"
