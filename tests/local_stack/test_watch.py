import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from local_stack import watch as watching
from local_stack.airflow_api import AirflowSilent, Task
from local_stack.layout import CHECKOUT
from local_stack.watch import View, clock, watch
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.observing.progress import Phase, RunProgress
from tests.observing.figures import PROGRESS


def progress(done: int, planned: int = 40, size: int = 0, failed: int = 0, **others: Any) -> RunProgress:
    return replace(
        PROGRESS,
        label="a run",
        phase=Phase.FETCHING,
        planned=planned,
        done=done,
        failed=failed,
        files=done,
        planned_files=planned,
        bytes=size,
        planned_bytes=10_000,
        bytes_a_second=None,
        seconds_left=None,
        **others,
    )


class Ledger:
    """What each look sees of the run under way, and which run has the mirror."""

    def __init__(self, looks: Sequence[RunProgress | None], busy: MirrorBusy | None = None) -> None:
        self._busy = busy
        self._looks = list(looks)

    def holder(self) -> MirrorBusy | None:
        return self._busy

    def progress(self) -> RunProgress | None:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


class Api:
    def __init__(self, states: Sequence[str | Exception], *, task: Task | None = None) -> None:
        self._states = list(states)
        self._task = task
        self.xcoms: dict[str, Any] = {}
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

    def xcom(self, dag_id: str, run_id: str, task: Task, key: str) -> Any:
        self.asked += 1
        return self.xcoms.get(key)


def run(api: Api, ledger: Ledger, *, terminal: bool = False) -> tuple[str, str]:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
    state = watch(
        api,  # type: ignore[arg-type]
        dag_id="pypi_mirror",
        run_id="a run",
        progress=ledger.progress,
        holder=ledger.holder,
        console=console,
        check=lambda: None,
    )
    assert isinstance(console.file, io.StringIO)
    return state, console.file.getvalue()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_is_shown_until_it_ends(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SAY_EVERY", 0)
    api = Api(["queued", "running", "running", "failed"])
    ledger = Ledger([None, progress(0), progress(20, failed=2, size=5000)])
    state, shown = run(api, ledger, terminal=terminal)
    assert state == "failed"
    if not terminal:
        assert "download_projects downloads files; 22 of 40 projects, 2 failed, 20 of 40 files" in shown
    assert "0:00  the run has failed" in shown


def test_without_a_terminal_there_are_plain_lines_at_every_change() -> None:
    api = Api(["queued", "running", "success"])
    _, shown = run(api, Ledger([None, progress(10), progress(40)]))
    assert "\x1b" not in shown
    assert "download_projects" in shown.splitlines()[0]
    assert "the run has succeeded" in shown.splitlines()[-1]


def test_between_two_tasks_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(["running", "running", "running", "success"])
    tasks = iter([api.tasks("", "", states=("running",)), (), api.tasks("", "", states=("running",)), ()])
    monkeypatch.setattr(api, "tasks", lambda *_, **__: next(tasks))
    _, shown = run(api, Ledger([progress(10)]))
    assert len(shown.splitlines()) == 2


def test_a_task_that_is_tried_again_says_why_and_when() -> None:
    task = Task(task_id="fetch_changelog", map_index=-1, state="up_for_retry", name=None, try_number=1)
    api = Api(["running", "running", "running", "failed"], task=task)
    again = datetime(2026, 1, 2, 3, 4, 5).astimezone()
    api.xcoms = {
        "error": {"error": "UpstreamUnavailable", "reason": "refused"},
        "next_try": again.isoformat(),
    }
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
            dag_id="pypi_mirror",
            run_id="a run",
            progress=lambda: progress(1),
            holder=lambda: None,
            console=Console(file=io.StringIO()),
            check=check,
        )


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, "download_projects"),
        (progress(0, planned=0), "download_projects"),
        (progress(10, size=2000), "download_projects; 10 of 40 projects, 10 of 40 files, 2.00 kB of 10.0 kB"),
        (
            replace(progress(40, size=12_000), bytes_a_second=1_000.0, seconds_left=65),
            "download_projects; 40 projects, 40 files, 12.0 kB, 1.00 kB/s, about 1 minute left",
        ),
        (
            replace(progress(0), phase=Phase.READING, pages=1_200, pages_read=3, failed=1, seconds_left=7),
            "download_projects; 3 of 1,200 pages, 1 failed, about 7 seconds left",
        ),
    ],
)
def test_a_line_says_what_there_is_to_say(seen: RunProgress | None, said: str) -> None:
    assert View(tasks=("download_projects",), run=seen, elapsed=5).line() == f"0:05  {said}"


def test_how_far_it_is_is_said_of_tasks_that_take_long() -> None:
    view = View(tasks=("rebuild_index",), run=progress(40), elapsed=5)
    assert view.line() == "0:05  rebuild_index"


def test_it_is_said_what_each_task_of_the_dag_does() -> None:
    text = (CHECKOUT / "dags" / "pypi_mirror_dag.py").read_text()
    tasks = {*re.findall(r"@task\b.*?def (\w+)", text, re.DOTALL), *re.findall(r'task_id="(\w+)"', text)}
    assert tasks == set(watching.DOES)


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


def test_while_dependencies_are_followed_it_says_how_many_are_known_and_left() -> None:
    found = replace(progress(0), phase=Phase.FOLLOWING, known=812, to_follow=90)
    view = View(tasks=("read_pages",), run=found, elapsed=3)
    assert view.line() == "0:03  read_pages; following dependencies: 812 projects known, 90 left"
