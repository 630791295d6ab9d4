"""``make mirror``: a whole run under Airflow's real scheduler, and a client that installs from the result."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import sleep
from typing import Final
from urllib.parse import urlsplit

import requests
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from rich.console import Console

from local_stack.airflow_api import AirflowApi
from local_stack.bring_up import DAG_ID, Running, bring_up, index_from_here
from local_stack.errors import StackError
from local_stack.options import Options
from local_stack.stack import Stack
from local_stack.watch import watch
from mirror_airflow.alerts.message import ERROR_KEY
from pypi_mirror.ledger.projects import Totals
from pypi_mirror.ledger.runs import Outcome, Run
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.observing.dependencies import Dependencies, dependencies, requirements_of
from pypi_mirror.observing.progress import progress
from pypi_mirror.planning.lacking import lacking
from pypi_mirror.settings.values import Settings
from pypi_mirror.webserver.clients import pip_conf
from pypi_mirror.webserver.maps import JSON_TYPE
from pypi_mirror.wording import count, size

# It brings dependencies along, one of them compiled.
SAMPLE_PACKAGE = "flask"
# The longest that a failed run of Airflow takes to be written to the ledger as such.
_CALLBACK_SECONDS: Final = 30
# Seconds for pip; projects among which one is looked for that can be installed.
TIMEOUT: Final = 900
LOOKED_AT: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What pip installed, as ``name version``; ``dependencies``: with their dependencies."""

    packages: tuple[str, ...]
    dependencies: bool


def mirror_once(stack: Stack, options: Options, console: Console) -> None:
    """Run the DAG once and print what came of it; StackError when anything failed."""
    running = bring_up(stack, options, console, scheduled=False)
    run, totals, followed = _run(stack, running, console)
    installed = _try_out(stack, running.settings, options, console)
    _print(run, totals, followed, installed, running.settings, options.typed("up"), console)


def _run(stack: Stack, running: Running, console: Console) -> tuple[Run, Totals, Dependencies | None]:
    with open_mirror(running.settings) as mirror:
        run_id = running.api.trigger(DAG_ID, {})
        console.print(f"Airflow runs {DAG_ID}, {run_id}; its UI is at {running.airflow_url}")
        state = watch(
            running.api,
            dag_id=DAG_ID,
            run_id=run_id,
            progress=partial(progress, mirror),
            holder=mirror.ledger.lease.holder,
            console=console,
            check=stack.require_alive,
        )
        run = _ended(mirror, run_id)
        if state != "success" or run is None:
            if run is not None:
                failed = mirror.ledger.plan.failed(run.id)
                for entry in mirror.ledger.backlog.of_run(run.id, failed):
                    console.print(f"{entry.project}: {entry.error}: {entry.reason}", style="red")
            raise StackError(
                f"the run {run_id} failed: {_why(running.api, run_id)}", log=stack.layout.logs / "tasks"
            )
        for text in lacking(mirror):
            console.print(f"warning: {text}", style="yellow")
        followed = dependencies(mirror)
        for unmet in () if followed is None else followed.unmet:
            console.print(f"warning: not met here: {unmet}", style="yellow")
        return run, mirror.ledger.projects.totals(), followed


def _ended(mirror: Mirror, run_id: str) -> Run | None:
    """The run of the ledger; of a failed one Airflow's callback writes the end, after the state."""
    for _ in range(_CALLBACK_SECONDS):
        run = mirror.ledger.runs.labelled(run_id)
        if run is None or run.state is not RunState.RUNNING:
            return run
        sleep(1)
    return run


def _why(api: AirflowApi, run_id: str) -> str:
    """The error of the first task that failed."""
    failed = sorted(api.tasks(DAG_ID, run_id, states=("failed",)), key=lambda t: t.map_index)
    for task in failed:
        error = api.xcom(DAG_ID, run_id, task, ERROR_KEY)
        if error:
            return f"{task.task_id}: {error['error']}: {error['reason']}"
    return f"{failed[0].task_id} ended without an error" if failed else "Airflow does not say why"


def _try_out(stack: Stack, settings: Settings, options: Options, console: Console) -> Installed | None:
    if not settings.site.enabled:
        console.print("[site] enabled is false: nothing is served, so nothing was installed")
        return None
    index = index_from_here(settings)
    name = options.install or _chosen(settings, index, options)
    if name is None:
        console.print("no mirrored project has a wheel for this Python; INSTALL=NAME tries one")
        return None
    console.print(f"installing {name} from {index}")
    folder, log = stack.layout.trial, stack.layout.logs / "pip-install.log"
    if options.conf is None or options.install:
        return install(name, index_url=index, folder=folder, log=log)
    try:
        return install(name, index_url=index, folder=folder, log=log)
    except StackError:
        # A partial mirror need not hold what this project depends on.
        return install(name, index_url=index, folder=folder, log=log, dependencies=False)


