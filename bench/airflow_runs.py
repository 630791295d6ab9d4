"""Case L: a run that has nothing to do, under Airflow's real scheduler, against tasks that do nothing.

Most of such a run is Airflow's own: a task has to be found due, queued, forked and parsed. What is ours on
top is the ratio of the DAG ``pypi_mirror`` to one of its shape (``bench/dags/nothing_dag.py``), run in turn.
"""

import shutil
import statistics
import subprocess
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from time import sleep
from urllib.parse import quote

from bench.cases import Goal
from bench.catalogue import Catalogue, StaticTree
from bench.run_sync import Figures, Round, Say
from bench.tools import Job, Ours
from bench.upstream import free_port, upstream
from local_stack.airflow_api import AirflowApi
from local_stack.bring_up import nginx_service, site_answers
from local_stack.layout import CHECKOUT, Layout
from local_stack.stack import Stack
from mirror_airflow.configuration import UNSCHEDULED_VARIABLE
from pypi_mirror.settings.read import read_settings

TITLE = "a run without work in Airflow, {projects} projects in the mirror"
GOALS = (Goal(figure="ratio", to=None, at_most=0.7),)

_DAG, _NOTHING = "pypi_mirror", "nothing"
_RUNS_A_ROUND = 5
_ENDED = ("success", "failed")


def run_airflow(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of several runs of each DAG, one after the other; a figure is the median of its runs."""
    count, runs = max(10, round(2_000 * scale)), max(1, round(_RUNS_A_ROUND * scale))
    checkout = CHECKOUT
    dags = home / "dags"
    shutil.copytree(checkout / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(Path(__file__).parent / "dags" / "nothing_dag.py", dags)
    stack = Stack(Layout(checkout, var=home / "var", dags=dags))
    tree = StaticTree(home / "tree", Catalogue(projects=count, files=1, filler=200, metadata=False))
    tree.write()
    port = free_port()
    try:
        with upstream(tree, home / "upstream", port):
            conf = _mirrored(home, tree, port)
            api = _started(stack, conf)
            say("  Airflow is up, the mirror is in step")
            for dag_id in (_DAG, _NOTHING):
                _run(api, dag_id)
            rounds = []
            for turn in range(repeat):
                rounds.append(_round(api, runs, turn))
                say(_said(turn, rounds[-1]))
    finally:
        stack.stop(patience=1)
        rmtree(home, ignore_errors=True)
    return TITLE.format(projects=count), rounds


def _mirrored(home: Path, tree: StaticTree, port: int) -> Path:
    """The configuration of a mirror that is in step, and that nginx serves."""
    job = Job(directory=home / "ours", master=f"http://127.0.0.1:{port}", tree=tree)
    subprocess.run(Ours().command(job), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    conf = home / "ours.conf"
    text = conf.read_text()
    conf.write_text(text.replace("[site]\nenabled = false", f"[site]\nport = {free_port()}"))
    return conf


def _started(stack: Stack, conf: Path) -> AirflowApi:
    settings = read_settings(conf)
    if settings.site.enabled:
        stack.start(nginx_service(stack.layout, settings), ready=lambda: site_answers(settings))
    api = stack.start_airflow(
        port=free_port(),
        mirror_conf=conf,
        dag_id=_DAG,
        extra_env={UNSCHEDULED_VARIABLE: "1"},
        on_interrupted=lambda run_id: None,
    )
    while not api.has_dag(_NOTHING):
        stack.require_alive()
        sleep(0.5)
    for dag_id in (_DAG, _NOTHING):
        api.pause(dag_id, paused=False)
    return api


def _round(api: AirflowApi, runs: int, turn: int) -> Round:
    order = (_DAG, _NOTHING) if turn % 2 == 0 else (_NOTHING, _DAG)
    found: dict[str, list[Figures]] = {dag_id: [] for dag_id in order}
    for _ in range(runs):
        for dag_id in order:
            found[dag_id].append(_run(api, dag_id))
    ours, nothing = (
        {figure: statistics.median(f[figure] for f in found[dag_id]) for figure in found[dag_id][0]}
        for dag_id in (_DAG, _NOTHING)
    )
    return {"ours": ours | {"ratio": ours["wall"] / nothing["wall"]}, "tasks of nothing": nothing}


def _said(turn: int, found: Round) -> str:
    return f"  round {turn + 1}: " + ", ".join(f"{name} {f['wall']:.2f} s" for name, f in found.items())


def _run(api: AirflowApi, dag_id: str) -> Figures:
    """From trigger to success in seconds, and what of it tasks took and what passed between them."""
    run_id = api.trigger(dag_id, {})
    while (state := api.run_state(dag_id, run_id)) not in _ENDED:
        sleep(0.2)
    if state != "success":
        raise SystemExit(f"bench: the run {run_id} of {dag_id} has failed")
    path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"
    run = api.request("GET", path)
    tasks = [
        (_time(t["start_date"]), _time(t["end_date"]))
        for t in api.request("GET", f"{path}/taskInstances")["task_instances"]
        if t["state"] == "success"
    ]
    tasks.sort()
    return {
        "wall": _time(run["end_date"]) - _time(run["queued_at"]),
        "tasks": sum(end - start for start, end in tasks),
        "between": sum(following[0] - one[1] for one, following in pairwise(tasks)),
    }


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
