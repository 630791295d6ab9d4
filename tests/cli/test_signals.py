"""Signals end the program: any number of them, at any moment, whatever its parent did about them."""

import os
import random
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine, finish, kill, members, wait_until
from tests.warehouse import Delay, Fault, Server, many, running

pytestmark = pytest.mark.servers

SEED = 20261130
TRIES = 4
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Server, CommandLine]]:
    faults = (Fault(path="/packages/*", effect=Delay(seconds=0.05), times=None),)
    with running(many(150, 1, 200).build(), faults=faults) as server:
        yield server, CommandLine.of(tmp_path, server, workers=2)


def is_free(line: CommandLine) -> bool:
    """Nobody has the mirror, and no run says that it is under way."""
    settings = read_settings(line.configuration, {})
    if not settings.web.is_dir():
        return True
    with open_mirror(settings) as mirror:
        running_runs = [run for run in mirror.ledger.runs.latest(50) if run.state.value == "running"]
        return mirror.ledger.lease.holder() is None and not running_runs


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Code and standard error of a program that was signalled; nothing of it is left."""
    try:
        said = finish(process, within=45)
    except subprocess.TimeoutExpired:
        pytest.fail("it hangs")
    wait_until(lambda: members(process.pid) == [])
    return said.code, said.err


@pytest.mark.parametrize("processes", ["1", "2"])
def test_any_number_of_signals_at_any_moment_ends_a_sync(
    slow: tuple[Server, CommandLine], processes: str
) -> None:
    server, line = slow
    dice = random.Random(SEED + int(processes))
    for _ in range(TRIES):
        numbers = dice.choices((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), k=dice.randint(2, 5))
        to_all = dice.random() < 0.5
        with line.start("sync", "--processes", processes) as process:
            goal = server.requests.count() + dice.randrange(1, 40)
            wait_until(lambda at=goal: server.requests.count() >= at)  # type: ignore[misc]
            for number in numbers:
                if process.poll() is not None:
                    break
                if to_all:
                    # As a terminal does, and systemd at the end of a service.
                    os.killpg(process.pid, number)
                else:
                    process.send_signal(number)
                time.sleep(dice.choice((0.0, 0.01, 0.05, 0.3)))
            code, err = ended(process)
        assert code in CODES.values(), (numbers, code, err)
        assert "pypi-mirror: interrupted; what was finished is kept" in err, (numbers, err)
        assert not re.search("Traceback|handle is closed|was killed", err), err
        assert is_free(line)
    server.faults.clear()
    said = line.run("sync", "--processes", "2")
    assert said.code == 0, said.err


@pytest.mark.parametrize(
    "verb",
    [
        ("sync", "--processes", "1"),
        ("sync", "--processes", "2"),
        # Named projects are asked for upstream, however short a time ago they were.
        ("audit", *(f"project-{number:05}" for number in range(80))),
    ],
    ids=["one process", "two processes", "audit"],
)
@pytest.mark.parametrize("number", CODES)
def test_the_exit_code_says_which_signal_it_was_also_where_the_parent_ignored_sigint(
    slow: tuple[Server, CommandLine], verb: tuple[str, ...], number: signal.Signals
) -> None:
    server, line = slow
    goal = 5
    if verb[0] == "audit":
        server.faults.clear()
        assert line.run("sync").code == 0
        server.inject(Fault(path="/simple/*", effect=Delay(seconds=0.1), times=None))
        goal = server.requests.count() + 3
    process = started(line, "trap '' INT", *verb)
    with process:
        wait_until(lambda: server.requests.count() >= goal)
        process.send_signal(number)
        code, err = ended(process)
    assert (code, "Traceback" in err) == (CODES[number], False), err
    assert is_free(line)


def test_nohup_is_heeded(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    with started(line, "trap '' HUP", "sync", "--processes", "2") as process:
        wait_until(lambda: server.requests.count("file") >= 5)
        os.killpg(process.pid, signal.SIGHUP)
        server.faults.clear()
        said = finish(process)
    assert said.code == 0, said.err


def started(line: CommandLine, before: str, verb: str, *arguments: str) -> "subprocess.Popen[str]":
    """The program, from a shell that has done something ``before``."""
    words = shlex.join([*line.command, verb, "-c", str(line.configuration), *arguments])
    return line.popen(["sh", "-c", f"{before}; exec {words}"])


def test_a_worker_that_cannot_stop_is_killed(slow: tuple[Server, CommandLine]) -> None:
    server, line = slow
    with line.start("sync", "--processes", "2") as process:
        wait_until(lambda: server.requests.count("file") >= 5)
        workers = [pid for pid in members(process.pid) if pid != process.pid]
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        try:
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            code, err = ended(process)
        finally:
            if process.poll() is None:
                kill(process)
    assert (code, "interrupted" in err) == (130, True)
    assert is_free(line)
