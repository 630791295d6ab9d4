"""Long lists of the ledger, a page at a time."""

import pytest

from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Action, Event, Tally
from tests.ledger.samples import NOON, Hands, begin, failed, name, planned, pooled, removed, synced


def fill(ledger: Ledger, clock: Hands, *projects: str, files: int = 1) -> None:
    plan = [planned(project) for project in projects]
    _, results = begin(ledger, "filling", plan, clock)
    results.record(
        [
            synced(ledger, each, *(pooled(f"{each.project}-{number}.whl") for number in range(files)))
            for each in plan
        ]
    )
    ledger.lease.release("filling")


def test_projects_by_prefix_come_by_name_and_go_on_after_a_name(ledger: Ledger, clock: Hands) -> None:
    fill(ledger, clock, "foo", "foo-b", "foo-a", "fop", "bar")
    found = ledger.listings.projects_beginning("foo", None, 2)
    assert [each.name for each in found] == ["foo", "foo-a"]
    found = ledger.listings.projects_beginning("foo", "foo-a", 2)
    assert [each.name for each in found] == ["foo-b"]
    assert [each.name for each in ledger.listings.projects_beginning("", None, 2)] == ["bar", "foo"]


@pytest.mark.parametrize("part", ["b_r", "b%r", "%"])
def test_what_is_searched_for_is_text_and_no_pattern(ledger: Ledger, clock: Hands, part: str) -> None:
    fill(ledger, clock, "a-bar")
    assert ledger.listings.projects_containing(part, None, 5) == []
    assert [each.name for each in ledger.listings.projects_containing("b", None, 5)] == ["a-bar"]


def test_a_part_is_found_inside_and_at_the_end_but_not_at_the_beginning(ledger: Ledger, clock: Hands) -> None:
    fill(ledger, clock, "bar", "a-bar", "a-bar-b", "foo")
    found = ledger.listings.projects_containing("bar", None, 5)
    assert [each.name for each in found] == ["a-bar", "a-bar-b"]
    assert [each.name for each in ledger.listings.projects_containing("bar", "a-bar", 5)] == ["a-bar-b"]


def test_files_of_a_project_by_name(ledger: Ledger, clock: Hands) -> None:
    fill(ledger, clock, "foo", "fop", files=3)
    project_id, row = ledger.listings.project(name("foo")) or (0, None)
    assert row is not None
    assert (row.files, row.bytes, row.synced_at) == (3, 30, NOON)
    found = ledger.listings.files(project_id, "foo-0.whl", 5)
    assert [(file.filename, verified) for file, verified in found] == [
        ("foo-1.whl", NOON),
        ("foo-2.whl", NOON),
    ]
    assert ledger.listings.project(name("nobody")) is None


def test_tombstones_in_the_order_of_their_end(ledger: Ledger, clock: Hands) -> None:
    fill(ledger, clock, "foo", "bar", files=2)
    for later, project in enumerate(("foo", "bar")):
        plan = planned(project, action=Action.REMOVE)
        clock.now = NOON + later
        _, results = begin(ledger, f"removing {project}", [plan], clock)
        results.record([removed(ledger, plan)])
        ledger.lease.release(f"removing {project}")
    assert ledger.listings.tombstone_sums() == (4, 40)
    first = ledger.listings.tombstones(None, 3)
    assert [(each.project, each.file.filename, each.removed_at) for each in first] == [
        ("foo", "foo-0.whl", NOON), ("foo", "foo-1.whl", NOON), ("bar", "bar-0.whl", NOON + 1),
    ]  # fmt: skip
    last = first[-1]
    after = (last.removed_at, last.project_id, last.file.filename)
    assert [each.file.filename for each in ledger.listings.tombstones(after, 3)] == ["bar-1.whl"]


def test_the_backlog_by_name_and_parked_or_not(ledger: Ledger, clock: Hands) -> None:
    plan = [planned(project) for project in ("foo", "bar", "old")]
    _, results = begin(ledger, "failing", plan, clock)
    results.record([failed(each, f"{each.project} broke") for each in plan])
    assert [row.project for row in ledger.listings.backlog(None, 2, parked=None)] == ["bar", "foo"]
    assert [row.project for row in ledger.listings.backlog("bar", 5, parked=False)] == ["foo", "old"]
    assert list(ledger.listings.backlog(None, 5, parked=True)) == []
    entry = ledger.listings.entry(name("old"))
    assert entry is not None
    assert entry.reason == "old broke"
    assert ledger.listings.entry(name("nobody")) is None


def test_a_batch_is_counted_as_far_as_it_is(ledger: Ledger, clock: Hands) -> None:
    def by_two(known: object, /, *, sizes: object) -> list[int]:
        return [0, 0, 1, 1]

    plan = [planned(project) for project in ("a", "b", "c", "d")]
    run, results = begin(ledger, "a run", clock=clock)
    ledger.plan.write(run.id, plan, by_two)
    results.record(
        [
            synced(ledger, plan[0], tally=Tally(projects_done=1, files_downloaded=2, bytes_downloaded=7)),
            failed(plan[1]),
            synced(ledger, plan[2], tally=Tally(projects_done=1, files_downloaded=1, bytes_downloaded=5)),
        ]
    )
    first, second = ledger.listings.batch_counts(run.id)
    assert (first.number, first.first, first.last, first.projects) == (0, "a", "b", 2)
    assert (first.done, first.failed, first.files, first.bytes) == (1, 1, 2, 7)
    assert (second.done, second.failed, second.bytes) == (1, 0, 5)
    assert ledger.listings.batch_counts(run.id + 1) == []
    states = ledger.listings.planned(run.id, [name("b"), name("d"), name("z")])
    assert {project: row.state for project, row in states.items()} == {"b": "failed", "d": "pending"}


def test_the_newest_events_of_a_project(ledger: Ledger) -> None:
    ledger.events.add(
        [
            Event(
                serial=serial,
                name="Foo",
                project=name("foo" if serial % 2 else "bar"),
                version="1.0",
                timestamp=NOON + serial,
                action="new release",
            )
            for serial in range(1, 8)
        ]
    )
    assert [row.serial for row in ledger.listings.events(name("foo"), 3)] == [7, 5, 3]
