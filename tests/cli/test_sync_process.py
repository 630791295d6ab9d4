"""``pypi-mirror sync`` as a real process: whole runs, two processes, signals, kills, a full disk."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine, finish, members, parent_of, wait_until
from tests.runs.audit import audit, audit_served, compare
from tests.runs.bench import Bench
from tests.warehouse import (
    Corrupt,
    Delay,
    Drip,
    Fault,
    Server,
    Upload,
    Warehouse,
    Wheel,
    many,
    running,
    small,
)

pytestmark = pytest.mark.servers


def bench_of(line: CommandLine, server: Server) -> Bench:
    """What the process made, to be audited; with the real time."""
    return Bench(server=server, settings=read_settings(line.configuration, {}))


def tree(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time and bytes of every file but the ledger and the public records of the run."""
    records = ("mirror.json", "metrics")
    return {
        path.relative_to(directory).as_posix(): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            path.read_bytes(),
        )
        for path in directory.rglob("*")
        if path.is_file() and not path.name.startswith("ledger.sqlite") and path.name not in records
    }


def test_two_thousand_projects_agree_in_every_file_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    with running(many(2000, 5, 200).build()) as server:
        line = CommandLine.of(tmp_path, server)
        first = line.run("sync", "--processes", "2")
        assert (first.code, server.requests.unexpected) == (0, ())
        assert "2,000 projects synced, 0 removed; 10,000 files downloaded" in first.out
        assert "The mirror holds 2,000 projects, 10,000 files" in first.out
        bench = bench_of(line, server)
        audit(bench)
        assert bench.cursor == server.warehouse.serial
        pages = server.requests.of("page")
        assert len({each.path for each in pages}) == len(pages) == 2000, "each page is read once"
        files = server.requests.of("file")
        assert len({each.path for each in files}) == len(files) == 10_000, "each file is fetched once"
        before = tree(tmp_path)
        server.requests.reset()
        second = line.run("sync", "--processes", "2")
        assert second.code == 0
        assert f"Nothing changed upstream; the mirror is at serial {server.warehouse.serial}." in second.out
        assert server.requests.count() <= 3
        assert tree(tmp_path) == before


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Server, CommandLine]]:
    """An upstream whose files take a while, so that there is a middle of the run."""
    faults = (Fault(path="/packages/*", effect=Delay(seconds=0.05), times=None),)
    with running(many(120, 2, 200).build(), faults=faults) as server:
        yield server, CommandLine.of(tmp_path, server, workers=2)


def under_way(server: Server, files: int = 5) -> None:
    wait_until(lambda: server.requests.count("file") >= files)


def reached(server: Server, process: "subprocess.Popen[str]", requests: int) -> None:
    wait_until(lambda: server.requests.count() >= requests or process.poll() is not None)


def gone(process: "subprocess.Popen[str]") -> None:
    """Nothing the process started is alive."""
    wait_until(lambda: members(process.pid) == [])


def completes(server: Server, line: CommandLine) -> None:
    """The next run goes on at once, fetches no complete file again, and the mirror is whole."""
    bench = bench_of(line, server)
    audit_served(bench)
    complete = {path.name for path in (bench.web / "packages").rglob("*.whl") if path.name[0] != "."}
    server.requests.reset()
    server.faults.clear()
    said = line.run("sync", "--processes", "2")
    assert said.code == 0, said.err
    assert not complete & set(bench.downloads())
    audit(bench)
    compare(bench)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_an_interrupted_run_ends_and_the_next_goes_on(
    slow: tuple[Server, CommandLine], number: signal.Signals, processes: str
) -> None:
    server, line = slow
    with line.start("sync", "--processes", processes) as process:
        under_way(server)
        if number is signal.SIGINT:
            # As a terminal does it: to the whole group.
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        said = finish(process)
    assert said.code == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert "pypi-mirror: interrupted; what was finished is kept" in said.err
    assert "Traceback" not in said.err
    gone(process)
    completes(server, line)


