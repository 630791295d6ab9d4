"""Power cuts: the order of a real run's system calls, and the trees that a cut may leave of it."""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.process import CommandLine
from tests.requirements_present import require
from tests.runs.audit import audit, audit_served, compare
from tests.torture.kills import bench_of, command_line
from tests.torture.power import STRACE, Call, Cut, disorder, read_trace, within
from tests.torture.truth import check_tree
from tests.warehouse import RemoveFile, RemoveProject, Server, Upload, Wheel, Yank, many, running

pytestmark = pytest.mark.servers

_CUTS = 8


def traced(line: CommandLine, home: Path) -> list[Call]:
    """The calls of a whole run that are about the mirror."""
    require(shutil.which("strace"), "strace")
    trace = home / "trace"
    command = [*STRACE, "-o", str(trace), *line.command, "sync", "--verbose", "-c", str(line.configuration)]
    done = subprocess.run(
        [*command, "--processes", "1"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "include")},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    require("ptrace" not in done.stderr, "the right to trace processes")
    assert done.returncode == 0, done.stderr
    return within(read_trace(trace), home / "mirror")


@contextmanager
def mirrored(home: Path) -> Iterator[tuple[Server, CommandLine]]:
    with running(many(8, 2, 3000).build()) as server:
        yield server, command_line(home, server)


def happen(server: Server) -> None:
    server.apply(
        Upload(distribution=Wheel(name="project-00001", version="3.0")),
        Upload(distribution=Wheel(name="project-00009", version="1.0")),
        Yank(project="project-00002", version="1.0", reason="no"),
        RemoveFile(project="project-00003", filename="project_00003-1.0-py3-none-any.whl"),
        RemoveProject(project="project-00004"),
    )


def test_nothing_is_told_before_it_is_safe(tmp_path: Path) -> None:
    with mirrored(tmp_path) as (server, line):
        first = traced(line, tmp_path)
        assert disorder(first) == []
        happen(server)
        second = traced(line, tmp_path)
        assert disorder(second) == []
    for calls in (first, second):
        names = {call.name for call in calls}
        assert {"rename", "syncfs", "message", "pwrite64"} <= names, "the trace holds less than it should"
        assert any(call.target == "status" for call in calls)


def test_an_order_that_is_wrong_is_found(tmp_path: Path) -> None:
    """The judge itself: the same calls without their flushes."""
    with mirrored(tmp_path) as (_, line):
        calls = traced(line, tmp_path)
    found = "\n".join(disorder([call for call in calls if call.name != "syncfs"]))
    for words in (
        "/index.html had its name before its bytes were safe",
        "was there before web/packages/",
        "was recorded before",
        "simple/index.",
        "the cursor moved",
    ):
        assert words in found


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_cut_at_any_moment_leaves_what_serves_and_goes_on(tmp_path: Path, which: str) -> None:
    chance = random.Random(20261122)
    mirror, before, after = tmp_path / "mirror", tmp_path / "before", tmp_path / "after"
    with mirrored(tmp_path) as (server, line):
        bench = bench_of(line, server)
        if which == "second":
            assert line.run("sync", "--processes", "1").code == 0
            happen(server)
        else:
            mirror.mkdir()
        shutil.copytree(mirror, before)
        calls = traced(line, tmp_path)
        shutil.copytree(mirror, after)
        cut = Cut(before, after, calls, chance)
        assert cut.loose
        for moment in (*chance.sample(cut.moments, _CUTS), *cut.loose):
            cut.make(mirror, moment)
            audit_served(bench)
            # The run that was cut off holds the lease; this one is in the same process and waits it out.
            bench.clock.advance(minutes=30)
            assert bench.sync().new_failures == ()
            assert list(check_tree(bench.web, server.warehouse, ())) == []
            audit(bench)
            compare(bench)
