"""Which pages a plan needs that the catalogue has not, what is read of them, and what is decided by it."""

from typing import Any

import pytest
from msgspec.structs import replace

from pypi_mirror.catalogue import ENCODING, Entry, EntryState
from pypi_mirror.errors import LeaseLost
from pypi_mirror.ledger.catalogue import Confirmed, write_entries
from pypi_mirror.ledger.cutting import LEFT
from pypi_mirror.ledger.page_reads import PageRead, PageReads
from pypi_mirror.ledger.plan import PlanTotals
from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Action, PlannedProject, PlanState
from tests.ledger.samples import NOON, Hands, begin, failed, name, planned, synced

# When the run began.
BEGAN = NOON
BEFORE = NOON - 60
OLDER_ENCODING = ENCODING - 1


def entry(project: str = "a", **changes: Any) -> Entry:
    """A page of serial 5 that was read before the run."""
    page = Entry(
        project=name(project), state=EntryState.PAGE, serial=5, announced=5, checked_at=BEFORE,
        etag='"five"', digest=b"5" * 16, encoding=ENCODING, body=b"page",
    )  # fmt: skip
    return replace(page, **changes)


def gone(**changes: Any) -> Entry:
    return entry(**{"state": EntryState.GONE, "serial": None, "etag": None, "body": b"", **changes})


def write(ledger: Ledger, *entries: Entry) -> None:
    with ledger.engine.begin() as connection:
        write_entries(connection, entries)


def unread(ledger: Ledger, run: Run) -> list[str]:
    return [each.project for each in ledger.plan.unread(run.id, 100)]


def reads(ledger: Ledger, run: Run, clock: Hands) -> PageReads:
    return PageReads(ledger.engine, clock, run.id)


# What the plan wants, what the catalogue has, and whether upstream has to be asked.
CASES: list[tuple[str, dict[str, Any], Entry | None, bool]] = [
    ("nothing was read", {"serial": 5}, None, True),
    ("as the index has it", {"serial": 5}, entry(), False),
    ("older than the index has it", {"serial": 6}, entry(), True),
    ("a role event moved the index, and the page was confirmed", {"serial": 6}, entry(announced=6), False),
    ("newer than the index has it", {"serial": 4}, entry(), False),
    ("of the event", {"serial": 5, "exact": True}, entry(), False),
    ("older than the event, though it was announced", {"serial": 6, "exact": True}, entry(announced=6), True),
    ("no serial to compare with", {}, entry(), True),
    ("a page without a serial", {"serial": 5}, entry(serial=None, announced=None), True),
    ("a page without a serial of an event", {"serial": 5, "exact": True}, entry(serial=None), True),
    ("gone, as the event says", {"serial": 5, "exact": True, "gone": True}, gone(), False),
    ("gone, as the index says", {"serial": 5, "gone": True}, gone(announced=7), False),
    ("gone at an older event", {"serial": 6, "exact": True, "gone": True}, gone(), True),
    ("gone, and nobody says at which serial", {"gone": True}, gone(), True),
    ("gone, and announced since", {"serial": 5}, gone(), True),
    ("gone, and an event since", {"serial": 5, "exact": True}, gone(), True),
    ("of another encoding", {"serial": 5}, entry(encoding=OLDER_ENCODING), True),
    ("another look is asked for", {"serial": 5, "unread": True}, entry(), True),
]  # fmt: skip


@pytest.mark.parametrize(("why", "wants", "has", "is_asked"), CASES, ids=[case[0] for case in CASES])
def test_upstream_is_asked_for_what_the_catalogue_has_not_as_new(
    ledger: Ledger, why: str, wants: dict[str, Any], has: Entry | None, is_asked: bool
) -> None:
    run, _ = begin(ledger, plan=[planned("a", **{"unread": False, **wants})])
    write(ledger, entry("another", announced=99, checked_at=BEGAN), *([] if has is None else [has]))
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert (unread(ledger, run) == ["a"]) is is_asked, why
    assert ledger.plan.count_unread(run.id) == is_asked
    assert ([p.project for p in ledger.plan.to_decide(run.id, "all")] == ["a"]) is not is_asked
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert (unread(ledger, run) == ["a"]) is is_asked, "to ask again changes nothing"


READ = [(why, wants, has) for why, wants, has, _ in CASES if has is not None]


@pytest.mark.parametrize(("why", "wants", "has"), READ, ids=[case[0] for case in READ])
def test_what_was_read_in_this_run_is_not_asked_for_again(
    ledger: Ledger, why: str, wants: dict[str, Any], has: Entry
) -> None:
    """Whatever it said: a page that is too old, or of which nobody knows, would be so again."""
    run, _ = begin(ledger, plan=[planned("a", **{"unread": False, **wants})])
    # Who reads notes what was announced.
    write(ledger, replace(has, checked_at=BEGAN + 1, announced=wants.get("serial", has.announced)))
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert (unread(ledger, run) == ["a"]) is (has.encoding != ENCODING), why


