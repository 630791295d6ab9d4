"""A plan cut in turns, as far as bounds allow."""

from collections.abc import Sequence
from functools import partial
from itertools import chain

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pypi_mirror.ledger.cutting import CutTurn
from pypi_mirror.ledger.page_reads import PageReads
from pypi_mirror.ledger.results import Results
from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Action, PlannedProject
from pypi_mirror.planning.plan import cut_of_turn
from tests.ledger.samples import NOON, Hands, begin, failed, name, planned, synced

TURNS: CutTurn = partial(cut_of_turn, batch_size=2, at_least=1, smallest=1)


def next_run(ledger: Ledger, before: Run | None = None, *, names: str = "") -> tuple[Run, Results]:
    """A run after ``before``, with one-letter projects planned."""
    if before is not None:
        ledger.lease.release(before.request.label)
    label = "first" if before is None else f"after {before.id}"
    return begin(ledger, label, [planned(each) for each in names], Hands(NOON + 60))


def take_turns(
    ledger: Ledger,
    run: Run,
    *,
    first: str | Sequence[str] = "",
    most: int | None = None,
    bytes_: int | None = None,
) -> bool:
    """Choose what ``run`` takes and cut it; whether bytes have left some."""
    names = [name(each) for each in first]
    ledger.plan.choose_turns(run.id, first=names, most=most)
    return ledger.plan.cut_turns(run.id, first=names, most_bytes=bytes_, cut=TURNS)


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
    for _ in range(2):
        assert not take_turns(ledger, run, first="hxfgc", most=most)
        assert ledger.plan.left(run.id) == left
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
    take_turns(ledger, following, first=["same"], most=1)
    assert batches(ledger, following) == [["event", "gone"], ["newer", "unwanted"], ["same"]]
    assert ledger.plan.left(following.id) == 1, "the absent one has no reader yet"


def sized(**sizes: int) -> list[PlannedProject]:
    return [planned(each, new_bytes=size) for each, size in sizes.items()]


@pytest.mark.parametrize(
    ("sizes", "first", "most_bytes", "expected"),
    [
        ({"a": 4, "b": 4, "c": 4, "d": 4}, "", 8, "ab"),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, "", 7, "a"),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, "", 0, "a"),
        ({"a": 99, "b": 1, "c": 1}, "", 8, "a"),
        ({"a": 1, "b": 99, "c": 1}, "", 8, "a"),
        ({"a": 0, "b": 99, "c": 0, "d": 1, "e": 0}, "", 8, "abce"),
        ({"a": 0, "b": 0}, "", 0, "ab"),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, "dc", 8, "cd"),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, "dc", 12, "acd"),
        ({"a": 4, "b": 99, "c": 4, "d": 0}, "cb", 8, "cd"),
        ({"a": 4, "b": 99, "c": 0, "d": 0}, "bc", 8, "bcd"),
    ],
    ids=str,
)
def test_a_run_takes_files_of_so_many_bytes(
    ledger: Ledger, sizes: dict[str, int], first: str, most_bytes: int, expected: str
) -> None:
    """The first that needs files always fits, or nothing ever came; nothing overtakes what does not."""
    run, _ = next_run(ledger)
    ledger.plan.write(run.id, sized(**sizes))
    take_turns(ledger, run, first=first, bytes_=most_bytes)
    assert sorted(chain.from_iterable(batches(ledger, run))) == list(expected)
    assert ledger.plan.left(run.id) == len(sizes) - len(expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from((0, 0, 1, 2, 3, 9)), min_size=1),
    first=st.permutations("abcdefgh").flatmap(lambda p: st.integers(0, 8).map(lambda n: "".join(p[:n]))),
    most=st.none() | st.integers(0, 8),
    most_bytes=st.none() | st.integers(0, 12),
)
def test_a_bounded_run_is_a_start_of_what_is_to_do(
    ledger: Ledger, sizes: dict[str, int], first: str, most: int | None, most_bytes: int | None
) -> None:
    ledger.lease.release("first")
    run, _ = next_run(ledger)
    ledger.plan.write(run.id, sized(**sizes))
    take_turns(ledger, run, first=first, most=most, bytes_=most_bytes)
    expected, left, full = [], most_bytes, False
    order = [each for each in first if each in sizes] + sorted(set(sizes) - set(first))
    for each in order[:most]:
        if sizes[each] and left is not None:
            full = full or (left < most_bytes and sizes[each] > left)
            if full:
                continue
            left -= sizes[each]
        expected.append(each)
    taken = batches(ledger, run)
    assert sorted(chain.from_iterable(taken)) == sorted(expected)
    assert all(taken), "no batch is empty"
    assert ledger.plan.unfinished(run.id) == len(expected)


