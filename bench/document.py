"""``results.json`` as a page for people: tables in Markdown, and a plot for each other tool."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.plot import plot
from bench.profiling import Profile
from bench.results import Results
from bench.run_sync import Figures
from bench.summary import Ratio, Summary, Verdict

_COLUMNS = {
    "wall": "time",
    "cpu": "CPU",
    "memory": "memory",
    "written": "bytes written",
    "requests": "requests",
    "bytes": "bytes sent",
    "ratio": "time over that of tasks that do nothing",
}
_INTRODUCTION = """\
# Benchmark

Made by `make bench` from `bench/results.json`; do not edit. Every comparison is a ratio, ours over the other
tool's, between runs that followed each other on one machine: below 1 is less than theirs. Shown are the
median of the rounds and, in brackets, the least and the greatest.

{machine}{scale}
"""
_METHOD = """\
## How it is measured

**What runs.** bandersnatch 8.2.0 in an environment of its own, pinned and hash-checked
(`bench/requirements-bandersnatch.txt`), with 10 workers, the most that it allows, and nothing else changed;
*the floor*, which is what a good shell script costs: `curl --parallel --parallel-max 10` over the same
addresses, then `sha256sum` over what it brought, without a list, a page or a ledger; ours with its default
configuration. Each program is started for each run, and its start counts.

**What they read.** One nginx worker serves a static tree, with the legacy JSON that bandersnatch reads and
the pages that ours reads, made from the same seed; a changelog stands behind it. Everything is in memory
(`/dev/shm`), so no disk is measured. The tools take turns within a round and each is first in its turn.
After every turn the mirror is compared with upstream, every file by its SHA-256 and every project by its
page: a tool that did less work ends the benchmark.

**The wire of 50 ms** is `bench/relay.py`, which holds every byte back for 25 ms each way and charges a round
trip for a connection. Its bandwidth has no bound. It runs on the same processors; what share of a turn it
computed is in `results.json` as `wire`, so that a wire that was the limit would show.

**Figures.** Time is wall time. CPU is user and system time of a program and all its children. Memory is the
peak of the sum over its processes, pages that they share counted once. Bytes written are what its write
calls were given. Requests are counted by upstream. In case J bytes and requests are from nginx's access log;
bandersnatch's tree is served as its documentation (`docs/serving.md`, the image banderx) recommends, and
both trees hold the same files.

**Case L** starts Airflow as `make up` does, on SQLite, and runs two DAGs in turn: `pypi_mirror`, of a mirror
up to date with upstream and served by nginx, and one of its shape whose tasks return at once. Its time is
from the trigger to the run's success, by Airflow's own record.

**Case Q** is what people wait for at a prompt: whole commands, over `python -c pass` with the same
interpreter.

**To repeat it:** `make bench`, on a machine that does nothing else; it needs nginx and curl, for case K
also Redis and PostgreSQL, and Python 3.12 or later for bandersnatch (`BENCH_PYTHON=`).
`make bench CASES=A,C REPEAT=1 SCALE=0.1` tries a part of it and leaves this page alone; what it finds is in
`var/bench`. With `COMPARE=bench/results.json` it prints what got worse by more than the noise.
"""


def write_documents(folder: Path, results: Results) -> None:
    """``benchmark.md`` and its plots in ``folder``, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents(results).items():
        (folder / name).write_text(text)


def documents(results: Results) -> dict[str, str]:
    """Each file's name and text."""
    cases = results.cases
    scale = "" if results.scale == 1 else f" Run at {results.scale:g} of the cases' full size."
    files: dict[str, str] = {}
    parts = [_INTRODUCTION.format(machine=results.machine, scale=scale), f"## Goals\n\n{_goals(cases)}"]
    for other in sorted({ratio.to for s in cases for ratio in s.ratios}):
        name = f"benchmark-{other.split()[-1]}.svg"
        files[name] = plot(other, cases)
        parts.append(
            f"## Against {other}\n\n![Ratios to {other}, a row a case]({name})\n\n{_table(other, cases)}"
        )
    parts += [f"## {s.letter}: {s.title}\n\n{_own_figures(s)}" for s in cases if not s.ratios]
    if results.profiles:
        parts.append(_where_time_goes(results.profiles))
    parts.append(_METHOD)
    files["benchmark.md"] = "\n".join(parts)
    return files