def _chosen(settings: Settings, index: str, options: Options) -> str | None:
    if options.conf is None:
        return SAMPLE_PACKAGE
    with open_mirror(settings) as mirror:
        # What requires the most proves the most.
        named = sorted((-len(requirements_of(mirror, name)), name) for name in mirror.policy.named_projects)
    return find_installable(index, [name for _, name in named])


def _print(
    run: Run,
    totals: Totals,
    followed: Dependencies | None,
    installed: Installed | None,
    settings: Settings,
    serve: str,
    console: Console,
) -> None:
    held = f"{count(totals.projects, 'project')}, {count(totals.files, 'file')}, {size(totals.bytes)}"
    left_out = f"{count(totals.dropped_files, 'file')} and saved {size(totals.dropped_bytes)}"
    lines = [
        f"The mirror holds {held}.",
        f"The filters left out {left_out}.",
        _changes(run, run.outcome or Outcome()),
    ]
    if followed is not None:
        named = f"[allowlist] names {count(followed.named, 'project')}"
        lines.insert(1, f"{named}; {count(followed.required, 'other')} came because these require them.")
    if installed is not None:
        alone = "" if installed.dependencies else " (without dependencies, which the mirror lacks)"
        lines.append(f"pip installed from it: {', '.join(installed.packages)}{alone}.")
    console.print("", *lines, sep="\n")
    if settings.site.enabled:
        console.print(f"\nTo use it, have it served (`{serve}`) and write to pip.conf:\n")
        console.print(pip_conf(settings), end="")


def _changes(run: Run, outcome: Outcome) -> str:
    tally = outcome.tally
    done = (
        f"{count(tally.files_downloaded, 'file')} downloaded ({size(tally.bytes_downloaded)} with metadata), "
        f"{count(tally.projects_done, 'project')} synced, {tally.projects_removed:,} removed"
    )
    if run.state is RunState.PAUSED:
        return f"This run: {done}; {outcome.reason}. The next run does the rest."
    if run.cursor_from is None:
        return f"This run: {done}; a first sync, now at serial {run.cursor_to}."
    return f"This run: {done}; incremental since serial {run.cursor_from}, now at {run.cursor_to}."


def install(name: str, *, index_url: str, folder: Path, log: Path, dependencies: bool = True) -> Installed:
    """Install ``name`` with pip from ``index_url`` alone; StackError has pip's error."""
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--index-url", index_url, "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    if not dependencies:
        options.append("--no-deps")
    if (address := urlsplit(index_url)).scheme == "http":
        # As in the pip.conf that clients are given: pip ignores plain http but on the loopback.
        options += ["--trusted-host", str(address.hostname)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        done = subprocess.run(
            [*pip, "install", *options, name],
            env=_isolated(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=TIMEOUT,
        )
    if done.returncode:
        words = [line for line in log.read_text().splitlines() if line.startswith("ERROR:")]
        raise StackError(
            f"pip could not install {name} from the mirror at {index_url}"
            + (f" ({words[-1].removeprefix('ERROR: ')})" if words else ""),
            log=log,
        )
    listed = subprocess.run(
        [*pip, "list", "--format", "json", "--disable-pip-version-check"],
        env=_isolated(),
        capture_output=True,
        check=True,
        timeout=TIMEOUT,
    )
    packages = tuple(f"{p['name']} {p['version']}" for p in json.loads(listed.stdout))
    shutil.rmtree(folder, ignore_errors=True)
    return Installed(packages=packages, dependencies=dependencies)


def find_installable(index_url: str, named: Sequence[str] = ()) -> str | None:
    """A mirrored project that has a wheel for this Python, one of those ``named`` before any other; None when
    none of the first ones has.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept"] = JSON_TYPE
        supported = frozenset(sys_tags())
        try:
            root = session.get(index_url, timeout=60)
            root.raise_for_status()
            mirrored = dict.fromkeys(canonicalize_name(each["name"]) for each in root.json()["projects"])
            first = dict.fromkeys(name for name in named if name in mirrored)
            for name in list(first | mirrored)[:LOOKED_AT]:
                page = session.get(f"{index_url}{name}/", timeout=60)
                page.raise_for_status()
                if any(_fits(file["filename"], supported) for file in page.json()["files"]):
                    return str(name)
        except (requests.RequestException, ValueError, KeyError) as error:
            raise StackError(f"the mirror at {index_url} does not answer as an index: {error}") from error
    return None


def _fits(filename: str, supported: frozenset[object]) -> bool:
    try:
        return not supported.isdisjoint(parse_wheel_filename(filename)[3])
    except InvalidWheelFilename:
        return False


def _isolated() -> dict[str, str]:
    """Our environment without anything that would have pip look elsewhere than in the mirror."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_") and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    return kept | {"PIP_CONFIG_FILE": os.devnull}
