"""``mirror``, ``up`` and ``down``: what is running before, what is running after."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from local_stack.airflow_api import AirflowApi
from local_stack.airflow_server import ADMINISTRATOR, API_SERVER, read_or_make_keys
from local_stack.bring_up import DAG_ID, UPSTREAM, bring_up, end_in_ledger
from local_stack.errors import StackError
from local_stack.mirror_once import mirror_once
from local_stack.options import Options
from local_stack.ports import LOOPBACK
from local_stack.stack import Stack
from mirror_airflow.page_path import PAGE
from pypi_mirror.cli.interruption import held_back
from pypi_mirror.settings.read import read_settings
from pypi_mirror.settings.schedule import Schedule
from pypi_mirror.webserver.clients import index_url

UP = "up"
STATE_FILE = "stack.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a command leaves for the next: who started the stack, where, and with which configuration."""

    command: str
    airflow_port: int
    conf: str


def read_state(run: Path) -> State | None:
    """None when nothing is on record, or a crash left half a record."""
    try:
        return State(**json.loads((run / STATE_FILE).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


@contextmanager
def claim(run: Path, command: str) -> Iterator[None]:
    """Hold the checkout for ``command``; StackError names who holds it already.

    The kernel frees the lock when its holder dies, however it dies.
    """
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read().strip() or "another command"
            raise StackError(f"{holder} is running in this checkout; wait for it, or end it") from error
        lock.truncate(0)
        lock.write(f"'make {command}' (process {os.getpid()})\n")
        lock.flush()
        yield


def mirror(stack: Stack, options: Options, console: Console) -> None:
    """Mirror once; nothing is running afterwards, also after a failure."""
    _require_conf(options)
    _make_way(stack, options, console)
    try:
        _remember(stack, options)
        mirror_once(stack, options, console)
    finally:
        _stop(stack, console)


def up(stack: Stack, options: Options, console: Console) -> None:
    """Start everything and leave it running; nothing is running when that failed."""
    _require_conf(options)
    if (state := _state_of_up(stack)) is not None and state.conf == str(_conf(stack, options)):
        console.print("it is up already:")
        _say_where(stack, state, console)
        return
    _make_way(stack, options, console)
    try:
        state = _remember(stack, options)
        bring_up(stack, options, console, scheduled=True)
    except BaseException:
        _stop(stack, console)
        raise
    _say_where(stack, state, console)


def down(stack: Stack, _: Options, console: Console) -> None:
    """Stop all that is on record, also what a crash left behind."""
    stopped = _stop(stack, console)
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def _say_where(stack: Stack, state: State, console: Console) -> None:
    keys = read_or_make_keys(stack.layout.airflow_home)
    settings = read_settings(Path(state.conf))
    console.print()
    console.print(
        f"Airflow:  http://localhost:{state.airflow_port}/  (user {ADMINISTRATOR}, password {keys.password})"
    )
    console.print(f"Page:     http://localhost:{state.airflow_port}{PAGE}  (the mirror's own, in Airflow)")
    if settings.site.enabled:
        console.print(f"Mirror:   {index_url(settings)}")
    stand_in = "  (the stand-in; it stops with `make down`)" if UPSTREAM in stack.running() else ""
    console.print(f"Upstream: {settings.master}{stand_in}")
    console.print(f"Runs:     {_when(settings.schedule)}")
    console.print(f"Verbs:    .venv/bin/pypi-mirror status -c {state.conf}")
    console.print(f"Logs:     {stack.layout.logs}")
    console.print("`make down` stops everything.")


def _when(schedule: Schedule) -> str:
    """When Airflow starts runs: the one that was due last starts as soon as the DAG is switched on."""
    if schedule.cron is None:
        return f"by hand only, with Sync now on the page; the DAG is {DAG_ID}"
    return (
        f"{schedule.cron} ({schedule.timezone}), and the one that was due last at once; the DAG is {DAG_ID}"
    )


def _require_conf(options: Options) -> None:
    """Said first, whatever is running: what is wrong is the name."""
    if options.conf is not None and not options.conf.is_file():
        raise StackError(f"there is no file {options.conf.absolute()}; CONF names your mirror.conf")


def _make_way(stack: Stack, options: Options, console: Console) -> None:
    """An ``up`` that lives is somebody's; what a command left that died on the way is nobody's."""
    if (state := _state_of_up(stack)) is not None:
        of = "the stand-in upstream" if state.conf == str(stack.layout.sample_conf) else state.conf
        again = options.typed(options.command)
        raise StackError(
            f"the stack is up with {of}, at http://localhost:{state.airflow_port}/. Start a run there with "
            f"the button Trigger. For another configuration, stop it first: make down && {again}"
        )
    if running := stack.running():
        console.print(f"stopping what an earlier command left behind: {', '.join(running)}")
        _stop(stack, console)


def _state_of_up(stack: Stack) -> State | None:
    """What is known of an ``up`` that lives, None when there is none."""
    state = read_state(stack.layout.run)
    return state if state is not None and state.command == UP and API_SERVER in stack.running() else None


def _remember(stack: Stack, options: Options) -> State:
    state = State(command=options.command, airflow_port=options.airflow_port, conf=str(_conf(stack, options)))
    stack.layout.run.mkdir(parents=True, exist_ok=True)
    (stack.layout.run / STATE_FILE).write_text(json.dumps(asdict(state)) + "\n")
    return state


def _conf(stack: Stack, options: Options) -> Path:
    return stack.layout.sample_conf if options.conf is None else options.conf.absolute()


def _stop(stack: Stack, console: Console) -> tuple[str, ...]:
    """Stop everything; another signal must not leave half of it running.

    A run that is under way ends in Airflow while that can still be asked, and in the ledger when its
    tasks are gone and can no longer restart it.
    """
    with held_back():
        running, state = stack.running(), read_state(stack.layout.run)
        cut_off = () if state is None or API_SERVER not in running else _cut_off_runs(stack, state, console)
        if running:
            console.print("stopping what was started")
        stopped = stack.stop()
        if state is not None:
            for run_id in cut_off:
                end_in_ledger(read_settings(Path(state.conf)), run_id)
        (stack.layout.run / STATE_FILE).unlink(missing_ok=True)
        return stopped


def _cut_off_runs(stack: Stack, state: State, console: Console) -> tuple[str, ...]:
    """End the unfinished runs in Airflow; their run ids. What cannot be done now the next start does."""
    keys = read_or_make_keys(stack.layout.airflow_home)
    api = AirflowApi(f"http://{LOOPBACK}:{state.airflow_port}", user=ADMINISTRATOR, password=keys.password)
    if "api-server" in api.unhealthy():
        return ()
    try:
        return stack.end_runs(api, DAG_ID)
    except StackError as error:
        console.print(f"a run may look unfinished until the next start: {error}", style="yellow")
        return ()
