import io
from collections.abc import Sequence
from datetime import datetime

import pytest
from rich.console import Console

from local_stack import watch as watching
from local_stack.airflow_api import AirflowSilent, Task
from local_stack.watch import Speed, View, clock, watch
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.plan import Progress
from pypi_mirror.model import Tally


def progress(done: int, planned: int = 40, size: int = 0, failed: int = 0) -> Progress:
    tally = Tally(projects_done=done, projects_failed=failed, files_downloaded=done, bytes_downloaded=size)
    return Progress(planned=planned, batches=4, batches_done=done // 10, tally=tally)


class Ledger:
    """The three calls of the ledger that are used, with what each look sees."""

    def __init__(self, looks: Sequence[Progress | None], busy: MirrorBusy | None = None) -> None:
        self._busy = busy
        self._looks = list(looks)
        self.runs = self
        self.plan = self
        self.lease = self
        self.id = 7

    def holder(self) -> MirrorBusy | None:
        return self._busy

    def labelled(self, label: str) -> "Ledger | None":
        assert label == "a run"
        self.look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return None if self.look is None else self

    def progress(self, run_id: int) -> Progress | None:
        assert run_id == 7
        return self.look


class Api:
    def __init__(self, states: Sequence[str | Exception], *, task: Task | None = None) -> None:
        self._states = list(states)
        self._task = task
        self.xcoms: dict[str, str] = {}
        self.asked = 0

    def run_state(self, dag_id: str, run_id: str) -> str:
        state = self._states.pop(0)
        if isinstance(state, Exception):
            raise state
        return state

    def tasks(self, dag_id: str, run_id: str, *, states: Sequence[str]) -> tuple[Task, ...]:
        assert "running" in states
        if self._task is not None:
            return (self._task,)
        one = Task(task_id="download_projects", map_index=0, state="running", name=None, try_number=1)
        return (one, one)

    def xcom(self, dag_id: str, run_id: str, task: Task, key: str) -> str | None:
        self.asked += 1
        return self.xcoms.get(key)


def run(api: Api, ledger: Ledger, *, terminal: bool = False) -> tuple[str, str]:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    state = watch(
        api,  # type: ignore[arg-type]
        ledger,  # type: ignore[arg-type]
        dag_id="pypi_mirror",
        run_id="a run",
        console=console,
        check=lambda: None,
    )
    assert isinstance(console.file, io.StringIO)
    return state, console.file.getvalue()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_is_shown_until_it_ends(terminal: bool) -> None:
    api = Api(["queued", "running", "running", "failed"])
    ledger = Ledger([None, progress(0), progress(20, size=5000), progress(38, failed=2, size=9000)])
    state, shown = run(api, ledger, terminal=terminal)
    assert state == "failed"
    assert "projects 40/40" in shown
    assert "9.0 kB" in shown
    assert "2 failed" in shown


def test_without_a_terminal_there_are_plain_lines_at_every_change() -> None:
    api = Api(["queued", "running", "success"])
    _, shown = run(api, Ledger([None, progress(10), progress(40)]))
    assert "\x1b" not in shown
    assert "download_projects" in shown.splitlines()[0]
    assert "success" in shown.splitlines()[-1]


def test_a_task_that_is_tried_again_says_why_and_when() -> None:
    task = Task(task_id="fetch_changelog", map_index=-1, state="up_for_retry", name=None, try_number=1)
    api = Api(["running", "running", "running", "failed"], task=task)
    again = datetime(2026, 1, 2, 3, 4, 5).astimezone()
    api.xcoms = {"error": "UpstreamUnavailable: refused", "next_try": again.isoformat()}
    _, shown = run(api, Ledger([None]))
    assert "fetch_changelog is retried at 03:04:05: UpstreamUnavailable: refused" in shown
    assert api.asked == 2, "once a failure, not once a second"


def test_an_airflow_that_is_busy_for_a_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(Api(["running", AirflowSilent("busy"), "success"]), Ledger([progress(1)]))[0] == "success"
    monkeypatch.setattr(watching, "SILENCE", -1)
    with pytest.raises(AirflowSilent):
        run(Api(["running", AirflowSilent("dead")]), Ledger([progress(1)]))


def test_a_dead_part_of_the_stack_ends_the_watch() -> None:
    def check() -> None:
        raise RuntimeError("the scheduler has ended")

    with pytest.raises(RuntimeError):
        watch(
            Api(["running"]),  # type: ignore[arg-type]
            Ledger([progress(1)]),  # type: ignore[arg-type]
            dag_id="pypi_mirror",
            run_id="a run",
            console=Console(file=io.StringIO()),
            check=check,
        )


def test_rate_and_time_left_come_from_what_was_seen() -> None:
    speed = Speed()
    assert speed.rate(100.0, 0) == 0.0
    assert speed.rate(110.0, 5000) == 500.0
    # The slow start is forgotten after a while.
    assert speed.rate(124.0, 33_000) == 2000.0
    assert speed.left(100.0, 0, 40) is None
    assert speed.left(110.0, 10, 40) == 30.0
    assert speed.left(120.0, 40, 40) is None


def test_a_line_says_what_there_is_to_say() -> None:
    view = View(tasks=("download_projects",), progress=progress(10, size=2000), rate=1000, left=65, elapsed=5)
    assert view.line() == (
        "0:05  download_projects · batches 1/4 · projects 10/40 · 10 files · 2.0 kB · 1.0 kB/s · 1:05 left"
    )


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (61.9, "1:01"), (3723, "1:02:03")])
def test_durations_are_read_at_a_glance(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


def test_a_run_that_waits_for_another_says_for_which_and_until_when() -> None:
    busy = MirrorBusy(owner="manual__yesterday", since="noon", expires="a quarter past noon")
    _, said = run(Api(["running", "running", "success"]), Ledger([None, progress(1)], busy))
    assert (
        "waiting for manual__yesterday, which has the mirror since noon and, if it was killed, until a "
        "quarter past noon" in said
    )
    assert said.count("waiting for") == 1