def test_a_file_of_unknown_size_counts_as_one_of_common_size(ledger: Ledger) -> None:
    """An index that states no sizes has its bound, too, and its batches are equal in files."""
    run, _ = next_run(ledger)
    files = {"a": 1, "b": 1, "c": 100, "d": 0}
    ledger.plan.write(run.id, [planned(each, new_files=n, unsized_files=n) for each, n in files.items()])
    take_turns(ledger, run, bytes_=20_000_000)
    assert list(chain.from_iterable(batches(ledger, run))) == ["a", "b", "d"]
    take_turns(ledger, run)
    assert batches(ledger, run) == [["a", "b"], ["c", "d"]]
    huge = planned("a", unsized_files=100_000, new_bytes=2**50)
    ledger.plan.write(run.id, [huge, planned("b", new_bytes=1)])
    take_turns(ledger, run, first="ba", bytes_=2**50)
    assert batches(ledger, run) == [["b"]]


def test_what_cannot_wait_is_taken_whatever_its_bytes(ledger: Ledger) -> None:
    run, _ = next_run(ledger)
    urgent = [
        planned("gone", gone=True),
        planned("removed", action=Action.REMOVE),
        planned("emptied", loses_project=True),
    ]
    ledger.plan.write(run.id, [*sized(a=5, b=5, c=5), *urgent])
    ledger.plan.note_decided(run.id, [replace(each, new_bytes=50) for each in urgent])
    assert take_turns(ledger, run, bytes_=10)
    taken = batches(ledger, run)
    assert sorted(chain.from_iterable(taken[:-1])) == ["emptied", "gone", "removed"]
    assert taken[-1] == ["a", "b"]


def test_what_could_not_be_read_is_in_no_batch_and_not_left(ledger: Ledger) -> None:
    """It is on the backlog, and counts among what failed."""
    run, _ = next_run(ledger, names="abc")
    ledger.plan.choose_turns(run.id, first=[name("b")], most=None)
    PageReads(ledger.engine, Hands(), run.id).record([failed(planned("b"))])
    ledger.plan.cut_turns(run.id, first=[name("b")], most_bytes=0, cut=TURNS)
    assert (batches(ledger, run), ledger.plan.left(run.id)) == ([["a", "c"]], 0)
    assert ledger.plan.failed(run.id) == ["b"]
    assert ledger.plan.count(run.id) == 3


@pytest.mark.parametrize("number", [2_000, 4_001])
def test_no_project_is_lost_between_two_chunks(ledger: Ledger, number: int) -> None:
    names = [f"p{each:05}" for each in range(number)]
    run, _ = next_run(ledger)
    ledger.plan.write(run.id, [planned(each, new_bytes=1) for each in names])
    half = names[: number // 2]
    for first, most_bytes, expected in (
        ([], None, number), (half, None, number), (names[::-1], None, number), (names[::-1], 2_001, 2_001),
        ([], 1, 1),
    ):  # fmt: skip
        ledger.plan.choose_turns(run.id, first=[name(each) for each in first], most=None)
        ledger.plan.cut_turns(
            run.id,
            first=[name(each) for each in first],
            most_bytes=most_bytes,
            cut=partial(cut_of_turn, batch_size=500, at_least=1, smallest=1),
        )
        sizes = ledger.plan.batches(run.id)
        taken = min(number, expected)
        assert sum(size.projects for size in sizes) == taken
        assert [size.number for size in sizes] == list(range(len(sizes)))
        assert ledger.plan.left(run.id) == number - taken


def test_a_plan_that_waits_is_kept(ledger: Ledger) -> None:
    runs: list[Run] = []
    for _ in range(3):
        runs.append(next_run(ledger, runs[-1] if runs else None, names="ab")[0])
    ledger.runs.forget_plans_before(runs[2].id, keep=[runs[0].id])
    assert [ledger.plan.count(run.id) for run in runs] == [2, 0, 2]
