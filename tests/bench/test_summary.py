"""Ratios are taken pair by pair within a round, and goals are judged by the median."""

import pytest

from bench.cases import Goal
from bench.document import verdict_line
from bench.summary import Ratio, summarize

# The second round ran while the machine was busy: every tool took four times as long.
ROUNDS = [
    {"ours": {"wall": 1.0, "requests": 2.0}, "the floor": {"wall": 2.0, "requests": 2.0}},
    {"ours": {"wall": 4.0, "requests": 2.0}, "the floor": {"wall": 8.0, "requests": 2.0}},
    {"ours": {"wall": 3.0, "requests": 2.0}, "the floor": {"wall": 2.0, "requests": 2.0}},
]


def test_a_round_on_a_busy_machine_has_the_same_ratio() -> None:
    summary = summarize("A", "title", (), ROUNDS)
    wall = next(ratio for ratio in summary.ratios if ratio.figure == "wall")
    assert wall == Ratio(figure="wall", to="the floor", least=0.5, median=0.5, greatest=1.5)


@pytest.mark.parametrize(("at_most", "met"), [(0.5, True), (0.49, False)])
def test_a_goal_is_judged_by_the_median_ratio(at_most: float, met: bool) -> None:
    summary = summarize("A", "title", [Goal(figure="wall", to="the floor", at_most=at_most)], ROUNDS)
    assert [verdict.met for verdict in summary.verdicts] == [met]
    assert verdict_line(summary.verdicts[0]).endswith("met" if met else "missed")


@pytest.mark.parametrize(("at_most", "met"), [(2, True), (1, False)])
def test_a_goal_without_another_tool_is_judged_by_our_own_figure(at_most: float, met: bool) -> None:
    summary = summarize("F", "title", [Goal(figure="requests", to=None, at_most=at_most)], ROUNDS)
    assert [verdict.met for verdict in summary.verdicts] == [met]


def test_a_figure_that_the_other_tool_has_none_of_gives_no_ratio() -> None:
    rounds = [{"ours": {"wall": 1.0, "written": 5.0}, "the floor": {"wall": 1.0, "written": 0.0}}]
    assert [ratio.figure for ratio in summarize("A", "title", (), rounds).ratios] == ["wall"]
