"""Case Q: what people wait for at a prompt, over the start of Python alone."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.measure import measure
from bench.run_sync import Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream

TITLE = "`pypi-mirror {command}`"
# Of the wall time of ``python -c pass``.
COMMANDS: Mapping[str, float] = {"--version": 4, "--help": 5, "config check": 8, "status": 14}

# A turn takes a tenth of a second: many of them tell it from the noise.
_TURNS_PER_ROUND = 10


def startup_goals(command: str) -> tuple[Goal, ...]:
    return (Goal(figure="wall", to="python", at_most=COMMANDS[command]),)


def run_startup(*, command: str, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of ``command``, on a mirror that is in step, and of ``python -c pass``, and the case's title."""
    tree = StaticTree(
        home / "tree", Catalogue(projects=max(1, round(200 * scale)), files=1, filler=200, metadata=False)
    )
    try:
        tree.write()
        port = free_port()
        job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree)
        sync = Ours().command(job)
        with upstream(tree, home / "upstream", port):
            subprocess.run(sync, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        configuration = [] if command.startswith("-") else sync[2:]
        turns = {
            "ours": [sync[0], *command.split(), *configuration],
            "python": [sys.executable, "-c", "pass"],
        }
        rounds: list[Round] = []
        for turn in range(repeat * _TURNS_PER_ROUND):
            order = list(turns) if turn % 2 == 0 else list(reversed(turns))
            took = {name: measure(turns[name], log=home / "log") for name in order}
            rounds.append({name: {"wall": each.wall, "cpu": each.cpu} for name, each in took.items()})
        say(f"  {command}: {len(rounds)} rounds")
    finally:
        rmtree(home, ignore_errors=True)
    return TITLE.format(command=command), rounds
