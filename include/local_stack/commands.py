"""``mirror``, ``up`` and ``down``: what is running before, what is running after."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from local_stack.airflow_api import AirflowApi
from local_stack.airflow_server import ADMINISTRATOR, API_SERVER, read_or_make_keys
from local_stack.bring_up import DAG_ID, bring_up, end_in_ledger
from local_stack.errors import StackError
from local_stack.mirror_once import mirror_once
from local_stack.options import Options
from local_stack.ports import LOOPBACK
from local_stack.stack import Stack
from local_stack.state import State, forget_state, read_state, write_state
from pypi_mirror.errors import MirrorError
from pypi_mirror.settings.read import read_settings
from pypi_mirror.webserver.clients import index_url

MIRROR = "mirror"
UP = "up"


def mirror(stack: Stack, options: Options, console: Console) -> None:
    """Mirror once; nothing is running afterwards, whatever happened."""
    _make_way(stack, console)
    with _stopped_afterwards(stack, console):
        _remember(stack, options)
        mirror_once(stack, options, console)


def up(stack: Stack, options: Options, console: Console) -> None:
    """Start everything and leave it running; nothing is running when that failed."""
    _make_way(stack, console)
    try:
        _remember(stack, options)
        running = bring_up(stack, options, console, scheduled=True)
    except BaseException:
        _stop(stack, console)
        raise
    keys = read_or_make_keys(stack.layout.airflow_home)
    console.print()
    console.print(f"Airflow:  {running.airflow_url}  (user {ADMINISTRATOR}, password {keys.password})")
    if running.settings.site.enabled:
        console.print(f"Mirror:   {index_url(running.settings)}")
    console.print(
        f"The DAG {DAG_ID} runs on its schedule; logs are in {stack.layout.logs}; `make down` stops all."
    )


def down(stack: Stack, options: Options, console: Console) -> None:
    """Stop all that is on record, also what a crash left behind."""
    del options
    stopped = _stop(stack, console)
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


def _make_way(stack: Stack, console: Console) -> None:
    """An ``up`` that lives is somebody's; what a command left that died on the way is nobody's."""
    running, state = stack.running(), read_state(stack.layout.run)
    if running and state is not None and state.command == UP and API_SERVER in running:
        raise StackError(
            f"the stack is up already with {state.conf}, http://localhost:{state.airflow_port}/. "
            "Start a run there with its Trigger button, or `make down` first"
        )
    if running:
        console.print(f"stopping what an earlier command left behind: {', '.join(running)}")
        _stop(stack, console)


def _remember(stack: Stack, options: Options) -> None:
    conf = stack.layout.sample_conf if options.conf is None else options.conf.absolute()
    state = State(command=options.command, airflow_port=options.airflow_port, conf=str(conf))
    write_state(stack.layout.run, state)


@contextmanager
def _stopped_afterwards(stack: Stack, console: Console) -> Iterator[None]:
    try:
        yield
    finally:
        _stop(stack, console)


def _stop(stack: Stack, console: Console) -> tuple[str, ...]:
    """Stop everything; a second Ctrl-C must not leave half of it running."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        running, state = stack.running(), read_state(stack.layout.run)
        if API_SERVER in running and state is not None:
            try:
                _cut_off_runs(stack, state)
            except (StackError, MirrorError) as error:
                console.print(f"a run may look unfinished until the next start: {error}", style="yellow")
        stopped = stack.stop()
        forget_state(stack.layout.run)
        return stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _cut_off_runs(stack: Stack, state: State) -> None:
    """End the runs that are under way, in Airflow and in the ledger, while Airflow can still be asked."""
    keys = read_or_make_keys(stack.layout.airflow_home)
    api = AirflowApi(f"http://{LOOPBACK}:{state.airflow_port}", user=ADMINISTRATOR, password=keys.password)
    if "api-server" not in api.unhealthy():
        settings = read_settings(Path(state.conf))
        stack.end_runs(api, DAG_ID, lambda run_id: end_in_ledger(settings, run_id))
