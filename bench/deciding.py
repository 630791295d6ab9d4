"""Cases N and O: deciding by what the catalogue has, without a page request.

N changes a filter over projects that are catalogued, so that each is decided again and a hundredth of them
loses a file. O has files end their cooldown all at once, in a light run.
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.measure import Measured, measure
from bench.run_sync import Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream

FILTER_TITLE = "a filter changes over {projects} catalogued projects, one in a hundred loses a file"
FILTER_GOALS = (
    # Of upstream's time and its root index; no page.
    Goal(figure="requests", to=None, at_most=3),
    Goal(figure="memory", to=None, at_most=400e6),
)
DUE_TITLE = "{files} files end their cooldown at once"
DUE_GOALS = (
    Goal(figure="requests", to=None, at_most=1),
    Goal(figure="memory", to=None, at_most=400e6),
)
_PROJECTS = 100_000
_FILES = 10_000
# Seconds that the files wait, most of which have passed when they are uploaded; the rest is time to fetch.
_WAIT = 24 * 3600
_SECONDS_A_FILE = 0.02
_LEAST = 20


def run_filter_change(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of a sync under another filter, back and forth."""
    count = max(200, round(_PROJECTS * scale))
    tree = StaticTree(home / "tree", Catalogue(projects=count, files=2, filler=200, metadata=False))
    try:
        tree.write()
        port = free_port()
        job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree, release_files=False)
        command = Ours().command(job)
        plain = (home / "ours.conf").read_text()
        filtered = f"{plain}[platform]\nexclude-filename = 00_1\\.1-\n[removal]\nmax-percent = 100\n"
        rounds: list[Round] = []
        with upstream(tree, home / "upstream", port) as served:
            measure(command, log=home / "log")
            say(f"  {count} projects are catalogued")
            for turn in range(repeat):
                (home / "ours.conf").write_text(plain if turn % 2 else filtered)
                before = served.requests()
                took = measure(command, log=home / "log")
                rounds.append({"ours": {**_figures(took), "requests": served.requests() - before}})
                say(f"  round {turn + 1}: {took.wall:.2f} s")
    finally:
        rmtree(home, ignore_errors=True)
    return FILTER_TITLE.format(projects=count), rounds


def run_due(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of a light run, each over a mirror whose files have just become due."""
    count = max(100, round(_FILES * scale))
    rounds: list[Round] = []
    for turn in range(repeat):
        try:
            rounds.append({"ours": _due(home, count)})
            say(f"  round {turn + 1}: {rounds[-1]['ours']['wall']:.2f} s")
        finally:
            rmtree(home, ignore_errors=True)
    return DUE_TITLE.format(files=count), rounds


def _due(home: Path, count: int) -> dict[str, float]:
    due_at = time.time() + _LEAST + count * _SECONDS_A_FILE
    uploaded = datetime.fromtimestamp(due_at - _WAIT, UTC).isoformat().replace("+00:00", "Z")
    catalogue = Catalogue(projects=count, files=1, filler=200, metadata=False, uploaded=uploaded)
    tree = StaticTree(home / "tree", catalogue)
    tree.write()
    port = free_port()
    job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree)
    program, _, *options = Ours().command(job)
    with (home / "ours.conf").open("a") as conf:
        conf.write(f"[cooldown]\nexclude-newer = {_WAIT} seconds\n")
    with upstream(tree, home / "upstream", port) as served:
        measure([program, "sync", *options], log=home / "log")
        if any(job.web.glob("packages/*/*/*/*.whl")):
            raise SystemExit("bench: files are listed before they are due")
        time.sleep(max(0.0, due_at + 2 - time.time()))
        before = served.requests()
        took = measure([program, "cooldown", "publish", *options], log=home / "log")
        requests = served.requests() - before
    found = sum(1 for _ in job.web.glob("packages/*/*/*/*.whl"))
    if found != count:
        raise SystemExit(f"bench: {found} files of {count} are listed")
    return {**_figures(took), "requests": requests}


def _figures(took: Measured) -> dict[str, float]:
    return {"wall": took.wall, "cpu": took.cpu, "memory": took.memory, "written": took.written}
