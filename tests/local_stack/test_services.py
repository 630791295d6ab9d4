"""Real processes: a program that has a child in another process group, as Airflow's tasks are."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_stack.errors import StackError
from local_stack.services import Service, Services, find

# A leader with a child in a group of its own; both write their numbers, and may refuse to go.
FAMILY = """
import os, signal, sys, time
stubborn = sys.argv[1] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
else:
    print(os.getpid(), child, flush=True)
time.sleep(60)
"""


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services = Services(run=tmp_path / "run", logs=tmp_path / "logs")
    yield services
    services.stop([r.name for r in services.running()], patience=0.1)


def family(services: Services, tmp_path: Path, temper: str = "meek") -> tuple[int, int]:
    argv = (sys.executable, "-c", FAMILY, temper)
    services.start(Service(name="family", argv=argv, env=os.environ, cwd=tmp_path))
    wait_for(lambda: services.log("family").read_text().endswith("\n"))
    leader, child = services.log("family").read_text().split()
    return int(leader), int(child)


def test_everything_a_service_began_ends_with_it(services: Services, tmp_path: Path) -> None:
    leader, child = family(services, tmp_path)
    assert [r.name for r in services.running()] == ["family"]
    services.stop(["family"], patience=10)
    assert find(leader) is None
    assert find(child) is None
    assert services.running() == ()


def test_what_ignores_a_polite_signal_is_killed(services: Services, tmp_path: Path) -> None:
    leader, child = family(services, tmp_path, "stubborn")
    services.stop(["family"], patience=0.1)
    assert find(leader) is None
    assert find(child) is None


def test_a_later_command_finds_and_ends_what_a_dead_one_started(services: Services, tmp_path: Path) -> None:
    leader, child = family(services, tmp_path)
    later = Services(run=tmp_path / "run", logs=tmp_path / "logs")
    later.stop(["family"], patience=10)
    assert find(leader) is None
    assert find(child) is None


def test_children_are_found_when_their_leader_is_gone(services: Services, tmp_path: Path) -> None:
    leader, child = family(services, tmp_path)
    os.kill(leader, signal.SIGKILL)
    wait_for(lambda: find(leader) is None)
    services.stop(["family"], patience=10)
    assert find(child) is None


def test_a_stranger_with_the_number_of_ours_is_left_alone(services: Services, tmp_path: Path) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        process = find(stranger.pid)
        assert process is not None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        record = {"name": "old", "pid": stranger.pid, "started": process.started - 1, "boot": boot}
        (tmp_path / "run").mkdir()
        (tmp_path / "run/old.service.json").write_text(json.dumps(record))
        services.stop(["old"], patience=0.1)
        assert find(stranger.pid) is not None
        record |= {"started": process.started, "boot": "another boot"}
        (tmp_path / "run/old.service.json").write_text(json.dumps(record))
        services.stop(["old"], patience=0.1)
        assert find(stranger.pid) is not None
    finally:
        stranger.kill()
        stranger.wait()


def test_half_a_record_is_no_record(services: Services, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/old.service.json").write_text('{"name": "old", "pi')
    assert services.running() == ()


def test_a_service_that_ended_by_itself_is_told_with_its_log(services: Services, tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "raise SystemExit('out of cheese')")
    services.start(Service(name="brief", argv=argv, env=os.environ, cwd=tmp_path))
    wait_for(lambda: not services.running())
    with pytest.raises(StackError, match="brief stopped unexpectedly") as caught:
        services.require_alive(["brief"])
    assert caught.value.log is not None
    assert "out of cheese" in caught.value.log.read_text()


def test_a_program_that_is_not_there_is_an_error_of_ours(services: Services, tmp_path: Path) -> None:
    service = Service(name="none", argv=(str(tmp_path / "no-such"),), env=os.environ, cwd=tmp_path)
    with pytest.raises(StackError, match="none cannot be started"):
        services.start(service)
