"""Case M: dependencies of many projects, followed first, after an upload, and with one root more."""

import json
from pathlib import Path
from shutil import rmtree

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.measure import measure
from bench.run_sync import Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream

TITLE = "{roots} of {projects} projects are roots, each of {files} releases requires {requires} others"
GOALS = (
    Goal(figure="memory", to=None, at_most=400e6),
    # Of upstream's time and index, its page, and its new release's metadata.
    Goal(figure="changed_requests", to=None, at_most=6),
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
            rounds.append({"ours": _round(home, projects)})
            say(
                f"  round {turn + 1}: "
                + ", ".join(f"{name} {rounds[-1]['ours'][name]:.2f}" for name in _SHOWN)
            )
        finally:
            rmtree(home, ignore_errors=True)
    roots = len(_roots(projects))
    return TITLE.format(roots=roots, projects=projects, files=_FILES, requires=_REQUIRES), rounds


_SHOWN = ("wall", "changed_wall", "added_wall", "idle_wall")


def _roots(projects: int) -> list[str]:
    return [f"project-{number:06d}" for number in range(projects) if number % 11 < 5]


def _round(home: Path, projects: int) -> dict[str, float]:
    tree = StaticTree(
        home / "tree", Catalogue(projects=projects, files=_FILES, filler=20, requires=_REQUIRES)
    )
    tree.write()
    port = free_port()
    job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree, release_files=False)
    command = Ours().command(job)
    conf = home / "ours.conf"
    plain, roots = conf.read_text(), _roots(projects)
    found: dict[str, float] = {}

    def sync(prefix: str, names: list[str]) -> None:
        listed = "".join(f"\n  {name}" for name in names)
        conf.write_text(f"{plain}[allowlist]\npackages ={listed}\n[dependencies]\nfollow = yes\n")
        with upstream(tree, home / "upstream", port) as served:
            took = measure(command, log=home / "log")
            found.update(
                {
                    f"{prefix}wall": took.wall,
                    f"{prefix}cpu": took.cpu,
                    f"{prefix}memory": took.memory,
                    f"{prefix}requests": served.requests(),
                }
            )

    sync("", roots[1:])
    found["mirrored"] = len(json.loads((job.web / "simple/index.v1_json").read_text())["projects"])
    tree.change(1, 0)
    sync("changed_", roots[1:])
    sync("added_", roots)
    sync("idle_", roots)
    ledger = home / "ours/ledger.sqlite"
    found["ledger"] = ledger.stat().st_size if ledger.exists() else 0
    return found
