"""One run of a mirror of a hostile upstream, in a process whose memory is measured.

As a program it does the runs that its standard input asks for.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn, Self

from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, fail_run, report
from pypi_mirror.settings.values import RemovalGuard, Settings, Site
from tests.policies import policy
from tests.runs.bench import PATIENCE

_GIVEN_UP_AFTER = 400
# Seconds of any one call to upstream.
DEADLINE = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """``failures`` are the report's, by project; ``error`` is what ended the run early, empty without that.

    ``left_out`` is by project what its page lacks of upstream's: file name, field, reason. ``warnings`` are
    the log's. ``peak`` is the largest resident size of the process in bytes.
    """

    state: str
    error: str
    failures: dict[str, str]
    left_out: dict[str, list[tuple[str | None, str | None, str]]]
    warnings: list[str]
    cursor: int | None
    peak: int


def settings_for(directory: Path, master: str, *, is_guarded: bool = True) -> Settings:
    guard = RemovalGuard()
    if not is_guarded:
        guard = RemovalGuard(max_percent=100, weekly_percent=100)
    return Settings(
        directory=directory,
        master=master,
        allow_non_https=True,
        workers=16,
        timeout=2.0,
        global_timeout=DEADLINE,
        policy=policy(),
        guard=guard,
        site=Site(enabled=False),
    )


class Runs:
    """A process that has all of the program imported, and does each run in a fork of itself."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.hostile.run"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def sync(self, directory: Path, master: str, *, is_guarded: bool = True) -> Came:
        """A run in a process of its own; raises RuntimeError when it does not even say what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # The fork, too: it is of the same session.
        last_resort = threading.Timer(_GIVEN_UP_AFTER, os.killpg, (self._process.pid, signal.SIGKILL))
        last_resort.start()
        try:
            print(json.dumps([str(directory), master, is_guarded]), file=self._process.stdin, flush=True)
            said = self._process.stdout.readline()
        finally:
            last_resort.cancel()
        if not said:
            raise RuntimeError(f"the run did not end within {_GIVEN_UP_AFTER} seconds")
        came = json.loads(said)
        if "died" in came:
            raise RuntimeError(f"the run died: {came['died'][-1500:]}")
        return Came(**came)


def main() -> int:
    """Answers each line, what ``Runs.sync`` is given in JSON, with what came of that run."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(*json.loads(line))
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"died": f"wait status {status}"}), flush=True)
    return 0


def _answer(directory: str, master: str, is_guarded: bool) -> NoReturn:
    said: dict[str, object]
    try:
        said = _sync(settings_for(Path(directory), master, is_guarded=is_guarded))
    except BaseException:  # noqa: BLE001 - whatever it is, it is this run's end and nobody else's
        said = {"died": traceback.format_exc()}
    print(json.dumps(said), flush=True)
    os._exit(0)


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def _sync(settings: Settings) -> dict[str, object]:
    warnings = _Warnings()
    logging.basicConfig(level=logging.WARNING, handlers=[warnings])
    with open_mirror(settings, patience=replace(PATIENCE, attempts=2)) as mirror:
        label = f"run of process {os.getpid()}"
        error = ""
        try:
            run_id = fetch_changelog(mirror, RunRequest(label=label, kind=RunKind.SYNC)).run_id
            for batch in partition_projects(mirror, run_id).batches:
                download_projects(mirror, run_id, batch.number)
            rebuild_index(mirror, run_id)
            ended: Report | None = report(mirror, run_id)
        except MirrorError as raised:
            error = str(raised)
            ended = fail_run(mirror, label, error)
        return {
            "state": "failed" if ended is None else ended.state,
            "error": error,
            "failures": {} if ended is None else {f.project: f.reason for f in ended.new_failures},
            "left_out": _left_out(mirror),
            "warnings": warnings.said,
            "cursor": mirror.ledger.facts.cursor,
            "peak": _peak(),
        }


def _left_out(mirror: Mirror) -> dict[str, list[tuple[str | None, str | None, str]]]:
    names = [known.project for known in mirror.ledger.projects.all()]
    return {
        project: [(each.part.filename, each.part.field, each.part.reason) for each in parts]
        for project, parts in mirror.ledger.left_out.of(names).items()
    }


def _peak() -> int:
    """VmHWM: ru_maxrss would begin with the size of the process that started this one."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


if __name__ == "__main__":
    sys.exit(main())
