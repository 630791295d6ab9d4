"""Case K: the batches of one run on 1, 2 and 4 Celery workers over a shared directory and PostgreSQL.

A worker stands for a host: a process of its own that knows the others only through the ledger, the directory
and the queue (Redis), as Airflow's CeleryExecutor would have it. Airflow itself is left out, for what it
takes to start a task is its own and the same for every task. The wire is 50 ms long, so one worker waits
most of the time; what stops more of them from helping is in the figures: how long the wire alone would have
taken (``bound``) and what share of this machine's processors was busy (``busy``).
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree, which

import psycopg

from bench.catalogue import Catalogue, StaticTree
from bench.measure import busy_processors, cpu_seconds, measure
from bench.run_sync import Figures, Round, Say, check, wire
from bench.tools import Job, Ours
from bench.upstream import Upstream, free_port, upstream, wait_for_port
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import report
from pypi_mirror.settings.read import read_settings
from tests.ledger.postgres import running_postgres

TITLE = "first sync of {projects} projects over a wire with a round trip of 50 ms, by so many Celery workers"
WORKERS = (1, 2, 4)
_ROUND_TRIP = 0.05
# So many batches that no worker idles while another one has its last.
_BATCHES = 16
_BROKER = "PYPI_MIRROR_BENCH_BROKER"
_PATIENCE = 60.0


def missing_programs() -> list[str]:
    """What this case needs of the machine and does not find."""
    postgres = any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or which("initdb")
    return [
        name
        for name, found in (("redis-server", which("redis-server")), ("PostgreSQL", postgres))
        if not found
    ]


class ProgramMissing(Exception):
    """This machine lacks what a case needs."""


def run_machines(
    celery: Callable[[], Path], *, home: Path, scale: float, repeat: int, say: Say
) -> tuple[str, list[Round]]:
    """Rounds with a turn for each number of workers, and the case's title. Works below ``home``, removes it.

    ``celery`` gives the folder that Celery's packages are in. Raises ProgramMissing. A turn is called
    ``1 worker``, ``2 workers`` ….
    """
    if missing := missing_programs():
        raise ProgramMissing(" and ".join(missing))
    packages = celery()
    try:
        tree = StaticTree(
            home / "tree", Catalogue(projects=max(_BATCHES, round(2_000 * scale)), files=5, filler=20_000)
        )
        tree.write()
        port = free_port()
        with (
            running_postgres() as postgres,
            _redis(home) as broker,
            upstream(tree, home / "upstream", port) as served,
        ):
            rounds = []
            for turn in range(repeat):
                # Each number of workers is first in its turn, so that none always meets a cold cache.
                first = turn % len(WORKERS)
                took = {
                    count: _turn(
                        tree, served, home, count, _database(postgres, f"k{turn}x{count}"), broker, packages
                    )
                    for count in (*WORKERS[first:], *WORKERS[:first])
                }
                rounds.append({_name(count): took[count] for count in WORKERS})
                say(
                    f"  round {turn + 1}: "
                    + ", ".join(f"{n} {f['wall']:.2f} s" for n, f in rounds[-1].items())
                )
    finally:
        rmtree(home, ignore_errors=True)
    return TITLE.format(projects=tree.catalogue.projects), rounds


def _name(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _turn(
    tree: StaticTree, served: Upstream, home: Path, count: int, ledger: str, broker: str, celery: Path
) -> Figures:
    with wire(served.port, _ROUND_TRIP) as line:
        job = Job(directory=home / "ours", master=f"http://127.0.0.1:{line.port}", tree=tree)
        Ours().command(job)
        configuration = home / "ours.conf"
        with configuration.open("a") as file:
            file.write(f"[ledger]\nurl = {ledger}\n")
        before = served.requests()
        measured = measure(
            [sys.executable, "-m", "bench.machines", str(configuration), str(count)],
            log=home / "ours.log",
            environment={
                **os.environ,
                _BROKER: broker,
                "PYTHONPATH": os.pathsep.join((str(celery), os.environ.get("PYTHONPATH", ""))).rstrip(
                    os.pathsep
                ),
            },
        )
        requests = served.requests() - before
    check(job, Ours())
    figures: Figures = json.loads((home / "ours.log").read_text().splitlines()[-1])
    at_once = count * read_settings(configuration).workers
    rmtree(job.directory)
    return {
        **figures,
        "memory": measured.memory,
        "requests": requests,
        "bound": requests * _ROUND_TRIP / at_once,
        "wire": line.cpu / figures["wall"],
    }


def _database(postgres: str, name: str) -> str:
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return postgres.rpartition("/")[0] + "/" + name


@contextmanager
def _redis(home: Path) -> Iterator[str]:
    """A queue that keeps nothing; its address."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True) as server:
        try:
            wait_for_port(port, server)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


def main() -> None:
    """One run, its batches handed to so many workers; the last line it prints is its figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.machines")
    parser.add_argument("configuration", type=Path)
    parser.add_argument("workers", type=int)
    arguments = parser.parse_args()
    with ExitStack() as workers:
        processes = [workers.enter_context(_worker(number)) for number in range(arguments.workers)]
        figures = _run(arguments.configuration, processes)
    print(json.dumps(figures))


def _run(configuration: Path, workers: list["subprocess.Popen[bytes]"]) -> Mapping[str, float]:
    queue = importlib.import_module("bench.celery_batches")
    deadline = time.monotonic() + _PATIENCE
    while len(queue.app.control.ping(timeout=0.5)) < len(workers):
        if time.monotonic() > deadline or any(worker.poll() is not None for worker in workers):
            raise SystemExit("bench: a Celery worker did not start")
    with open_mirror(read_settings(configuration)) as mirror:
        run_id = fetch_changelog(mirror, RunRequest(label="bench", kind=RunKind.SYNC)).run_id
        batches = partition_projects(mirror, run_id, at_least=_BATCHES).batches
        cpu = sum(cpu_seconds(worker.pid) for worker in workers)
        started = time.perf_counter()
        with busy_processors() as busy:
            tasks = [queue.download_task.delay(str(configuration), run_id, batch.number) for batch in batches]
            failed = sum(task.get() for task in tasks)
        wall = time.perf_counter() - started
        cpu = sum(cpu_seconds(worker.pid) for worker in workers) - cpu
        rebuild_index(mirror, run_id)
        if failed or report(mirror, run_id).state is not RunState.SUCCESS:
            raise SystemExit(f"bench: {failed} projects failed in a run over several workers")
    return {"wall": wall, "cpu": cpu, "busy": busy.share}


@contextmanager
def _worker(number: int) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable, "-m", "celery", "--app", "bench.celery_batches", "worker", "--pool", "solo",
        "--hostname", f"worker{number}@bench", "--loglevel", "warning",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