@pytest.mark.parametrize("announced", [{"exact": True}, {"exact": True, "gone": True}, {"gone": True}, {}])
@pytest.mark.parametrize("has", [entry(checked_at=BEGAN + 1), gone(checked_at=BEGAN + 1)])
@pytest.mark.parametrize("is_asked", [True, False])
def test_what_was_announced_after_it_was_read_is_asked_for(
    ledger: Ledger, announced: dict[str, Any], has: Entry, is_asked: bool
) -> None:
    """A run that is retried is of the time of its first try, and hears of more events."""
    run, _ = begin(ledger, plan=[planned("a", serial=6, unread=is_asked, **announced)])
    write(ledger, has)
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert unread(ledger, run) == ["a"]


def test_a_clock_that_was_ahead_by_years_has_read_nothing(ledger: Ledger) -> None:
    """Or events of years would be taken for read."""
    run, _ = begin(ledger, plan=[planned("a", serial=6, exact=True, unread=False), planned("b", serial=5)])
    years = NOON + 3 * 365 * 24 * 3600
    write(ledger, entry(checked_at=years), entry("b", checked_at=years))
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert unread(ledger, run) == ["a", "b"]


def test_nobody_is_asked_about_what_is_removed_done_or_left(ledger: Ledger) -> None:
    run, results = begin(
        ledger,
        plan=[planned("removed", action=Action.REMOVE), *(planned(each) for each in ("done", "now", "over"))],
    )
    results.record([synced(ledger, planned("done"))])
    ledger.plan.choose_turns(run.id, first=[name("now")], most=1)
    ledger.plan.note_unread(run.id, since=BEGAN, now=NOON)
    assert unread(ledger, run) == ["now"]
    assert ledger.plan.count_unread(run.id) == 1
    assert [p.project for p in ledger.plan.to_decide(run.id, "all")] == ["removed"]


def test_pages_are_read_in_the_order_of_the_turns(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned("a"), planned("b"), planned("c", gone=True), planned("d")])
    ledger.plan.choose_turns(run.id, first=[name("d")], most=None)
    assert unread(ledger, run) == ["c", "d", "a", "b"]


