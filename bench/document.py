"""What is left of a benchmark: ``results.json``, a table in Markdown, and a plot for each other tool."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path

from bench.summary import Ratio, Summary, Verdict

_COLUMNS = {
    "wall": "time",
    "cpu": "CPU",
    "memory": "memory",
    "written": "bytes written",
    "requests": "requests",
    "bytes": "bytes sent",
}
_INTRODUCTION = """\
# Benchmark

Made by `make bench`; do not edit. Every number is a ratio, ours over the other tool's, between runs that
followed each other on the same machine: below 1 is less than theirs. Shown are the median of {repeat}
rounds and, in brackets, the least and the greatest. Every mirror was compared with upstream's files after
each run. Memory is the peak of the sum over a tool's processes, pages that they share counted once; bytes
written are what its write calls were given; requests are counted by upstream.

{machine}
"""


def write_results(path: Path, summaries: Sequence[Summary], *, machine: str, scale: float) -> None:
    """Everything that was measured, for programs."""
    document = {"machine": machine, "scale": scale, "cases": [asdict(s) for s in summaries]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def write_documents(folder: Path, summaries: Sequence[Summary], *, machine: str) -> None:
    """``benchmark.md`` and its plots in ``folder``, for people."""
    folder.mkdir(parents=True, exist_ok=True)
    repeat = max(len(s.rounds) for s in summaries)
    parts = [_INTRODUCTION.format(repeat=repeat, machine=machine)]
    for other in sorted({ratio.to for s in summaries for ratio in s.ratios}):
        name = f"benchmark-{other}.svg"
        (folder / name).write_text(_plot(other, summaries))
        parts.append(
            f"## Against {other}\n\n![Ratios to {other}, a line a case]({name})\n\n{_table(other, summaries)}"
        )
    parts.append(f"## Goals\n\n{_goals(summaries)}")
    own = [s for s in summaries if not s.ratios]
    parts += [f"## {s.letter}: {s.title}\n\n{_own_figures(s)}" for s in own]
    (folder / "benchmark.md").write_text("\n".join(parts))


def _table(other: str, summaries: Sequence[Summary]) -> str:
    figures = [
        f for f in _COLUMNS if any(r.to == other and r.figure == f for s in summaries for r in s.ratios)
    ]
    lines = [
        "| case | " + " | ".join(_COLUMNS[figure] for figure in figures) + " |",
        "| --- |" + " --- |" * len(figures),
    ]
    for summary in summaries:
        found = {ratio.figure: ratio for ratio in summary.ratios if ratio.to == other}
        if found:
            cells = [_cell(found.get(figure)) for figure in figures]
            lines.append(f"| {summary.letter}. {summary.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"**{ratio.median:.2f}** ({ratio.least:.2f} to {ratio.greatest:.2f})"


def _goals(summaries: Sequence[Summary]) -> str:
    lines = ["| case | goal | reached | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {s.letter} | {_wish(v)} | {v.reached:.3g} | {_word(v)} |" for s in summaries for v in s.verdicts
    ]
    return "\n".join(lines) + "\n"


def verdict_line(verdict: Verdict) -> str:
    """One goal and how far it was reached."""
    return f"{_wish(verdict)}: {verdict.reached:.3g}, {_word(verdict)}"


def _wish(verdict: Verdict) -> str:
    goal = verdict.goal
    to = "" if goal.to is None else f" of {goal.to}'s"
    return f"{_COLUMNS[goal.figure]} ≤ {goal.at_most:.3g}{to}"


def _word(verdict: Verdict) -> str:
    return "met" if verdict.met else "missed"


def _own_figures(summary: Summary) -> str:
    steps = summary.rounds[-1]
    lines = ["| step | seconds | peak memory, MB |", "| --- | --- | --- |"]
    lines += [f"| {name} | {f['wall']:.2f} | {f['memory'] / 1e6:.0f} |" for name, f in steps.items()]
    return "\n".join(lines) + "\n"


# The plot: a row a case on a logarithmic axis; a line from the least ratio to the greatest, the median a dot.
_LEFT, _WIDTH, _ROW, _TOP = 60, 560, 34, 40
_SHOWN = {"wall": "#1f5fa8", "cpu": "#c2571a", "memory": "#5b7f2b"}


def _plot(other: str, summaries: Sequence[Summary]) -> str:
    rows = [
        (s.letter, [r for r in s.ratios if r.to == other and r.figure in _SHOWN])
        for s in summaries
        if any(r.to == other and r.figure in _SHOWN for r in s.ratios)
    ]
    values = [v for _, ratios in rows for r in ratios for v in (r.least, r.greatest)] + [1.0]
    low, high = math.floor(math.log10(min(values))), max(1, math.ceil(math.log10(max(values))))

    def x(value: float) -> float:
        return _LEFT + _WIDTH * (math.log10(value) - low) / (high - low)

    bottom = _TOP + _ROW * len(rows)
    shapes = []
    for power in range(low, high + 1):
        at = x(10.0**power)
        shapes.append(
            f'<line x1="{at:.1f}" y1="{_TOP - 8}" x2="{at:.1f}" y2="{bottom}" '
            f'stroke="{"#555" if power == 0 else "#ccc"}"/>'
        )
        shapes.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{10.0**power:g}</text>')
    for number, (letter, ratios) in enumerate(rows):
        middle = _TOP + _ROW * number + _ROW / 2
        shapes.append(f'<text x="{_LEFT - 24}" y="{middle + 4}" text-anchor="middle">{escape(letter)}</text>')
        for offset, ratio in enumerate(ratios):
            y = middle + 8 * (offset - (len(ratios) - 1) / 2)
            colour = _SHOWN[ratio.figure]
            shapes.append(
                f'<line x1="{x(ratio.least):.1f}" y1="{y:.1f}" x2="{x(ratio.greatest):.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-width="2"/>'
                f'<circle cx="{x(ratio.median):.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
            )
    for number, (figure, colour) in enumerate(_SHOWN.items()):
        at = _LEFT + 90 * number
        shapes.append(
            f'<circle cx="{at}" cy="14" r="4" fill="{colour}"/>'
            f'<text x="{at + 9}" y="18">{_COLUMNS[figure]}</text>'
        )
    title = f"ours over {other}'s, left of 1 is less"
    shapes.append(f'<text x="{_LEFT + _WIDTH}" y="18" text-anchor="end">{escape(title)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 40} {bottom + 28}" '
        'font-family="sans-serif" font-size="12" fill="#222">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(shapes)}</svg>\n'
    )
