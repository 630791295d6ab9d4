"""What syncs have still to do: noted with a plan, gone when it is done, decided again by the next run."""

from collections.abc import Mapping

from pypi_mirror.ledger.cutting import UNSIZED
from pypi_mirror.ledger.results import Results
from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.to_do import Amount
from pypi_mirror.model import Action, PlannedProject
from tests.ledger.samples import NOON, Hands, begin, failed, missing, name, planned, removed, synced


def next_run(ledger: Ledger, before: Run | None = None, *plan: PlannedProject) -> Run:
    if before is not None:
        ledger.lease.release(before.request.label)
    label = "first" if before is None else f"after {before.id}"
    return begin(ledger, label, plan, Hands(NOON + 60))[0]


def begin_after(ledger: Ledger, before: Run, *plan: PlannedProject) -> tuple[Run, Results]:
    ledger.lease.release(before.request.label)
    return begin(ledger, f"after {before.id}", plan, Hands(NOON + 60))


def note(
    ledger: Ledger, run: Run, *, approved: bool = False, facts: Mapping[str, str | None] | None = None
) -> None:
    ledger.to_do.note(run.id, approved=approved, facts=facts or {})


def left(ledger: Ledger, run: Run, *, held: bool = False) -> dict[str, int | None]:
    """The serials of what a run after ``run`` goes on with, by project."""
    following = next_run(ledger, run)
    ledger.to_do.add_to_plan(following.id, held=held)
    found = {each.project: each.serial for each in ledger.plan.projects(following.id)}
    assert ledger.plan.unfinished(following.id) == len(found)
    ledger.lease.release(following.request.label)
    ledger.runs.forget(following.id)
    ledger.lease.take(run.request.label)
    return {str(project): serial for project, serial in found.items()}


def test_what_a_run_has_done_is_not_left_whatever_run_it_is(ledger: Ledger) -> None:
    run, results = begin(ledger, "first", [planned(each, serial=5) for each in "abcde"])
    assert ledger.to_do.is_empty()
    note(ledger, run, facts={"read": "5"})
    assert (ledger.to_do.amount().projects, ledger.facts.read) == (5, 5)
    results.record([synced(ledger, planned("a", serial=5), serial=5), failed(planned("b"))])
    assert left(ledger, run) == dict.fromkeys("bcde", 5), "a run that dies tries again what failed"
    ledger.to_do.published(run.id)
    assert left(ledger, run) == dict.fromkeys("cde", 5)
    between, others = begin_after(ledger, run, planned("c"), planned("d"))
    others.record(
        [synced(ledger, planned("c"), serial=7), synced(ledger, planned("d"), serial=4)],
    )
    assert left(ledger, between) == dict.fromkeys("de", 5), "an old page is not what was announced"
    assert ledger.to_do.those_of([name("c"), name("d"), name("x")]) == {"d"}


def test_how_much_is_left_is_what_pages_state(ledger: Ledger) -> None:
    run = next_run(
        ledger,
        None,
        planned("small", new_files=1, new_bytes=700, unread=False),
        planned("unsized", new_files=3, new_bytes=50, unsized_files=2, unread=False),
        planned("unknown", unread=True),
    )
    note(ledger, run)
    assert ledger.to_do.amount() == Amount(projects=3, unread=1, bytes=700 + 50 + 2 * UNSIZED)


def test_a_removal_that_a_page_contradicts_is_left(ledger: Ledger) -> None:
    run = next_run(ledger, None, planned("a", gone=True), planned("b", gone=True), planned("c", serial=9))
    note(ledger, run)
    between, results = begin_after(ledger, run, planned("a"), planned("b"), planned("c"))
    results.record(
        [
            synced(ledger, planned("a"), serial=4),
            removed(ledger, planned("b")),
            missing(ledger, planned("c")),
        ]
    )
    assert left(ledger, between) == {"a": None, "c": 9}


def test_what_the_mirror_does_not_hold_can_be_left_to_a_comparison(ledger: Ledger) -> None:
    run, results = begin(ledger, "first", [planned("a"), planned("b")])
    results.record([synced(ledger, planned("a"))])
    following = next_run(ledger, run, planned("a", serial=2), planned("b", serial=2))
    note(ledger, following)
    assert left(ledger, following) == {"a": 2, "b": 2}
    assert left(ledger, following, held=True) == {"a": 2}


def test_a_plan_takes_the_place_of_all_that_was_left(ledger: Ledger) -> None:
    run = next_run(ledger, None, planned("a"), planned("b", unread=False))
    note(ledger, run)
    following = next_run(ledger, run, planned("b", serial=7), planned("c", action=Action.REMOVE))
    ledger.to_do.add_to_plan(following.id, held=False)
    assert [each.project for each in ledger.plan.projects(following.id)] == ["a", "b", "c"]
    other = next_run(ledger, following, planned("b", serial=7), planned("c", action=Action.REMOVE))
    note(ledger, other)
    assert left(ledger, other) == {"b": 7, "c": None}


def test_what_was_allowed_once_is_not_weighed_again_unless_it_is_more(ledger: Ledger) -> None:
    def losing(run: Run) -> list[str]:
        return [str(each.project) for each in ledger.plan.losing(run.id, besides_approved=True)]

    plan = [planned(each, loses_files=2, loses_bytes=20) for each in "abc"]
    run = next_run(ledger, None, *plan)
    note(ledger, run, approved=True)
    assert losing(run) == ["a", "b", "c"], "the run itself keeps the plan that was approved"
    following = next_run(ledger, run, planned("a", loses_files=3, loses_bytes=20))
    ledger.to_do.add_to_plan(following.id, held=False)
    assert losing(following) == ["a"]
    note(ledger, following)
    third = next_run(ledger, following, planned("a", loses_files=3, loses_bytes=20))
    ledger.to_do.add_to_plan(third.id, held=False)
    assert losing(third) == ["a"], "nobody has allowed that"
    note(ledger, third, approved=True)
    fourth = next_run(ledger, third)
    ledger.to_do.add_to_plan(fourth.id, held=False)
    assert losing(fourth) == []
