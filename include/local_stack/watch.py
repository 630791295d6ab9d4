"""Shows a run while it goes on: on a terminal as a moving bar, elsewhere as a line now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from local_stack.airflow_api import AirflowApi, AirflowSilent, Task
from mirror_airflow.alerts.message import ERROR_KEY, NEXT_TRY_KEY
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.observing.progress import Phase, RunProgress
from pypi_mirror.wording import count, duration, of, size, speed

LOOK_EVERY = 1.0
SAY_EVERY = 10.0
SILENCE = 120.0
FINISHED = ("success", "failed")
RETRIED = "up_for_retry"
UNDER_WAY = ("running", RETRIED, "up_for_reschedule", "awaiting_input")
BEFORE_TASKS: Final = "Airflow starts the first task"
BETWEEN_TASKS: Final = "Airflow starts the next task"
# Of these it is said how far they are.
_COUNTED: Final = ("read_pages", "download_projects")
# What each task of the DAG does.
DOES: Final = {
    "fetch_changelog": "finds out what has changed upstream",
    "read_pages": "reads upstream's pages, and follows dependencies",
    "partition_projects": "decides what to download and what to remove",
    "approve_removals": "checks how much the plan removes",
    "download_projects": "downloads files",
    "rebuild_index": "writes the list of all projects",
    "reload_nginx": "has nginx serve it",
    "report": "records the result",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown at one moment: Airflow's tasks under way, and the run of the ledger once there is one."""

    tasks: tuple[str, ...]
    run: RunProgress | None
    elapsed: float

    def line(self) -> str:
        parts = [", ".join(self.tasks) or BETWEEN_TASKS, *self._figures()]
        return f"{clock(self.elapsed)}  {'; '.join(parts)}"

    def picture(self) -> Group:
        """The line, cut off where the terminal ends, over a bar."""
        done, of_all = self._share()
        bar = ProgressBar(total=max(of_all, 1), completed=done, width=60)
        return Group(Text(self.line(), no_wrap=True, overflow="ellipsis"), bar)

    def _share(self) -> tuple[int, int]:
        run = self.run
        if run is None:
            return 0, 0
        if run.phase is Phase.FOLLOWING:
            return run.known - run.to_follow, run.known
        reads = run.phase is Phase.READING
        return (run.pages_read + run.failed, run.pages) if reads else (run.done + run.failed, run.planned)

    def _figures(self) -> list[str]:
        run = self.run
        if run is None or not self._share()[1] or not any(each.startswith(_COUNTED) for each in self.tasks):
            return []
        failed = [f"{run.failed:,} failed"] if run.failed else []
        left = [] if run.seconds_left is None else [f"about {duration(run.seconds_left)} left"]
        if run.phase is Phase.FOLLOWING:
            return [f"following dependencies: {count(run.known, 'project')} known, {run.to_follow:,} left"]
        if run.phase is Phase.READING:
            return [", ".join([f"{run.pages_read:,} of {count(run.pages, 'page')}", *failed, *left])]
        rate = [] if run.bytes_a_second is None else [speed(run.bytes_a_second)]
        whole = f" of {size(run.planned_bytes)}" if run.planned_bytes > run.bytes else ""
        projects = of(run.done + run.failed, run.planned, "project")
        files = of(run.files, run.planned_files, "file")
        return [", ".join([projects, *failed, files, f"{size(run.bytes)}{whole}", *rate, *left])]


def clock(seconds: float) -> str:
    """When a line is from, since the beginning: ``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def watch(
    api: AirflowApi,
    *,
    dag_id: str,
    run_id: str,
    progress: Callable[[], RunProgress | None],
    holder: Callable[[], MirrorBusy | None],
    console: Console,
    check: Callable[[], None],
) -> str:
    """Show the run until it ends; return its state.

    ``progress`` tells how far the run of the ledger is that is under way, ``holder`` which run has the
    mirror. ``check`` raises when a part of the stack has died.
    """
    look = _Observer(api, dag_id, run_id, progress, holder)
    if not console.is_terminal:
        return _say(look, console, check)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while True:
            state, view = look()
            live.update(view.picture())
            if state in FINISHED:
                break
            check()
            time.sleep(LOOK_EVERY)
    console.print(view.line())
    return state


def _say(look: "_Observer", console: Console, check: Callable[[], None]) -> str:
    said_at, said_tasks = 0.0, None
    while True:
        state, view = look()
        # Between two tasks there is none for a second or two, which is no news.
        is_news = view.tasks not in ((), said_tasks)
        if state in FINISHED or said_tasks is None or is_news or view.elapsed - said_at >= SAY_EVERY:
            said_at, said_tasks = view.elapsed, view.tasks
            console.print(view.line())
        if state in FINISHED:
            return state
        check()
        time.sleep(LOOK_EVERY)


class _Observer:
    """Reads the run's state from Airflow and the ledger; Airflow may be too busy to answer for a while."""

    def __init__(
        self,
        api: AirflowApi,
        dag_id: str,
        run_id: str,
        progress: Callable[[], RunProgress | None],
        holder: Callable[[], MirrorBusy | None],
    ) -> None:
        self._api = api
        self._dag_id = dag_id
        self._run_id = run_id
        self._progress = progress
        self._holder = holder
        self._started = self._heard = time.monotonic()
        self._state = "queued"
        self._tasks: tuple[str, ...] = (BEFORE_TASKS,)
        self._failures: dict[Task, str] = {}

    def __call__(self) -> tuple[str, View]:
        now = time.monotonic()
        try:
            self._state = self._api.run_state(self._dag_id, self._run_id)
            running = self._api.tasks(self._dag_id, self._run_id, states=UNDER_WAY)
            if running or self._tasks != (BEFORE_TASKS,):
                self._tasks = tuple(dict.fromkeys(self._described(t) for t in running))
            self._heard = now
        except AirflowSilent:
            if now - self._heard > SILENCE:
                raise
        run = None
        if self._state in FINISHED:
            self._tasks = (f"the run has {'succeeded' if self._state == 'success' else 'failed'}",)
        else:
            run = self._progress()
            if run is not None and run.label != self._run_id:
                run = None
            if run is None:
                self._tasks = self._waiting_for() or self._tasks
        return self._state, View(tasks=self._tasks, run=run, elapsed=now - self._started)

    def _described(self, task: Task) -> str:
        """The task, and what it is waiting for; one that is retried says why, and when."""
        if task.state != RETRIED:
            return f"{task.described()} {DOES.get(task.task_id, '')}".rstrip()
        if task not in self._failures:
            error, again = (
                self._api.xcom(self._dag_id, self._run_id, task, key) for key in (ERROR_KEY, NEXT_TRY_KEY)
            )
            when = f" at {datetime.fromisoformat(again).astimezone():%H:%M:%S}" if again else ""
            why = f": {error['error']}: {error['reason']}" if error else ""
            self._failures[task] = f"{task.task_id} is retried{when}{why}"
        return self._failures[task]

    def _waiting_for(self) -> tuple[str, ...]:
        """A run that has not started may be waiting for another one, which may have been killed."""
        busy = self._holder()
        if busy is None or busy.owner == self._run_id:
            return ()
        until = f"since {busy.since} and, if it was killed, until {busy.expires}"
        return (f"waiting for {busy.owner}, which has the mirror {until}",)
