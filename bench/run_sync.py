"""Runs one sync case: every tool in turn, round after round, each mirror checked against upstream's files."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cases import CHANGED, SyncCase
from bench.catalogue import StaticTree
from bench.measure import cpu_seconds, measure
from bench.tools import Job, Tool
from bench.upstream import Upstream, free_port, upstream

# One turn of one tool: each figure's name and value.
Figures = dict[str, float]
# One round: the figures of every tool that took its turn.
Round = dict[str, Figures]

Say = Callable[[str], None]


def run_sync(case: SyncCase, tools: Mapping[str, Tool], *, home: Path, repeat: int, say: Say) -> list[Round]:
    """``repeat`` rounds of ``case``. Works below ``home`` and removes it at the end.

    Raises ProgramFailed, or SystemExit when a mirror does not hold what upstream has.
    """
    turns = [tools[name] for name in case.tools]
    try:
        return list(_rounds(case, turns, home, repeat, say))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _rounds(case: SyncCase, tools: Sequence[Tool], home: Path, repeat: int, say: Say) -> Iterator[Round]:
    tree = StaticTree(home / "tree", case.catalogue)
    tree.write()
    # One port throughout: where a mirror comes from is a part of what it remembers.
    port = free_port()
    if case.start != "empty":
        with upstream(tree, home / "upstream", port) as served:
            for tool in tools:
                _turn(case, tool, tree, served, home, fresh=True)
                say("  first sync by " + tool.name)
    if case.others:
        tree.list_others(case.others)
    for turn in range(repeat):
        if case.start == "changed":
            tree.change(max(1, round(case.catalogue.projects * CHANGED)), turn)
        with upstream(tree, home / "upstream", port) as served:
            # Each tool is the first of a round in its turn, so that none always meets a cold cache.
            order = [*tools[turn % len(tools) :], *tools[: turn % len(tools)]]
            took = {
                tool.name: _turn(case, tool, tree, served, home, fresh=case.start == "empty")
                for tool in order
            }
        say(f"  round {turn + 1}: " + ", ".join(f"{name} {f['wall']:.2f} s" for name, f in took.items()))
        yield took


def _turn(
    case: SyncCase, tool: Tool, tree: StaticTree, served: Upstream, home: Path, *, fresh: bool
) -> Figures:
    directory = home / tool.name
    if fresh:
        shutil.rmtree(directory, ignore_errors=True)
    with wire(served.port, case.round_trip) as line:
        job = Job(
            directory=directory,
            master=f"http://127.0.0.1:{line.port}",
            tree=tree,
            release_files=case.release_files,
        )
        command = tool.command(job)
        before = served.requests()
        measured = measure(command, log=home / f"{tool.name}.log")
        requests = served.requests() - before
    check(job, tool)
    left = _left(job)
    if fresh and case.start == "empty":
        shutil.rmtree(directory, ignore_errors=True)
    return {
        "wall": measured.wall,
        "cpu": measured.cpu,
        "memory": measured.memory,
        "written": measured.written,
        "requests": requests,
        "wire": line.cpu / measured.wall,
        **left,
    }


def _left(job: Job) -> Figures:
    """What a mirror has on its disk afterwards, in bytes and numbers; `bench.capacity` computes with it."""
    simple = job.web / "simple"
    index = simple / "index.v1_json"
    return {
        "projects": len(job.tree.names),
        "files": len(job.tree.files) if job.release_files else 0,
        "downloaded": sum((job.web / name).stat().st_size for name in job.tree.files)
        if job.release_files
        else 0,
        "pages": sum(path.stat().st_size for path in simple.glob("*/*")),
        "index": index.stat().st_size if index.exists() else 0,
    }


@dataclass(slots=True, kw_only=True)
class Wire:
    """``port`` is this end's; ``cpu`` is what the wire itself computed, in seconds, once it is gone."""

    port: int
    cpu: float = 0.0


@contextmanager
def wire(port: int, round_trip: float) -> Iterator[Wire]:
    """A wire to ``port``; with a round trip of no seconds there is nothing between."""
    if not round_trip:
        yield Wire(port=port)
        return
    command = [sys.executable, "-m", "bench.relay", str(port), str(round_trip)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as relay:
        try:
            assert relay.stdout is not None  # noqa: S101 - asked for above
            line = Wire(port=int(relay.stdout.readline()))
            started = cpu_seconds(relay.pid)
            yield line
            line.cpu = cpu_seconds(relay.pid) - started
        finally:
            relay.terminate()


def check(job: Job, tool: Tool) -> None:
    """No tool is measured for less work: every page is there, and every file with the right digest.

    Raises SystemExit that names what is not.
    """
    wanted = job.tree.files if job.release_files else {}
    found = {
        str(path.relative_to(job.web)): path
        for path in (job.web / "packages").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    if missing := wanted.keys() - found.keys():
        raise SystemExit(f"bench: {tool.name} left out {len(missing)} files, {min(missing)} among them")
    # Ours makes a wheel's metadata where upstream serves none.
    made = {f"{path}.metadata" for path in wanted}
    if extra := found.keys() - wanted.keys() - made:
        raise SystemExit(f"bench: {tool.name} has {len(extra)} files too many, {min(extra)} among them")
    for name, sha256 in wanted.items():
        with found[name].open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise SystemExit(f"bench: {tool.name} has other bytes in {name}")
    for name in job.tree.names:
        if not any((job.web / "simple" / name).glob("index.*")):
            raise SystemExit(f"bench: {tool.name} has no page of {name}")