@pytest.mark.parametrize("projects", [0, 1, 2, 7, 8, 9, 40])
@pytest.mark.parametrize("number", [1, 2, 3, 8])
def test_ranges_hold_each_page_once_and_are_about_as_large(
    ledger: Ledger, projects: int, number: int
) -> None:
    names = [f"p{each:02}" for each in range(projects)]
    run, _ = begin(ledger, plan=[*map(planned, names), planned("p05-removed", action=Action.REMOVE)])
    ranges = ledger.plan.unread_ranges(run.id, number)
    found = [[each.project for each in ledger.plan.unread(run.id, 100, within)] for within in ranges]
    assert [each for one in found for each in one] == names
    assert len(found) <= number
    assert {len(one) for one in found[:-1]} <= {-(-projects // number)}


def test_a_group_of_pages_is_recorded(ledger: Ledger, clock: Hands) -> None:
    plan = [planned(each, serial=9) for each in ("confirmed", "fresh", "gone", "lost", "new", "not-yet")]
    run, _ = begin(ledger, plan=plan, clock=clock)
    write(ledger, *(entry(each) for each in ("confirmed", "fresh", "gone", "lost")))
    by_name = {each.project: each for each in plan}

    def read(project: str, found: Entry | None = None, confirmed: Confirmed | None = None) -> PageRead:
        return PageRead(planned=by_name[name(project)], entry=found, confirmed=confirmed)

    clock.now += 5
    reads(ledger, run, clock).record(
        [
            read("confirmed", confirmed=Confirmed(project=name("confirmed"), serial=7, announced=9)),
            read("fresh"),
            read("gone", gone(project=name("gone"), announced=9, checked_at=NOON + 5)),
            read("new", entry("new", serial=9, announced=9, checked_at=NOON + 5)),
            failed(by_name[name("lost")]),
        ]
    )
    found = ledger.catalogue.entries([each.project for each in plan])
    assert found == {
        "confirmed": entry("confirmed", serial=7, announced=9, checked_at=NOON + 5),
        "fresh": entry("fresh"),
        "gone": gone(project=name("gone"), announced=9, checked_at=NOON + 5),
        "lost": entry("lost"),
        "new": entry("new", serial=9, announced=9, checked_at=NOON + 5),
    }
    assert unread(ledger, run) == ["not-yet"], "where a run that dies now goes on"
    assert [p.project for p in ledger.plan.to_decide(run.id, "all")] == ["confirmed", "fresh", "gone", "new"]
    assert ledger.plan.failed(run.id) == ["lost"]
    [waiting] = ledger.backlog.all()
    assert (waiting.project, waiting.reason, waiting.attempts) == ("lost", "it broke", 1)


def test_a_group_of_pages_is_recorded_whole_or_not_at_all(ledger: Ledger, clock: Hands) -> None:
    run, _ = begin(ledger, plan=[planned("a"), planned("b")])
    good = PageRead(planned=planned("a"), entry=entry(), confirmed=None)
    ledger.lease.release("a run")
    ledger.lease.take("another run")
    with pytest.raises(LeaseLost, match="another run"):
        reads(ledger, run, clock).record([good, failed(planned("b"))])
    assert ledger.catalogue.entries([name("a")]) == {}
    assert unread(ledger, run) == ["a", "b"]
    assert ledger.backlog.all() == []


def test_pages_of_one_run_leave_another_plan_alone(ledger: Ledger, clock: Hands) -> None:
    first, _ = begin(ledger, "first", [planned("a"), planned("b")])
    ledger.lease.release("first")
    second, _ = begin(ledger, "second", [planned("a"), planned("b")])
    reads(ledger, second, clock).record(
        [PageRead(planned=planned("a"), entry=entry(), confirmed=None), failed(planned("b"))]
    )
    assert (unread(ledger, first), unread(ledger, second)) == (["a", "b"], [])
    assert (ledger.plan.failed(first.id), ledger.plan.failed(second.id)) == ([], ["b"])


def decided(project: str, **what: Any) -> PlannedProject:
    return planned(project, unread=False, **what)


def test_what_is_decided_comes_into_the_plan_and_replaces_what_was_decided_before(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned("a", unread=False), planned("b", unread=False), planned("c")])
    gains = decided("a", new_files=3, new_bytes=2**40, unsized_files=1)
    loses = decided("b", loses_project=True, loses_files=2, loses_bytes=2**41)
    ledger.plan.note_decided(run.id, [gains, loses])
    assert list(ledger.plan.projects(run.id)) == [gains, loses, planned("c")]
    assert [p.project for p in ledger.plan.losing(run.id)] == ["b"]
    ledger.plan.note_decided(run.id, [decided("a"), decided("b", loses_files=1, loses_bytes=1)])
    assert list(ledger.plan.projects(run.id)) == [
        decided("a"), decided("b", loses_files=1, loses_bytes=1), planned("c"),
    ]  # fmt: skip


@pytest.mark.parametrize("number", [1_999, 2_000, 2_001])
def test_a_plan_is_decided_while_it_is_read(ledger: Ledger, number: int) -> None:
    """A stream of rows stays as it is while those that it has passed are written to."""
    run, _ = begin(ledger, plan=[planned(f"p{each:05}", unread=False) for each in range(number)])
    rows = ledger.plan.to_decide(run.id, "all")
    ledger.plan.note_decided(run.id, (replace(each, new_files=1, new_bytes=2) for each in rows))
    assert ledger.plan.totals(run.id) == PlanTotals(files=number, bytes=2 * number, unsized_files=0)


def test_totals_are_of_what_the_run_takes(ledger: Ledger) -> None:
    run, _ = begin(ledger)
    assert ledger.plan.totals(run.id) == PlanTotals(files=0, bytes=0, unsized_files=0)
    rows = [decided(each, new_files=2, new_bytes=2**40, unsized_files=1) for each in "abc"]
    ledger.plan.write(run.id, rows)
    ledger.plan.choose_turns(run.id, first=[], most=2)
    assert ledger.plan.totals(run.id) == PlanTotals(files=4, bytes=2**41, unsized_files=2)
    assert ledger.plan.left(run.id) == 1
    assert LEFT < 0
    assert ledger.plan.count(run.id, PlanState.PENDING) == 2


def test_what_waits_on_the_backlog_is_not_looked_for_besides(ledger: Ledger) -> None:
    """Or a page that cannot be read would be asked for in every run, however rarely it is due."""
    _, results = begin(ledger, plan=[planned("a"), planned("b")])
    results.record([synced(ledger, planned("a")), synced(ledger, planned("b"))])
    assert [known.project for known in ledger.projects.never_read(9)] == ["a", "b"]
    results.record([failed(planned("a"))])
    assert [known.project for known in ledger.projects.never_read(9)] == ["b"]
