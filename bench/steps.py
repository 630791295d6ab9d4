"""Case H: plan and publish where the ledger already holds a million projects, a step a process.

The ledger is made up; the projects that change are real, on a real upstream. What they cost to download is
the other cases' business and not counted here.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

from sqlalchemy import insert

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.run_sync import Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream
from pypi_mirror.catalogue import ENCODING
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.tables import catalogue, projects
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunKind
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import report
from pypi_mirror.settings.read import read_settings

TITLE = "plan and publish with {projects} projects in the ledger, {changed} of them changed"
# All steps together: seconds, and the largest step's peak in bytes.
GOALS = (
    Goal(figure="wall", to=None, at_most=10.0),
    Goal(figure="memory", to=None, at_most=400e6),
)
_LABEL = "bench"
_INSERTED_AT_ONCE = 50_000


def run_steps(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of every step, ``ours`` being the sum of their times and the peak of their memory."""
    count, changed = max(1_000, round(1_000_000 * scale)), max(10, round(1_000 * scale))
    try:
        tree = StaticTree(home / "tree", Catalogue(projects=changed, files=1, filler=200, metadata=False))
        tree.write()
        port = free_port()
        configuration = _first_sync(home, tree, port)
        _fill(configuration, count)
        say(f"  a ledger of {count} projects is ready")
        rounds = []
        for turn in range(repeat):
            tree.change(changed, turn)
            with upstream(tree, home / "upstream", port):
                rounds.append(_round(configuration))
            say(f"  round {turn + 1}: " + ", ".join(f"{n} {f['wall']:.2f} s" for n, f in rounds[-1].items()))
    finally:
        rmtree(home, ignore_errors=True)
    return TITLE.format(projects=count, changed=changed), rounds


def _first_sync(home: Path, tree: StaticTree, port: int) -> Path:
    with upstream(tree, home / "upstream", port):
        job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree)
        subprocess.run(Ours().command(job), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return home / "ours.conf"


def _fill(configuration: Path, count: int) -> None:
    """Rows for projects that nobody will look at: only their number matters."""
    with open_mirror(read_settings(configuration)) as mirror:
        for start in range(0, count, _INSERTED_AT_ONCE):
            rows = [
                {
                    "name": f"zz-synthetic-{number:07d}",
                    "display_name": f"zz-synthetic-{number:07d}",
                    "serial": number,
                    "seen_serial": number,
                    "made_entry": number.to_bytes(16),
                    "made_decision": bytes(16),
                    "status": "active",
                    "selection": mirror.page_selection,
                    "files": 20,
                    "bytes": 20_000_000,
                    "dropped_files": 0,
                    "dropped_bytes": 0,
                    "synced_at": 1_700_000_000,
                }
                for number in range(start, min(start + _INSERTED_AT_ONCE, count))
            ]
            entries = [
                {
                    "name": row["name"],
                    "state": "page",
                    "serial": row["serial"],
                    "announced": row["serial"],
                    "checked_at": row["synced_at"],
                    "etag": None,
                    "digest": row["made_entry"],
                    "encoding": ENCODING,
                }
                for row in rows
            ]
            with mirror.ledger.engine.begin() as connection:
                connection.execute(insert(projects), rows)
                connection.execute(insert(catalogue), entries)


def _round(configuration: Path) -> Round:
    took: Round = {}
    for step in _STEPS:
        command = [sys.executable, "-m", "bench.steps", str(configuration), step]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        took[step] = json.loads(done.stdout)
    counted = [figures for step, figures in took.items() if step != "download_projects"]
    took["ours"] = {
        "wall": sum(f["wall"] for f in counted),
        "memory": max(f["memory"] for f in counted),
    }
    return took


def _fetch(mirror: Mirror) -> None:
    fetch_changelog(mirror, RunRequest(label=_LABEL + str(time.time_ns()), kind=RunKind.SYNC))


def _run_id(mirror: Mirror) -> int:
    return next(iter(mirror.ledger.runs.latest())).id


def _partition(mirror: Mirror) -> None:
    run_id = _run_id(mirror)
    partition_projects(mirror, run_id)
    approve_removals(mirror, run_id)


def _download(mirror: Mirror) -> None:
    run_id = _run_id(mirror)
    for batch in mirror.ledger.plan.batches(run_id):
        download_projects(mirror, run_id, batch.number)


_STEPS: dict[str, Callable[[Mirror], object]] = {
    "fetch_changelog": _fetch,
    "partition_projects": _partition,
    "download_projects": _download,
    "rebuild_index": lambda mirror: rebuild_index(mirror, _run_id(mirror)),
    "report": lambda mirror: report(mirror, _run_id(mirror)),
}


def main() -> None:
    """One step in a process of its own, so that its peak of memory is its own; prints its figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.steps")
    parser.add_argument("configuration", type=Path)
    parser.add_argument("step", choices=_STEPS)
    arguments = parser.parse_args()
    with open_mirror(read_settings(arguments.configuration)) as mirror:
        started = time.perf_counter()
        _STEPS[arguments.step](mirror)
        wall = time.perf_counter() - started
    # Not ru_maxrss: it begins with what the parent had when it started us.
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    print(json.dumps({"wall": wall, "memory": peak}))


if __name__ == "__main__":
    main()
