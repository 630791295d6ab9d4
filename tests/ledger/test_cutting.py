"""A plan cut in turns, and the rest of one plan that another takes over."""

from functools import partial

import pytest

from pypi_mirror.ledger.cutting import CutTurn
from pypi_mirror.ledger.results import Results
from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Action
from pypi_mirror.planning import cut_of_turn
from tests.ledger.samples import NOON, Hands, begin, failed, name, planned, synced

TURNS: CutTurn = partial(cut_of_turn, batch_size=2, at_least=1, smallest=1)


def next_run(ledger: Ledger, before: Run | None = None, *, names: str = "") -> tuple[Run, Results]:
    """A run after ``before``, with one-letter projects planned."""
    if before is not None:
        ledger.lease.release(before.request.label)
    label = "first" if before is None else f"after {before.id}"
    return begin(ledger, label, [planned(each) for each in names], Hands(NOON + 60))


def batches(ledger: Ledger, run: Run) -> list[list[str]]:
    return [
        sorted(each.project for each in ledger.plan.pending(run.id, batch.number))
        for batch in ledger.plan.batches(run.id)
    ]


@pytest.mark.parametrize(
    ("most", "expected", "left"),
    [
        (None, [["f", "h"], ["c", "g"], ["a", "b"], ["d", "e"]], 0),
        (6, [["f", "h"], ["c", "g"], ["a", "b"]], 2),
        (5, [["f", "h"], ["c", "g"], ["a"]], 3),
        (2, [["f", "h"]], 6),
        (0, [], 8),
    ],
)
def test_what_comes_first_and_what_is_left(
    ledger: Ledger, most: int | None, expected: list[list[str]], left: int
) -> None:
    run, _ = next_run(ledger, names="abcdefgh")
    first = [name(each) for each in "hxfgc"]
    for _ in range(2):
        turns = ledger.plan.cut_in_turns(run.id, first=first, most=most, cut=TURNS)
        assert (turns.urgent, ledger.plan.left(run.id)) == (0, left)
        assert batches(ledger, run) == expected
        assert ledger.plan.unfinished(run.id) == ledger.plan.progress(run.id).planned == 8 - left


def test_what_cannot_wait_is_in_batches_of_its_own(ledger: Ledger) -> None:
    run, results = next_run(ledger)
    held = [planned(each, serial=5) for each in ("event", "newer", "same")]
    ledger.plan.write(run.id, held)
    results.record([synced(ledger, each, serial=5) for each in held])
    following, _ = next_run(ledger, run)
    ledger.plan.write(
        following.id,
        [
            planned("absent", serial=6, exact=True),
            planned("event", serial=5, exact=True),
            planned("gone", gone=True),
            planned("newer", serial=6),
            planned("same", serial=5),
            planned("unwanted", action=Action.REMOVE),
        ],
    )
    turns = ledger.plan.cut_in_turns(following.id, first=[name("same")], most=1, cut=TURNS)
    assert turns.urgent == 2
    assert batches(ledger, following) == [["event", "gone"], ["newer", "unwanted"], ["same"]]
    assert ledger.plan.left(following.id) == 1, "the absent one has no reader yet"


@pytest.mark.parametrize("unpublished", [True, False])
@pytest.mark.parametrize("present", [True, False])
def test_a_rest_is_taken_over_but_for_what_is_done(
    ledger: Ledger, *, unpublished: bool, present: bool
) -> None:
    run, results = next_run(ledger, names="abcdef")
    ledger.plan.cut_in_turns(run.id, first=(), most=4, cut=TURNS)
    results.record([synced(ledger, planned("a")), failed(planned("b"))])
    # Meanwhile, other runs synced two that wait: e under these filters, f under others.
    between, others = next_run(ledger, run, names="ef")
    others.record([synced(ledger, planned("e")), synced(ledger, planned("f"), selection="others")])
    following, _ = next_run(ledger, between)
    ledger.plan.write(following.id, [planned("d", serial=99), planned("new")])
    ledger.plan.take_over(
        following.id, rest_of=run.id, since=NOON, selection="all", failed=unpublished, present=present
    )
    found = {each.project: each.serial for each in ledger.plan.projects(following.id)}
    taken = {"f": None} if present else {"c": None, "f": None}
    if unpublished and not present:
        taken["b"] = None
    assert found == {"d": 99, "new": None, **taken}
    ledger.plan.cut(following.id, TURNS(len(found), len(found)))
    assert (ledger.plan.unfinished(following.id), ledger.plan.left(following.id)) == (len(found), 0)


def test_the_plan_that_has_the_rest_is_kept(ledger: Ledger) -> None:
    runs: list[Run] = []
    for _ in range(3):
        runs.append(next_run(ledger, runs[-1] if runs else None, names="ab")[0])
    ledger.runs.forget_plans_before(runs[2].id, keep=[runs[0].id])
    assert [ledger.plan.count(run.id) for run in runs] == [2, 0, 2]
