"""The plan of a run in the ledger: batches, what is left of them, and how far it is."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from pypi_mirror.ledger.cutting import Cut
from pypi_mirror.ledger.plan import BatchSize
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Action, PlanState, Tally
from tests.ledger.samples import begin, failed, name, planned, removed, synced


def test_a_plan_comes_back_as_it_was_written(ledger: Ledger) -> None:
    run, _ = begin(ledger)
    plan = [
        planned(
            "b",
            display_name="B",
            serial=7,
            exact=True,
            verify=True,
            unread=False,
            new_files=3,
            new_bytes=2**40,
            unsized_files=1,
            loses_project=True,
            loses_files=2,
            loses_bytes=2**41,
        ),
        planned("a", gone=True),
        planned("c", action=Action.REMOVE),
    ]
    ledger.plan.write(run.id, plan)
    assert list(ledger.plan.projects(run.id)) == [plan[1], plan[0], plan[2]], "by name"
    assert ledger.plan.pending(run.id, 0) == [plan[0], plan[1], plan[2]], "the largest first"


def test_writing_again_replaces_the_plan(ledger: Ledger) -> None:
    run, results = begin(ledger, plan=[planned("a"), planned("b")])
    results.record([synced(ledger, planned("a"))])
    ledger.plan.write(run.id, [planned("a"), planned("c")])
    assert [p.project for p in ledger.plan.projects(run.id, PlanState.PENDING)] == ["a", "c"]
    ledger.plan.write(run.id, [])
    assert list(ledger.plan.projects(run.id)) == []


def test_a_plan_that_breaks_off_leaves_the_old_one(ledger: Ledger) -> None:
    run, _ = begin(ledger, plan=[planned("a")])

    def broken():  # type: ignore[no-untyped-def]  # raises, whatever it is said to yield
        yield planned("b")
        raise RuntimeError("upstream's index ends here")

    with pytest.raises(RuntimeError):
        ledger.plan.write(run.id, broken())
    assert [p.project for p in ledger.plan.projects(run.id)] == ["a"]


def numbered(*numbers: int) -> Cut:
    """A cut that gives projects, by name, these batches."""
    return lambda _new_bytes, /, *, sizes: numbers


def test_of_two_rows_for_one_project_the_first_stands(ledger: Ledger) -> None:
    run, _ = begin(ledger)
    many = [planned(f"p{n:05}", serial=1) for n in range(3_000)]
    again = [replace(project, serial=2) for project in reversed(many)]
    ledger.plan.write(run.id, [*many, *again], numbered(*(n // 1_500 for n in range(3_000))))
    assert list(ledger.plan.projects(run.id)) == many
    assert [batch.projects for batch in ledger.plan.batches(run.id)] == [1_500, 1_500]


def test_a_cut_is_told_what_the_plan_holds(ledger: Ledger) -> None:
    """By name, of every project once; a number may come back, as long as each project has one."""
    run, _ = begin(ledger)
    told = []

    def cut(new_bytes: Iterable[int], /, *, sizes: Iterable[tuple[int, int]]) -> list[int]:
        told.append((list(new_bytes), sorted(sizes)))
        return [1, 0, 2, 1]

    rows = [("c", 3), ("a", 2**40), ("d", 3), ("b", 0), ("a", 9)]
    ledger.plan.write(run.id, [planned(n, new_bytes=size) for n, size in rows], cut)
    assert told == [([2**40, 0, 3, 3], [(0, 1), (3, 2), (2**40, 1)])]
    batches = [[p.project for p in ledger.plan.pending(run.id, number)] for number in range(3)]
    assert batches == [["b"], ["a", "d"], ["c"]]


def test_batches_and_progress(ledger: Ledger) -> None:
    run, results = begin(ledger)
    assert ledger.plan.batches(run.id) == []
    assert ledger.plan.progress(run.id).planned == 0
    rows = [
        planned("b", action=Action.REMOVE),
        planned("c"),
        planned("a", new_bytes=5),
        planned("a-b", new_bytes=6),
    ]
    ledger.plan.write(run.id, rows, numbered(0, 0, 3, 3))
    assert ledger.plan.batches(run.id) == [
        BatchSize(number=0, projects=2, removals=0, new_bytes=11, first="a", last="a-b"),
        BatchSize(number=3, projects=2, removals=1, new_bytes=0, first="b", last="c"),
    ]
    tally = Tally(projects_done=1, files_downloaded=2, bytes_downloaded=2**40, files_kept=3)
    results.record([synced(ledger, planned("b"))])
    results.record([synced(ledger, planned("a"), tally=tally), removed(ledger, planned("b"))])
    assert ledger.plan.progress(run.id).batches_done == 0
    results.record([failed(planned("c"))])
    found = ledger.plan.progress(run.id)
    assert (found.planned, found.batches, found.batches_done) == (4, 2, 1)
    assert found.tally == Tally(
        projects_done=2, projects_failed=1, projects_removed=1, files_downloaded=2, bytes_downloaded=2**40,
        files_kept=3,
    )  # fmt: skip
    assert ledger.plan.outcome(run.id, 0) == tally
    assert ledger.plan.unfinished(run.id) == 1


def test_failed_projects_of_a_batch_are_tried_again(ledger: Ledger) -> None:
    run, results = begin(ledger)
    ledger.plan.write(run.id, [planned("a"), planned("b"), planned("c")], numbered(0, 0, 1))
    results.record([failed(planned("a")), synced(ledger, planned("b")), failed(planned("c"))])
    assert ledger.plan.failed(run.id) == ["a", "c"]
    ledger.plan.reopen_failed(run.id, 0)
    assert [p.project for p in ledger.plan.pending(run.id, 0)] == ["a"]
    assert ledger.plan.failed(run.id) == ["c"]
    ledger.plan.reopen_failed(run.id)
    assert ledger.plan.failed(run.id) == []
    assert ledger.plan.count(run.id, PlanState.DONE) == 1


def test_plans_of_ended_runs_go(ledger: Ledger) -> None:
    first, _ = begin(ledger, "first", [planned("a")])
    ledger.lease.release("first")
    second, _ = begin(ledger, "second", [planned("a")])
    ledger.runs.forget_plans_before(second.id)
    assert list(ledger.plan.projects(first.id)) == []
    assert [p.project for p in ledger.plan.projects(second.id)] == ["a"]


def test_names_come_by_byte(ledger: Ledger) -> None:
    """As Python sorts them: a plan is made by walking two sorted lists side by side."""
    run, results = begin(ledger)
    names = ["a", "a-b", "a-z", "a1", "aa", "ab", "b-1", "b1", "z"]
    assert names == sorted(names)
    ledger.plan.write(run.id, [planned(n) for n in reversed(names)])
    assert [p.project for p in ledger.plan.projects(run.id)] == names
    results.record([synced(ledger, planned(n)) for n in reversed(names)])
    assert [k.project for k in ledger.projects.all()] == names
    assert [e.project for e in ledger.projects.listed()] == names


def test_a_run_is_continued_by_its_label(ledger: Ledger) -> None:
    request = RunRequest(label="a run", projects=("a",), interval=(1, 2))
    run = ledger.runs.begin(request)
    ledger.runs.fetched(run.id, source="changelog", cursor_from=1, cursor_to=2**40)
    again = ledger.runs.begin(RunRequest(label="a run"))
    assert (again.id, again.request, again.cursor_to) == (run.id, request, 2**40)
    assert ledger.projects.known([name("a")]) == {}
