"""A sync as real processes, and ways to kill it: what the two crash campaigns share."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pypi_mirror.disk.writing import TEMPORARY_PREFIX
from pypi_mirror.pool.part import WORTH_KEEPING
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine, Said, finish, kill, members, parent_of, wait_until
from tests.runs.audit import audit, audit_served, compare
from tests.runs.bench import Bench
from tests.torture.campaign import Wrong
from tests.torture.truth import check_tree
from tests.warehouse import Recorded, Server

WHOM = ("main process", "worker", "whole group")


def command_line(home: Path, server: Server, *sections: str, **mirror: object) -> CommandLine:
    """Nobody is there to approve a removal; disks of a few megabytes keep no reserve."""
    settings = {"disk_reserve": 0, "workers": 4, **mirror}
    text = "\n".join(("[removal]", "max-percent = 100", *sections))
    return CommandLine.of(home, server, text, **settings)


def bench_of(line: CommandLine, server: Server) -> Bench:
    return Bench(server=server, settings=read_settings(line.configuration, {}))


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a crash left in the pool: paths of whole files, and of parts that are worth continuing."""

    whole: frozenset[str]
    parts: frozenset[str]

    @classmethod
    def of(cls, bench: Bench) -> "Kept":
        whole, parts = set(), set()
        for path, file in bench.server.warehouse.files.items():
            on_disk = bench.web / path
            part = on_disk.with_name(f"{TEMPORARY_PREFIX}{on_disk.name}.part")
            if on_disk.exists():
                whole.add(path)
            elif part.exists() and WORTH_KEEPING <= part.stat().st_size < file.size:
                parts.add(path)
        return cls(whole=frozenset(whole), parts=frozenset(parts))

    def wasted(self, requests: tuple[Recorded, ...]) -> Iterator[Wrong]:
        """Whatever of it was fetched again from the beginning."""
        seen = set()
        for each in requests:
            path = each.path.lstrip("/")
            if path in seen:
                continue
            seen.add(path)
            if path in self.whole:
                yield Wrong(kind="complete file downloaded again", detail=path)
            elif path in self.parts and "range" not in {name.lower() for name in each.headers}:
                yield Wrong(kind="kept part downloaded again", detail=path)


def strike(process: "subprocess.Popen[str]", whom: str) -> str | None:
    """Kill without warning; who was killed, None when all had ended by themselves."""
    if process.poll() is not None:
        return None
    workers: list[int] = []
    while whom == "worker" and not workers and process.poll() is None:
        # It has none at its beginning, and none any more at its end.
        workers = _workers(process.pid)
        time.sleep(0.001)
    if whom == "worker" and workers:
        with suppress(ProcessLookupError):
            os.kill(workers[0], signal.SIGKILL)
        return whom
    if whom == "whole group":
        os.killpg(process.pid, signal.SIGKILL)
        return whom
    process.kill()
    return "main process"


def _workers(main: int) -> list[int]:
    """The processes that the batches run in."""
    found = []
    for pid in members(main):
        # One that ends at this moment is none.
        with suppress(OSError):
            if (
                parent_of(pid) == main
                and b"resource_tracker" not in Path(f"/proc/{pid}/cmdline").read_bytes()
            ):
                found.append(pid)
    return found


def end(process: "subprocess.Popen[str]") -> Said:
    """Wait for the end of all its processes."""
    try:
        said = finish(process, within=60)
    finally:
        wait_until(lambda: members(process.pid) == [])
    return said


def wait_for(server: Server, process: "subprocess.Popen[str]", requests: int, pause: float) -> None:
    """Until upstream was asked so often, or the run ended; and ``pause`` seconds more."""
    deadline = time.monotonic() + 60
    while server.requests.count() < requests and process.poll() is None:
        if time.monotonic() > deadline:
            kill(process)
            raise AssertionError("the run stands still")
        time.sleep(0.002)
    time.sleep(pause)


def crashed(bench: Bench) -> Iterator[Wrong]:
    """What is wrong right after a crash, in what readers see and in what the cursor says."""
    try:
        audit_served(bench)
    except (AssertionError, OSError) as error:
        yield Wrong(kind="wrong after the crash", detail=f"{type(error).__name__}: {error}")


def completed(bench: Bench, said: Said) -> Iterator[Wrong]:
    """What is wrong after the run that came to its end."""
    if said.code != 0:
        kind = "lease left" if "in use by" in said.err else "did not complete"
        yield Wrong(kind=kind, detail=said.err.strip()[-500:])
        return
    yield from check_tree(bench.web, bench.server.warehouse, ())
    try:
        audit(bench)
        compare(bench)
    except (AssertionError, OSError) as error:
        kind = "stale temporary file" if TEMPORARY_PREFIX in str(error) else "wrong or missing file"
        yield Wrong(kind=kind, detail=f"{type(error).__name__}: {error}")


def spoken(said: Said) -> Iterator[Wrong]:
    """Whatever ends a run, it is said in a sentence."""
    if "Traceback" in said.err:
        yield Wrong(kind="unclear error", detail=said.err[-800:])


def pick_whom(chance: random.Random) -> str:
    return chance.choice(WHOM)