def _table(other: str, summaries: Sequence[Summary]) -> str:
    figures = [
        f for f in _COLUMNS if any(r.to == other and r.figure == f for s in summaries for r in s.ratios)
    ]
    rows = []
    for summary in summaries:
        found = {ratio.figure: ratio for ratio in summary.ratios if ratio.to == other}
        if found:
            rows.append(
                [f"{summary.letter}. {summary.title}", *(_cell(found.get(figure)) for figure in figures)]
            )
    return table(["case", *(_COLUMNS[figure] for figure in figures)], rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "| --- " * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _cell(ratio: Ratio | None) -> str:
    return "" if ratio is None else f"**{ratio.median:.2f}** ({ratio.least:.2f} to {ratio.greatest:.2f})"


def _goals(summaries: Sequence[Summary]) -> str:
    rows = [
        [f"{s.letter}. {s.title}", _wish(v), _figure(v, v.reached), _word(v) if v.met else f"**{_word(v)}**"]
        for s in summaries
        for v in s.verdicts
    ]
    return table(["case", "goal", "reached", ""], rows)


def verdict_line(verdict: Verdict) -> str:
    """One goal and how far it was reached."""
    return f"{_wish(verdict)}: {_figure(verdict, verdict.reached)}, {_word(verdict)}"


def _wish(verdict: Verdict) -> str:
    goal = verdict.goal
    to = "" if goal.to is None else f" of {goal.to}"
    part = "" if goal.part == "ours" else f"{goal.part}: "
    return f"{part}{_COLUMNS[goal.figure]} ≤ {_figure(verdict, goal.at_most)}{to}"


def _figure(verdict: Verdict, value: float) -> str:
    if verdict.goal.to is not None:
        return f"{value:.3g}"
    label, show = _OWN[verdict.goal.figure]
    unit = label.rpartition(", ")[2] if ", " in label else ""
    return f"{show(value)} {unit}".rstrip()


def _word(verdict: Verdict) -> str:
    return "met" if verdict.met else "missed"


# Figures that stand for themselves: what their column is called, and how their value is written.
_OWN: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "wall": ("time, s", "{:.3f}".format),
    "tasks": ("of it in tasks, s", "{:.2f}".format),
    "between": ("between tasks, s", "{:.2f}".format),
    "ratio": ("times as long", "{:.2f}".format),
    "cpu": ("CPU, s", "{:.2f}".format),
    "memory": ("peak memory, MB", lambda value: f"{value / 1e6:.0f}"),
    "bytes": ("bytes", "{:,.0f}".format),
    "rows per second": ("rows a second", "{:,.0f}".format),
    "requests": ("requests", "{:,.0f}".format),
    "bound": ("the wire alone, s", "{:.2f}".format),
    "busy": ("processors busy", "{:.0%}".format),
    "projects": ("projects", "{:,.0f}".format),
    "wire": ("of it the wire's relay, of one processor", "{:.0%}".format),
}


def _own_figures(summary: Summary) -> str:
    """A row for each thing that had a turn in a round: the medians of its figures over the rounds."""
    medians = {name: _median(summary, name) for name in summary.rounds[0]}
    shown = [figure for figure in _OWN if any(figure in figures for figures in medians.values())]
    several = "bound" in shown
    rows = []
    for name, figures in medians.items():
        cells = [_OWN[figure][1](figures[figure]) if figure in figures else "" for figure in shown]
        if several:
            cells += [f"{next(iter(medians.values()))['wall'] / figures['wall']:.2f}", _limit(figures)]
        rows.append([_WHOLE.get(summary.letter, name) if name == "ours" else name, *cells])
    head = ["", *(_OWN[figure][0] for figure in shown), *(["speed-up", "limited by"] if several else [])]
    note = _SEVERAL if several else ""
    return table(head, rows) + note


# What a case's goals are about, where it is made of parts.
_WHOLE = {"H": "**all steps**", "I": "**the slowest question**", "M": "**first sync**"}
_SEVERAL = """
*The wire alone* is the time that the requests would take if every worker always had as many of them under way
as `[mirror] workers` allows and nothing cost anything. *Processors busy* is of this whole machine: workers,
upstream's nginx, the wire's relay, PostgreSQL and Redis share it. Hosts of their own share only upstream,
the ledger and the storage; those cost a small part of what a worker does, so where the processors are the
limit here, more hosts still help.
"""
_NEARLY_ALL = 0.85


def _limit(figures: Figures) -> str:
    if figures["busy"] >= _NEARLY_ALL:
        return "this machine's processors"
    if figures["bound"] / figures["wall"] >= 1 / 2:
        return "the wire, at so many requests at once"
    return "waiting: for pages before files, and for flushes"


def _median(summary: Summary, name: str) -> Figures:
    return {
        figure: statistics.median(r[name][figure] for r in summary.rounds)
        for figure in summary.rounds[0][name]
    }


_PROFILED = """\
## Where our time goes

One more run of each case under a sampling profiler, all processes together; what a C library does counts for
the function that called it. Microseconds are for each file that was downloaded, `.metadata` files counted."""


def _where_time_goes(profiles: Sequence[Profile]) -> str:
    parts = [_PROFILED]
    for profile in profiles:
        whole = sum(profile.parts.values())
        rows = [
            [name, f"{seconds / whole:.0%}", f"{_each(profile, seconds)}"]
            for name, seconds in profile.parts.items()
        ]
        per = "µs a file" if profile.units > 1 else "s"
        name = f"flame-{profile.letter}.svg"
        parts.append(
            f"### {profile.letter}: {profile.title}\n\n![Flame graph of case {profile.letter}]({name})\n\n"
            + table(["part", "share", per], rows)
        )
        functions = [
            [f"`{function}`", f"{seconds / whole:.0%}", _each(profile, seconds)]
            for function, seconds in profile.functions.items()
            if seconds / whole >= 0.01
        ]
        if functions:
            parts.append("The functions of the engine that take 1 % or more, starting aside:\n")
            parts.append(table(["function", "share", per], functions))
    return "\n\n".join(parts).replace("\n\n\n", "\n\n")


def _each(profile: Profile, seconds: float) -> str:
    return f"{seconds / profile.units * 1e6:.0f}" if profile.units > 1 else f"{seconds:.2f}"
