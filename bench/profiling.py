"""Where our own time goes: one more run of a case under a sampling profiler (py-spy), none of the rounds."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.cases import SyncCase
from bench.catalogue import StaticTree
from bench.flames import Stack, by_function, by_part, parse_stacks
from bench.measure import measure
from bench.run_sync import check
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream

# A run of each kind: work for the processors, for the wire, and the one that is made every hour.
PROFILED = "ADF"
_SAMPLES_A_SECOND = 100
_FUNCTIONS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """``parts`` and ``functions`` are in seconds of processor time over all processes, the largest first.

    ``units`` is what their time is told per: files, or the run itself where none is downloaded.
    """

    letter: str
    title: str
    units: int
    parts: Mapping[str, float]
    functions: Mapping[str, float]


def profile(case: SyncCase, py_spy: Path, *, home: Path) -> tuple[Profile, dict[Stack, int]]:
    """Run ours once in ``case`` under ``py_spy``; works below ``home`` and removes it."""
    try:
        return _profile(case, py_spy, home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _profile(case: SyncCase, py_spy: Path, home: Path) -> tuple[Profile, dict[Stack, int]]:
    tree = StaticTree(home / "tree", case.catalogue)
    tree.write()
    raw = home / "stacks"
    with upstream(tree, home / "upstream", port := free_port()):
        job = Job(
            directory=home / "ours",
            master=f"http://127.0.0.1:{port}",
            tree=tree,
            release_files=case.release_files,
        )
        command = Ours().command(job)
        if case.start != "empty":
            measure(command, log=home / "first.log")
        watched = [
            str(py_spy), "record", "--subprocesses", "--rate", str(_SAMPLES_A_SECOND), "--format", "raw",
            "--output", str(raw), "--", *command,
        ]  # fmt: skip
        measure(watched, log=home / "profile.log")
        check(job, Ours())
    stacks = parse_stacks(raw.read_text())
    return Profile(
        letter=case.letter,
        title=case.title,
        units=len(tree.files) if case.start == "empty" and case.release_files else 1,
        parts=_seconds(by_part(stacks)),
        functions=_seconds(by_function(stacks, _FUNCTIONS)),
    ), stacks


def _seconds(samples: Mapping[str, int]) -> dict[str, float]:
    return {name: count / _SAMPLES_A_SECOND for name, count in samples.items()}
