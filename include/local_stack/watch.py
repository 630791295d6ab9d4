"""Shows a run while it goes on: on a terminal as a moving bar, elsewhere as a line now and then."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, Group
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from local_stack.airflow_api import AirflowApi, AirflowSilent, Task
from mirror_airflow.alerts.message import ERROR_KEY, NEXT_TRY_KEY
from pypi_mirror.ledger.plan import Progress
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Tally

LOOK_EVERY = 1.0
SAY_EVERY = 10.0
RATE_SPAN = 15.0
SILENCE = 120.0
FINISHED = ("success", "failed")
RETRIED = "up_for_retry"
UNDER_WAY = ("running", RETRIED, "up_for_reschedule", "awaiting_input")
NOTHING = Progress(planned=0, batches=0, batches_done=0, tally=Tally())


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is shown at one moment; ``rate`` is in bytes a second, ``left`` in seconds, None when unknown."""

    tasks: tuple[str, ...]
    progress: Progress
    rate: float
    left: float | None
    elapsed: float

    @property
    def projects(self) -> int:
        tally = self.progress.tally
        return tally.projects_done + tally.projects_failed

    def line(self) -> str:
        tally = self.progress.tally
        parts = [", ".join(self.tasks) or "waiting"]
        if self.progress.planned:
            parts += [
                f"batches {self.progress.batches_done}/{self.progress.batches}",
                f"projects {self.projects}/{self.progress.planned}",
                f"{tally.files_downloaded} files",
                f"{decimal(tally.bytes_downloaded)}",
                f"{decimal(int(self.rate))}/s",
            ]
            if tally.projects_failed:
                parts.append(f"{tally.projects_failed} failed")
            if self.left is not None:
                parts.append(f"{clock(self.left)} left")
        return f"{clock(self.elapsed)}  {' · '.join(parts)}"

    def picture(self) -> Group:
        """The line, cut off where the terminal ends, over a bar."""
        bar = ProgressBar(total=max(self.progress.planned, 1), completed=self.projects, width=60)
        return Group(Text(self.line(), no_wrap=True, overflow="ellipsis"), bar)


@dataclass(slots=True)
class Speed:
    """The rate of the last seconds and the time left, from the counts seen so far."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _first: tuple[float, int] | None = None

    def rate(self, now: float, size: int) -> float:
        self._seen.append((now, size))
        while now - self._seen[0][0] > RATE_SPAN:
            self._seen.popleft()
        start, at_start = self._seen[0]
        return (size - at_start) / (now - start) if now > start else 0.0

    def left(self, now: float, done: int, total: int) -> float | None:
        """Seconds until ``total`` at the pace since the first was seen."""
        if self._first is None:
            self._first = (now, done)
        start, at_start = self._first
        if done <= at_start or total <= done:
            return None
        return (total - done) * (now - start) / (done - at_start)


def clock(seconds: float) -> str:
    """``1:02:03``, or ``2:03`` below an hour."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def watch(
    api: AirflowApi,
    ledger: Ledger,
    *,
    dag_id: str,
    run_id: str,
    console: Console,
    check: Callable[[], None],
) -> str:
    """Show the run until it ends; return its state. ``check`` raises when a part of the stack has died."""
    look = _Observer(api, ledger, dag_id, run_id)
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
        if state in FINISHED or view.tasks != said_tasks or view.elapsed - said_at >= SAY_EVERY:
            said_at, said_tasks = view.elapsed, view.tasks
            console.print(view.line())
        if state in FINISHED:
            return state
        check()
        time.sleep(LOOK_EVERY)


class _Observer:
    """Reads the run's state from Airflow and the ledger; Airflow may be too busy to answer for a while."""

    def __init__(self, api: AirflowApi, ledger: Ledger, dag_id: str, run_id: str) -> None:
        self._api = api
        self._ledger = ledger
        self._dag_id = dag_id
        self._run_id = run_id
        self._speed = Speed()
        self._started = self._heard = time.monotonic()
        self._state = "queued"
        self._tasks: tuple[str, ...] = ()
        self._failures: dict[Task, str] = {}

    def __call__(self) -> tuple[str, View]:
        now = time.monotonic()
        try:
            self._state = self._api.run_state(self._dag_id, self._run_id)
            running = self._api.tasks(self._dag_id, self._run_id, states=UNDER_WAY)
            self._tasks = tuple(dict.fromkeys(self._described(t) for t in running))
            self._heard = now
        except AirflowSilent:
            if now - self._heard > SILENCE:
                raise
        if self._state in FINISHED:
            self._tasks = (self._state,)
        run = self._ledger.runs.labelled(self._run_id)
        if run is None and self._state not in FINISHED:
            self._tasks = self._waiting_for() or self._tasks
        progress = NOTHING if run is None else self._ledger.plan.progress(run.id)
        tally = progress.tally
        done = tally.projects_done + tally.projects_failed
        return self._state, View(
            tasks=self._tasks,
            progress=progress,
            rate=self._rate(now, tally.bytes_downloaded),
            left=self._speed.left(now, done, progress.planned) if progress.planned else None,
            elapsed=now - self._started,
        )

    def _described(self, task: Task) -> str:
        """The task, and what it is waiting for; one that is retried says why, and when."""
        if task.state != RETRIED:
            return task.described()
        if task not in self._failures:
            words, again = (
                self._api.xcom(self._dag_id, self._run_id, task, key) for key in (ERROR_KEY, NEXT_TRY_KEY)
            )
            when = f" at {datetime.fromisoformat(again).astimezone():%H:%M:%S}" if again else ""
            why = f": {words}" if words else ""
            self._failures[task] = f"{task.task_id} is retried{when}{why}"
        return self._failures[task]

    def _waiting_for(self) -> tuple[str, ...]:
        """A run that has not started may be waiting for another one, which may have been killed."""
        busy = self._ledger.lease.holder()
        if busy is None or busy.owner == self._run_id:
            return ()
        until = f"since {busy.since} and, if it was killed, until {busy.expires}"
        return (f"waiting for {busy.owner}, which has the mirror {until}",)

    def _rate(self, now: float, size: int) -> float:
        """Of the last seconds while the run goes on, of the whole run when it has ended."""
        if self._state in FINISHED:
            return size / max(now - self._started, 1.0)
        return self._speed.rate(now, size)
