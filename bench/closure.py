"""Case M: dependencies of many projects, followed first, after an upload, and with one root more."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.measure import measure
from bench.run_sync import Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream

TITLE = "{roots} of {projects} projects are roots, each of {files} releases requires {requires} others"
SCRIPT, UPLOAD, ROOT, IDLE = "the simplest script", "one upload", "one root more", "nothing new"
GOALS = (
    Goal(figure="memory", to=None, at_most=400e6),
    # Of upstream's time and index, its page, and its new release's metadata.
    Goal(figure="requests", to=None, at_most=6, part=UPLOAD),
    Goal(figure="cpu", to=None, at_most=1.0, part=UPLOAD),
)
_PROJECTS = 11_000
_FILES = 18
_REQUIRES = 10


def run_closure(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of a first sync, one after an upload, one with another root, and one without any news."""
    projects = max(50, round(_PROJECTS * scale))
    rounds: list[Round] = []
    for turn in range(repeat):
        try:
            rounds.append(_round(home, projects))
            say(
                f"  round {turn + 1}: "
                + ", ".join(f"{name} {f['wall']:.2f} s" for name, f in rounds[-1].items())
            )
        finally:
            rmtree(home, ignore_errors=True)
    roots = len(_roots(projects))
    return TITLE.format(roots=roots, projects=projects, files=_FILES, requires=_REQUIRES), rounds


def _roots(projects: int) -> list[str]:
    return [f"project-{number:06d}" for number in range(projects) if number % 11 < 5]


def _round(home: Path, projects: int) -> Round:
    tree = StaticTree(
        home / "tree", Catalogue(projects=projects, files=_FILES, filler=20, requires=_REQUIRES)
    )
    tree.write()
    port = free_port()
    job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree, release_files=False)
    command = Ours().command(job)
    conf, listing = home / "ours.conf", home / "roots"
    plain, roots = conf.read_text(), _roots(projects)
    found: Round = {}

    def turn(name: str, command: Sequence[str]) -> None:
        with upstream(tree, home / "upstream", port) as served:
            took = measure(command, log=home / "log")
            found[name] = {
                "wall": took.wall, "cpu": took.cpu, "memory": took.memory, "requests": served.requests(),
            }  # fmt: skip

    def sync(name: str, names: list[str]) -> None:
        listed = "".join(f"\n  {root}" for root in names)
        conf.write_text(f"{plain}[allowlist]\npackages ={listed}\n[dependencies]\nfollow = yes\n")
        turn(name, command)

    sync("ours", roots[1:])
    mirrored = len(json.loads((job.web / "simple/index.v1_json").read_text())["projects"])
    found["ours"]["projects"] = mirrored
    listing.write_text("\n".join(roots[1:]))
    turn(SCRIPT, [sys.executable, "-m", "bench.simplest_closure", job.master, str(listing)])
    reached = int((home / "log").read_text().split()[0])
    if reached != mirrored:
        raise SystemExit(f"bench: {mirrored} projects are mirrored, {SCRIPT} finds {reached}")
    tree.change(1, 0)
    sync(UPLOAD, roots[1:])
    sync(ROOT, roots)
    sync(IDLE, roots)
    ledger = home / "ours/ledger.sqlite"
    found["ours"]["bytes"] = ledger.stat().st_size if ledger.exists() else 0
    return found