def test_a_run_that_is_killed_at_any_moment_is_taken_up(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    bench = bench_of(line, server)
    dice = random.Random(20261122)
    for _ in range(10):
        fetched = server.requests.count("file")
        with line.start("sync", "--processes", "2") as process:
            # By progress, not by time: from the first call to upstream to the middle of the files.
            goal = server.requests.count() + dice.randrange(1, 60)
            reached(server, process, goal)
            # The parent alone: its children have to notice.
            process.kill()
            process.wait()
            gone(process)
            process.communicate()
        audit_served(bench)
        assert server.requests.count("file") >= fetched
    completes(server, line)


def test_a_worker_that_is_killed_ends_the_run_with_a_sentence(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    with line.start("sync", "--processes", "2") as process:
        under_way(server)
        workers = [pid for pid in members(process.pid) if parent_of(pid) == process.pid]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        said = finish(process)
    assert said.code == 1
    assert "a process of the sync was killed (out of memory?)" in said.err
    assert "Traceback" not in said.err
    gone(process)
    completes(server, line)


def test_a_second_sync_while_one_runs(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    with line.start("sync", "--processes", "1") as first:
        under_way(server)
        second = line.run("sync")
        assert second.code == 1
        assert (
            f"the mirror is in use by command line, {os.uname().nodename}, process {first.pid} since"
            in second.err
        )
        assert "Traceback" not in second.err
        assert finish(first).code == 0
    audit(bench_of(line, server))


def test_a_second_sync_that_is_to_wait_says_so_and_has_its_turn(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    with line.start("sync", "--processes", "1") as first:
        under_way(server)
        second = line.run("sync", "--wait")
        assert finish(first).code == 0
    assert second.code == 0
    assert second.err.count("waiting: the mirror is in use by command line, ") == 1
    assert "Nothing changed upstream" in second.out


@pytest.mark.parametrize("processes", ["1", "2"])
def test_stop_on_error_ends_all_processes(tmp_path: Path, processes: str) -> None:
    faults = [Fault(path="/packages/*/project_00090-*", effect=Corrupt(), times=None)]
    if processes == "2":
        # Files of another batch that would take for ever: nobody waits for them.
        faults.append(Fault(path="/packages/*/project_0000*", effect=Drip(chunk=1, seconds=1), times=None))
    with running(many(120, 1, 200).build(), faults=tuple(faults)) as server:
        line = CommandLine.of(tmp_path, server, stop_on_error="true", workers=20)
        said = line.run("sync", "--processes", processes)
        assert said.code == 1
        assert "stop-on-error: project-00090 failed: " in said.err
        assert "Traceback" not in said.err
        assert not (tmp_path / "mirror/status").exists()
        completes(server, line)


def test_failures_are_named_with_their_reasons(tmp_path: Path) -> None:
    with running(small().build()) as server:
        server.inject(Fault(path="/packages/*/old-1.0-*", effect=Corrupt(), times=None))
        line = CommandLine.of(tmp_path, server)
        said = line.run("sync", "--processes", "1")
        assert said.code == 1
        (failed,) = [text for text in said.err.splitlines() if text.startswith("failed: ")]
        assert failed.startswith("failed: old: http")
        assert "sha256 is " in failed
        assert "1 project failed" in said.out
        status = line.run("status")
        assert status.code == 0
        assert "old: " in status.out
        document = json.loads(line.run("status", "--json").out)
        assert (document["backlog"], document["last_run"]) == (1, "failed")
        # Not due yet, and the mirror is not complete all the same.
        again = line.run("sync", "--processes", "1")
        assert again.code == 1
        assert "failed before: old: http" in again.err


def test_the_report_says_what_the_filters_saved(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        said = line.run("sync", "--processes", "1")
        foreign = [
            f for f in server.warehouse.files.values() if f.filename.endswith(("amd64.whl", "arm64.whl"))
        ]
        assert f"the filters left out {len(foreign)} files, " in said.out
        assert not [path for path in tmp_path.rglob("*") if path.name.endswith(("amd64.whl", "arm64.whl"))]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a small file system takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_disk_that_is_full_is_named_and_nothing_is_lost(small_disk: Path, processes: str) -> None:
    with running(many(60, 1, 60_000).build()) as server:
        line = CommandLine.of(small_disk, server)
        said = line.run("sync", "--processes", processes)
        assert said.code == 1
        assert "No space left on device" in said.err or "database or disk is full" in said.err
        assert "Traceback" not in said.err
        bench = bench_of(line, server)
        subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
        assert bench.backlog() == {}
        completes(server, line)


def test_plan_says_what_a_sync_would_do_and_does_nothing(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        plan = line.run("plan")
        assert plan.code == 0
        assert "sync alpha: new" in plan.out
        assert "by comparison with upstream's list of all projects" in plan.out
        assert set(server.requests.counts) == {"index"}
        assert not (tmp_path / "mirror").exists()
        line.run("sync", "--processes", "1")
        server.apply(Upload(distribution=Wheel(name="alpha", version="9.0")))
        before = tree(tmp_path)
        plan = line.run("plan")
        assert "sync alpha: upstream: add py3 file alpha-9.0-py3-none-any.whl" in plan.out
        assert "1 project, 0 of them to remove; 2 events since serial" in plan.out
        assert tree(tmp_path) == before
        assert line.run("sync", "--processes", "1").code == 0
        audit(bench_of(line, server))


def test_a_process_that_dies_before_all_batches_are_handed_out_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def submit(*_: object) -> None:
        raise BrokenProcessPool("a child process terminated abruptly")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    with running(Warehouse(*(Upload(distribution=Wheel(name=f"p{n:02}")) for n in range(12)))) as server:
        line = CommandLine.of(tmp_path, server)
        assert main(["sync", "-c", str(line.configuration), "--processes", "2"]) == 1
    assert "a process of the sync was killed (out of memory?)" in capsys.readouterr().err
