"""The backlog: attempts, delays, parking, and what an entry waits for."""

import pytest

from pypi_mirror.ledger.backlog import PARKED_AFTER
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import NOON, Hands, begin, failed, name, planned, removed, synced, unchanged

HOUR = 3600


def test_delays_double_up_to_a_day_and_then_a_week(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    delays = []
    for attempt in range(1, PARKED_AFTER + 3):
        clock.now += 10
        results.record([failed(planned("a"), f"reason {attempt}")])
        [entry] = ledger.backlog.all()
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
    assert [e.project for e in ledger.backlog.all()] == ["b"]
    results.record([failed(planned("a"))])
    assert {e.project: e.attempts for e in ledger.backlog.all()} == {"a": 1, "b": 1}, "counted anew"


def test_an_older_page_does_not_end_the_wait_for_an_event(ledger: Ledger) -> None:
    """Asked for by name, a stale page is taken as it is; the cursor has passed the event."""
    _, results = begin(ledger)
    results.record([failed(planned("a", serial=9, exact=True), "the page is stale")])
    results.record([synced(ledger, planned("a"), serial=8)])
    assert [(e.serial, e.exact) for e in ledger.backlog.all()] == [(9, True)]
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
        seen += [(e.serial, e.exact) for e in ledger.backlog.all()]
    assert seen == [(3, False), (9, True), (9, True), (9, True), (9, True), (10, True)]


def test_forgetting(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([failed(planned(n)) for n in "abc"])
    ledger.backlog.forget([name("a"), name("c"), name("not there")])
    ledger.backlog.forget([])
    assert [e.project for e in ledger.backlog.all()] == ["b"]
    assert ledger.backlog.count() == 1


def test_a_run_that_died_was_a_failure(ledger: Ledger) -> None:
    dead = ledger.runs.begin(RunRequest(label="dead"))
    ledger.runs.begin(RunRequest(label="next"))
    found = ledger.runs.get(dead.id)
    assert (found.state.value, found.finished_at) == ("failed", NOON)
    assert found.outcome is not None
    assert found.outcome.reason == "ended without a report; found dead by next"
