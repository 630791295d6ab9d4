"""The figures of README and docs/sizing.md are those of the committed results."""

from pathlib import Path

import pytest

from bench.readme import NO_RUN, block_in, figures, headline, write_block
from bench.results import read_results
from tests.bench.results_at_hand import made_up

_ROOT = Path(__file__).parents[2]
_PLACES = {"README.md": headline, "docs/sizing.md": figures}


@pytest.mark.parametrize("page", _PLACES)
def test_the_committed_figures_are_those_of_the_committed_results(page: str) -> None:
    results = _ROOT / "bench" / "results.json"
    wanted = _PLACES[page](read_results(results)) if results.exists() else NO_RUN
    assert block_in((_ROOT / page).read_text()) == wanted


def test_an_eighth_of_the_time_is_told_in_seconds() -> None:
    assert "\n- 7.5 s for A, case A\n" in figures(made_up())
    assert "plan and publish" not in figures(made_up())
    assert "pip" not in figures(made_up())
    assert headline(made_up()).startswith("A first sync of many small wheels takes 7.5 s where")


def test_what_stands_around_the_figures_is_left_alone(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    marks = [line for line in (_ROOT / "README.md").read_text().splitlines() if line.startswith("<!-- ")]
    readme.write_text("\n".join(("# before", marks[0], "old", marks[1], "after\n")))
    for _ in range(2):
        write_block(readme, figures(made_up()))
    text = readme.read_text()
    assert block_in(text) == figures(made_up())
    assert text.startswith("# before\n")
    assert text.endswith("after\n")
    assert "old" not in text


def test_a_readme_without_a_place_is_refused() -> None:
    with pytest.raises(SystemExit, match="no place for figures"):
        block_in("# a readme")
