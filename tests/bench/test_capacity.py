"""The plan for large mirrors follows from the measured costs and the named assumptions."""

from dataclasses import replace

import pytest

from bench.capacity import CLOSURES, SIZES, Size, bounds, capacity, costs, inodes, processor_seconds, requests
from tests.bench.results_at_hand import made_up

_SMALL = Size(
    name="small", asked=100, projects=50, files=1_000, bytes=9e9, share=0.1, source="made up for this test"
)
_COST = costs(made_up())


def test_costs_are_those_of_the_cases() -> None:
    assert _COST.request == 4.0 / 20_000
    assert _COST.byte == 4.0 / 1e9
    assert (_COST.file_row, _COST.project_row) == (400, 350)
    assert _COST.index == 50
    assert _COST.plan == 5.0


def test_a_case_that_was_not_run_is_named() -> None:
    results = made_up()
    without = replace(results, cases=tuple(s for s in results.cases if s.letter != "D"))
    with pytest.raises(LookupError, match="case D"):
        costs(without)


def test_requests_are_pages_files_and_what_stands_beside_them() -> None:
    assert requests(_SMALL) == 1 + 100 + 1_000 + 650 + 50


def test_a_file_has_a_directory_of_its_own_below_two_more() -> None:
    # 1,000 files, their directories, .metadata and .provenance; at most 1,000 of the 65,536 that
    # two letters name stand above them; five things a project.
    assert inodes(_SMALL) == 1_000 * 2 + 650 + 50 + 256 + 1_000 + 50 * 5


def test_a_narrow_wire_sets_the_time_and_a_wide_one_does_not() -> None:
    narrow, wide = bounds(_SMALL, _COST, 1e6), bounds(_SMALL, _COST, 1e12)
    assert narrow["wire"] == pytest.approx(9e9 * 8 / 0.9e6)
    assert max(narrow, key=narrow.__getitem__) == "wire"
    assert max(wide, key=wide.__getitem__) == "processors"
    assert wide["processors"] == processor_seconds(_SMALL, _COST) / 4


def test_round_trips_are_paid_by_so_many_requests_at_once() -> None:
    assert bounds(_SMALL, _COST, 1e9)["round trips"] == requests(_SMALL) * 0.05 / 128


def test_every_size_has_its_rows_and_its_source() -> None:
    page = capacity(made_up())
    for size in SIZES:
        assert page.count(f"| {size.name} |") == 4
        assert size.source in page


def test_closures_cost_what_each_followed_project_did() -> None:
    page = capacity(made_up())
    assert "## Dependencies" in page
    for roots, projects, source in CLOSURES:
        # Of 100 projects in 2,000 requests, 20 seconds of a processor and 5 MB.
        assert f"| {roots:,} | {projects:,} | {20 * projects:,} |" in page
        assert source in page
    without = replace(made_up(), cases=tuple(s for s in made_up().cases if s.letter != "M"))
    assert "## Dependencies" not in capacity(without)
