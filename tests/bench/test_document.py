"""The documents say what the results hold, and the committed ones were made from the committed results."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.capacity import NEEDED, capacity
from bench.document import documents
from bench.results import read_results, write_results
from tests.bench.results_at_hand import made_up

_ROOT = Path(__file__).parents[2]


def _page() -> str:
    return documents(made_up())["benchmark.md"]


def test_a_goal_is_shown_as_met_or_missed() -> None:
    assert "| A. case A | time ≤ 0.125 of bandersnatch | 0.125 | met |" in _page()
    assert "| H. plan and publish | time ≤ 4.000 s | 5.000 s | **missed** |" in _page()


def test_every_case_is_in_the_table_of_each_tool_that_took_part() -> None:
    against = _page().partition("## Against the floor")[2].partition("\n## ")[0]
    assert "| A. case A | **2.00** (2.00 to 2.00) |" in against
    assert "| J. pip |" not in against


def test_a_case_of_parts_names_what_its_goal_is_about() -> None:
    page = _page()
    assert "| **all steps** | 5.000 |" in page
    assert "| **the slowest question** | 0.500 |" in page


@pytest.mark.parametrize(
    ("row", "speed_up", "limit"),
    [
        ("1 worker", "1.00", "the wire, at so many requests at once"),
        ("2 workers", "2.00", "waiting: for pages before files, and for flushes"),
        ("4 workers", "4.00", "this machine's processors"),
    ],
)
def test_more_workers_are_shown_with_what_limits_them(row: str, speed_up: str, limit: str) -> None:
    line = next(line for line in _page().splitlines() if line.startswith(f"| {row} |"))
    assert line.endswith(f"| {speed_up} | {limit} |")


def test_a_profile_is_told_per_file_and_leaves_out_what_takes_nothing() -> None:
    page = _page()
    assert "| ledger | 75% | 300 |" in page
    assert "| `write (pypi_mirror/disk/files.py)` | 50% | 200 |" in page
    assert "rare (pypi_mirror/disk/files.py)" not in page


def test_a_smaller_benchmark_says_so() -> None:
    assert "full size" not in _page()
    assert "Run at 0.1 of the cases' full size." in documents(replace(made_up(), scale=0.1))["benchmark.md"]


def test_each_plot_that_the_page_shows_is_there() -> None:
    files = documents(made_up())
    for name in ("benchmark-bandersnatch.svg", "benchmark-floor.svg"):
        assert f"]({name})" in files["benchmark.md"]
        assert ElementTree.fromstring(files[name]).tag.endswith("svg")


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", made_up())
    read = read_results(tmp_path / "results.json")
    assert documents(read) == documents(made_up())


def test_results_of_another_version_are_refused_with_their_name(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"machine": "any"}')
    with pytest.raises(SystemExit, match=r"results\.json cannot be read"):
        read_results(tmp_path / "results.json")


def test_the_committed_documents_are_those_of_the_committed_results() -> None:
    committed = {path.name for path in (_ROOT / "docs").glob("*")}
    path = _ROOT / "bench" / "results.json"
    if not path.exists():
        assert not {"benchmark.md", "capacity.md"} & committed, "documents of results that are not there"
        return
    results = read_results(path)
    made = documents(results)
    if set(NEEDED) <= {summary.letter for summary in results.cases}:
        made["capacity.md"] = capacity(results)
    for name, text in made.items():
        assert (_ROOT / "docs" / name).read_text() == text, f"docs/{name} is stale: run make bench-docs"
    assert {f"flame-{profile.letter}.svg" for profile in results.profiles} <= committed
