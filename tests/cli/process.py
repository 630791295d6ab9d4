"""The command line as people meet it: real processes, a stand-in upstream in this one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.warehouse import Server

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class CommandLine:
    """``pypi-mirror`` with one configuration file."""

    configuration: Path

    @classmethod
    def of(cls, home: Path, server: Server, text: str = "", **mirror: Any) -> "CommandLine":
        """``mirror`` are options of ``[mirror]``, ``text`` comes after them."""
        path = home / "mirror.conf"
        lines = ["[mirror]", f"directory = {home / 'mirror'}", f"master = {server.url}"]
        lines += [f"{key.replace('_', '-')} = {value}" for key, value in mirror.items()]
        text = text or "[platform]\nexclude-filename = macosx|win32|win_amd64"
        path.write_text("\n".join([*lines, text, "[site]", "enabled = false", ""]))
        return cls(configuration=path)

    @property
    def command(self) -> list[str]:
        start = "import sys; from pypi_mirror.cli import main; sys.exit(main())"
        return [sys.executable, "-W", "error", "-c", start]

    def start(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        return self.popen([*self.command, verb, "-c", str(self.configuration), *arguments])

    def popen(self, command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
            cwd=ROOT,
            start_new_session=True,
        )

    def run(self, verb: str, *arguments: str) -> Said:
        with self.start(verb, *arguments) as process:
            return finish(process)


def finish(process: "subprocess.Popen[str]", *, within: float = 120) -> Said:
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    return Said(code=process.returncode, out=out, err=err)


def kill(process: "subprocess.Popen[str]") -> None:
    """The process and its children: they are in a session of their own."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_until(condition: Callable[[], bool], *, within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


def members(session: int) -> list[int]:
    """The processes of a session that are alive."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if stat[0] != "Z" and int(stat[3]) == session:
                found.append(int(entry.name))
    return found


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
