"""From rounds to what is quoted: ratios between turns of one round, their least, median and greatest."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import FIGURES, Goal
from bench.run_sync import Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Ours over ``to`` in one figure; the three numbers are over the pairs of all rounds."""

    figure: str
    to: str
    least: float
    median: float
    greatest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a goal is met; ``reached`` is the median ratio, or our own median figure."""

    goal: Goal
    reached: float

    @property
    def met(self) -> bool:
        return self.reached <= self.goal.at_most


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One case: its rounds and what they come to."""

    letter: str
    title: str
    rounds: tuple[Round, ...]
    ratios: tuple[Ratio, ...]
    verdicts: tuple[Verdict, ...]


_OTHERS = ("bandersnatch", "the floor", "python")


def summarize(letter: str, title: str, goals: Sequence[Goal], rounds: Sequence[Round]) -> Summary:
    """``rounds`` must not be empty, and every round must hold the same tools (or steps) and figures."""
    others = [name for name in _OTHERS if name in rounds[0]]
    ratios = [
        _ratio(figure, other, rounds)
        for other in others
        for figure in rounds[0]["ours"]
        if figure in FIGURES and figure in rounds[0][other] and all(r[other][figure] for r in rounds)
    ]
    return Summary(
        letter=letter,
        title=title,
        rounds=tuple(rounds),
        ratios=tuple(ratios),
        verdicts=tuple(Verdict(goal=goal, reached=_reached(goal, ratios, rounds)) for goal in goals),
    )


def _ratio(figure: str, other: str, rounds: Sequence[Round]) -> Ratio:
    values = [r["ours"][figure] / r[other][figure] for r in rounds]
    return Ratio(
        figure=figure,
        to=other,
        least=min(values),
        median=statistics.median(values),
        greatest=max(values),
    )


def _reached(goal: Goal, ratios: Sequence[Ratio], rounds: Sequence[Round]) -> float:
    if goal.to is None:
        return statistics.median(r[goal.part][goal.figure] for r in rounds)
    return next(ratio.median for ratio in ratios if (ratio.figure, ratio.to) == (goal.figure, goal.to))
