"""The ratios to one other tool as a plot: a row a case, on a logarithmic axis, the goals drawn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.cases import Goal
from bench.summary import Ratio, Summary

# Figures that a plot shows, with their names and colours, told apart by people who see no red or green too.
_SHOWN = {"wall": ("time", "#0b62a8"), "cpu": ("CPU", "#d9822b"), "memory": ("memory", "#6a6a6a")}
_LEFT, _WIDTH, _RIGHT = 330, 500, 30
_TOP, _BOTTOM = 58, 50
_BAR = 11
_LONGEST_TITLE = 54


@dataclass(frozen=True, slots=True)
class _Row:
    title: str
    ratios: tuple[Ratio, ...]
    goals: tuple[Goal, ...]

    @property
    def height(self) -> int:
        return _BAR * len(self.ratios) + 12


@dataclass(frozen=True, slots=True)
class _Axis:
    low: int
    high: int

    def x(self, ratio: float) -> float:
        return _LEFT + _WIDTH * (math.log10(ratio) - self.low) / (self.high - self.low)


def plot(other: str, summaries: Sequence[Summary]) -> str:
    """An SVG: for each figure a line from the least ratio to the greatest, the median a dot, a goal a bar."""
    rows = [row for row in (_row(summary, other) for summary in summaries) if row.ratios]
    values = [v for row in rows for r in row.ratios for v in (r.least, r.greatest)]
    values += [goal.at_most for row in rows for goal in row.goals if goal.figure in _SHOWN]
    axis = _Axis(
        math.floor(math.log10(min([0.1, *values]))), max(1, math.ceil(math.log10(max([1, *values]))))
    )
    bottom = _TOP + sum(row.height for row in rows)
    shapes = [*_legend(), *_grid(axis, bottom, other)]
    top = _TOP
    for row in rows:
        shapes += _drawn(row, top, axis)
        top += row.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + _RIGHT} {bottom + _BOTTOM}" '
        'font-family="sans-serif" font-size="12" fill="#222">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n'
    )


def _row(summary: Summary, other: str) -> _Row:
    title = f"{summary.letter}. {summary.title}"
    return _Row(
        title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1] + "…",
        tuple(r for figure in _SHOWN for r in summary.ratios if (r.to, r.figure) == (other, figure)),
        tuple(v.goal for v in summary.verdicts if v.goal.to == other),
    )


def _legend() -> list[str]:
    shapes = []
    for number, (name, colour) in enumerate(_SHOWN.values()):
        at = _LEFT + 80 * number
        shapes.append(
            f'<circle cx="{at}" cy="16" r="4" fill="{colour}"/><text x="{at + 9}" y="20">{name}</text>'
        )
    at = _LEFT + 80 * len(_SHOWN)
    shapes.append(
        f'<rect x="{at - 2}" y="9" width="3" height="14" fill="#111"/><text x="{at + 9}" y="20">goal</text>'
        f'<text x="{at + 60}" y="20" fill="#555">dot: median; line: least to greatest</text>'
    )
    return shapes


def _grid(axis: _Axis, bottom: int, other: str) -> list[str]:
    width, height = axis.x(1) - _LEFT, bottom - _TOP + 8
    shapes = [f'<rect x="{_LEFT}" y="{_TOP - 8}" width="{width:.1f}" height="{height}" fill="#f1f6fa"/>']
    for power in range(axis.low, axis.high + 1):
        for digit in range(1, 10 if power < axis.high else 2):
            at, colour = axis.x(digit * 10.0**power), "#e4e4e4" if digit > 1 else "#bbb"
            if power == 0 and digit == 1:
                colour = "#333"
            shapes.append(
                f'<line x1="{at:.1f}" y1="{_TOP - 8}" x2="{at:.1f}" y2="{bottom}" stroke="{colour}"/>'
            )
        at = axis.x(10.0**power)
        shapes.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{_times(power)}</text>')
    shapes.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">'
        f"ours, as a multiple of {escape(other)}'s (logarithmic; left of 1 is less)</text>"
    )
    return shapes


def _times(power: int) -> str:
    return f"{10**power}" if power >= 0 else f"1/{10**-power}"


def _drawn(row: _Row, top: int, axis: _Axis) -> list[str]:
    middle = top + row.height / 2
    shapes = [f'<text x="{_LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{escape(row.title)}</text>']
    for number, ratio in enumerate(row.ratios):
        y = top + 6 + _BAR * (number + 0.5)
        colour = _SHOWN[ratio.figure][1]
        for goal in row.goals:
            if goal.figure == ratio.figure:
                at = axis.x(goal.at_most)
                shapes.append(f'<rect x="{at - 1.5:.1f}" y="{y - 6:.1f}" width="3" height="12" fill="#111"/>')
        least, greatest = axis.x(ratio.least), axis.x(ratio.greatest)
        shapes.append(
            f'<line x1="{least:.1f}" y1="{y:.1f}" x2="{greatest:.1f}" y2="{y:.1f}" '
            f'stroke="{colour}" stroke-width="3" stroke-linecap="round"/>'
            f'<circle cx="{axis.x(ratio.median):.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        )
    return shapes
