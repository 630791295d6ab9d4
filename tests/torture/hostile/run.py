"""One run of a mirror of a hostile upstream, in a process whose memory is measured.

As a program: ``python -m tests.torture.hostile.run DIRECTORY MASTER`` prints what came of the run as JSON.
"""

import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind
from pypi_mirror.settings.values import Selection, Settings, Site
from pypi_mirror.steps.download_projects import download_projects
from pypi_mirror.steps.fetch_changelog import fetch_changelog
from pypi_mirror.steps.partition_projects import partition_projects
from pypi_mirror.steps.rebuild_index import rebuild_index
from pypi_mirror.steps.report import Report, fail_run, report
from tests.steps.bench import PATIENCE

_GIVEN_UP_AFTER = 400
# Seconds of any one call to upstream.
DEADLINE = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """``failures`` are the report's, by project; ``error`` is what ended the run early, empty without that.

    ``left_out`` is by project what its page lacks of upstream's: file name, field, reason. ``peak`` is the
    largest resident size of the process in bytes.
    """

    state: str
    error: str
    failures: dict[str, str]
    left_out: dict[str, list[tuple[str | None, str | None, str]]]
    cursor: int | None
    peak: int


def settings_for(directory: Path, master: str) -> Settings:
    return Settings(
        directory=directory,
        master=master,
        allow_non_https=True,
        workers=16,
        timeout=2.0,
        global_timeout=DEADLINE,
        selection=Selection(),
        site=Site(enabled=False),
    )


def sync_apart(directory: Path, master: str) -> Came:
    """A run in a new process; raises RuntimeError when it does not even say what came of it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.hostile.run", str(directory), master],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        said, complained = process.communicate(timeout=_GIVEN_UP_AFTER)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise RuntimeError(f"the run did not end within {_GIVEN_UP_AFTER} seconds") from None
    if process.returncode != 0:
        raise RuntimeError(f"the run died with {process.returncode}: {complained.decode()[-1500:]}")
    return Came(**json.loads(said))


def main(directory: str, master: str) -> int:
    logging.basicConfig(level=logging.CRITICAL)
    settings = settings_for(Path(directory), master)
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
        failures = {} if ended is None else {f.project: f.reason for f in ended.new_failures}
        came = {
            "state": "failed" if ended is None else ended.state,
            "error": error,
            "failures": failures,
            "left_out": _left_out(mirror),
            "cursor": mirror.ledger.facts.cursor,
            "peak": _peak(),
        }
    print(json.dumps(came))
    return 0


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
    sys.exit(main(*sys.argv[1:]))
