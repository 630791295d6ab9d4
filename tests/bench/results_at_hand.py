"""Results as a benchmark leaves them, made up: all cases that the documents speak of, in round numbers."""

from bench.cases import Goal
from bench.profiling import Profile
from bench.results import Results
from bench.run_sync import Figures
from bench.summary import summarize

_LEFT = {
    "projects": 1000.0,
    "files": 10_000.0,
    "downloaded": 1e9,
    "pages": 4e6,
    "index": 50_000.0,
}


def figures(**others: float) -> Figures:
    return {"wall": 2.0, "cpu": 4.0, "memory": 1e8, "written": 1e6, "requests": 20_000.0, **_LEFT, **others}


def made_up() -> Results:
    tools = {"ours": figures(), "bandersnatch": figures(wall=16.0, cpu=20.0), "the floor": figures(wall=1.0)}
    own = {"ours": {"wall": 5.0, "memory": 3e8}, "report": {"wall": 1.0, "memory": 1e8}}
    ledger = {
        "ours": {"wall": 0.5},
        "status": {"wall": 0.5},
        "all projects": {"wall": 2.0, "rows per second": 1e6},
    }
    rows = {
        f"a row of {name}": {"bytes": size}
        for name, size in (("files", 400.0), ("projects", 250.0), ("plan", 100.0))
    }
    client = {"wall": 1.0, "cpu": 1.0, "bytes": 500_000.0, "requests": 120.0}
    workers = {
        "1 worker": {"wall": 40.0, "cpu": 5.0, "bound": 35.0, "busy": 0.2, "wire": 0.1},
        "2 workers": {"wall": 20.0, "cpu": 5.0, "bound": 8.0, "busy": 0.5, "wire": 0.1},
        "4 workers": {"wall": 10.0, "cpu": 5.0, "bound": 4.0, "busy": 0.95, "wire": 0.1},
    }
    followed = {
        "ours": {"wall": 9.0, "cpu": 20.0, "requests": 2_000.0, "projects": 100.0, "bytes": 5e6},
        "one upload": {"wall": 1.0, "cpu": 0.5, "requests": 5.0},
    }
    goal = Goal(figure="wall", to="bandersnatch", at_most=1 / 8)
    return Results(
        machine="2 cores.",
        scale=1.0,
        cases=(
            *(summarize(letter, f"case {letter}", [goal], [tools]) for letter in "ABCDEFG"),
            summarize("H", "plan and publish", [Goal(figure="wall", to=None, at_most=4.0)], [own]),
            summarize("I", "ledger", [Goal(figure="wall", to=None, at_most=1.0)], [ledger | rows]),
            summarize("J", "pip", (), [{"ours": client, "bandersnatch": client}]),
            summarize("K", "machines", (), [workers]),
            summarize("M", "dependencies", (), [followed]),
        ),
        profiles=(
            Profile(
                letter="A",
                title="case A",
                units=10_000,
                parts={"ledger": 3.0, "event loop": 1.0},
                functions={
                    "write (pypi_mirror/disk/files.py)": 2.0,
                    "rare (pypi_mirror/disk/files.py)": 0.01,
                },
            ),
        ),
    )
