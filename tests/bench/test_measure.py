"""A program is measured with all that it starts, even with what it does not wait for."""

import os
import sys
import time
from pathlib import Path

import pytest

from bench.measure import ProgramFailed, busy_processors, cpu_seconds, measure

_WRITE = "import os; os.write(os.open(os.devnull, os.O_WRONLY), bytes(1_000_000))"


def test_bytes_written_by_the_program_and_its_children_are_summed(tmp_path: Path) -> None:
    program = f"import subprocess, sys; {_WRITE}; subprocess.run([sys.executable, '-c', {_WRITE!r}])"
    measured = measure([sys.executable, "-c", program], log=tmp_path / "log")
    assert 2_000_000 <= measured.written < 2_100_000


def test_what_outlives_the_program_counts_too(tmp_path: Path) -> None:
    orphan = f"import os, time; time.sleep(0.2); {_WRITE}"
    program = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {orphan!r}])"
    measured = measure([sys.executable, "-W", "ignore", "-c", program], log=tmp_path / "log")
    assert measured.written >= 1_000_000


def test_memory_is_the_peak_of_the_sum(tmp_path: Path) -> None:
    program = "import time; block = bytearray(b'x' * 100_000_000); time.sleep(0.3)"
    measured = measure([sys.executable, "-c", program], log=tmp_path / "log")
    assert 100_000_000 < measured.memory < 300_000_000


def test_a_program_that_fails_is_shown_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="exited with 3") as caught:
        measure([sys.executable, "-c", "print('why'); raise SystemExit(3)"], log=tmp_path / "log")
    assert str(caught.value).endswith("why")


def test_a_process_that_computes_has_used_its_processor() -> None:
    before = cpu_seconds(os.getpid())
    started = time.process_time()
    while time.process_time() - started < 0.1:
        pass
    assert cpu_seconds(os.getpid()) - before >= 0.08  # whole ticks of a hundredth of a second


def test_a_share_of_the_processors_is_between_none_and_all() -> None:
    with busy_processors() as busy:
        started = time.process_time()
        while time.process_time() - started < 0.1:
            pass
    assert 0 < busy.share <= 1
