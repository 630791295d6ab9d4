"""A batch keeps each failure to itself, stops when it is told to, and loses nothing that was done."""

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import (
    FileRefused,
    LeaseLost,
    RunStopped,
    UpstreamDown,
    UpstreamError,
    UpstreamUnavailable,
    WindowClosed,
)
from pypi_mirror.fetching import batch as batch_module
from pypi_mirror.fetching import progress_line
from pypi_mirror.fetching.batch import Batch
from pypi_mirror.ledger.results import Failed, FailedPart, Result, Synced
from pypi_mirror.model import Action, PlannedProject, Tally

Step = Callable[[], Awaitable[None]]


def planned(*names: str) -> list[PlannedProject]:
    return [
        PlannedProject(project=NormalizedName(n), display_name=n, action=Action.SYNC, reason="test")
        for n in names
    ]


@dataclass
class Scene:
    """``steps`` says what a project's work does; a project without one is done at once, but for the parts
    that ``lacks`` names.
    """

    steps: dict[str, Step] = field(default_factory=dict)
    lacks: dict[str, FailedPart] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    added: list[Result] = field(default_factory=list)
    looked_up: list[int] = field(default_factory=list)
    finished: int = 0
    ticks: int = 0

    async def work(self, project: PlannedProject, before: str) -> Synced:
        assert before == f"what is known of {project.project}"
        self.seen.append(project.project)
        if project.project in self.steps:
            await self.steps[project.project]()
        failed = (self.lacks[project.project],) if project.project in self.lacks else ()
        return Synced(planned=project, known=None, tally=Tally(projects_done=1), failed=failed)

    async def add(self, result: Result) -> None:
        self.added.append(result)

    async def tick(self) -> None:
        self.ticks += 1

    async def finish(self) -> None:
        self.finished += 1

    def look_up(self, projects: Sequence[PlannedProject]) -> Iterator[str]:
        self.looked_up.append(len(projects))
        return (f"what is known of {each.project}" for each in projects)

    def batch(self, **options: Any) -> Batch[str, Synced]:
        return Batch(
            work=self.work,
            look_up=self.look_up,
            commit=self,
            **{"parallel": 2, "should_stop": lambda: None, **options},
        )

    def run(self, *names: str, **options: Any) -> None:
        asyncio.run(self.batch(**options).run(planned(*names)))

    @property
    def done(self) -> set[str]:
        return {r.planned.project for r in self.added if isinstance(r, Synced)}

    @property
    def failed(self) -> dict[str, str]:
        return {r.planned.project: f"{r.error}: {r.reason}" for r in self.added if isinstance(r, Failed)}

    @property
    def said(self) -> list[str]:
        """The projects that have something to be tried again."""
        return [r.planned.project for r in self.added if r.failure is not None]


def fails(*errors: Exception) -> Step:
    async def step() -> None:
        if len(errors) == 1:
            raise errors[0]
        raise ExceptionGroup("several files", errors)

    return step


async def for_ever() -> None:
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def quick_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "_BEAT", 0.005)


def test_one_bad_project_blocks_no_other() -> None:
    refused = FileRefused("no such thing", url="https://files.example/x")
    scene = Scene({"bad": fails(refused), "worse": fails(PermissionError(errno.EACCES, "Permission denied"))})
    scene.run("a", "bad", "b", "worse", "c")
    assert scene.done == {"a", "b", "c"}
    assert scene.failed == {
        "bad": "FileRefused: https://files.example/x: no such thing",
        "worse": "PermissionError: [Errno 13] Permission denied",
    }
    assert scene.finished == 1


def test_of_several_errors_the_first_is_the_reason() -> None:
    first, second = (UpstreamError(text, url="https://files.example/") for text in ("first", "second"))
    scene = Scene({"bad": fails(first, second)})
    scene.run("bad")
    assert scene.failed == {"bad": "UpstreamError: https://files.example/: first"}


def test_a_full_disk_ends_the_batch_even_behind_another_error() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/mirror/x")
    scene = Scene({"bad": fails(UpstreamError("gone", url="https://files.example/"), full), "slow": for_ever})
    with pytest.raises(OSError, match="No space left") as caught:
        scene.run("good", "slow", "bad", "never")
    assert caught.value is full
    assert scene.failed == {}
    assert scene.done == {"good"}
    assert "never" not in scene.seen
    assert scene.finished == 1


def test_a_mistake_of_ours_comes_out_as_itself() -> None:
    scene = Scene({"bad": fails(ZeroDivisionError("ours")), "slow": for_ever})
    with pytest.raises(ZeroDivisionError):
        scene.run("slow", "bad")
    assert scene.finished == 1


def test_a_failure_that_is_one_too_many_ends_the_batch_and_what_is_under_way() -> None:
    reasons: list[str] = []
    scene = Scene({"bad": fails(UpstreamError("broken", url="https://files.example/")), "slow": for_ever})
    with pytest.raises(RunStopped, match=r"bad: https://files\.example/: broken"):
        scene.run(
            "good", "slow", "bad", "never",
            on_failed=lambda failed: reasons.append(f"{failed.planned.project}: {failed.reason}"),
            should_stop=lambda: next(iter(reasons), None),
        )  # fmt: skip
    assert scene.done == {"good"}
    assert set(scene.failed) == {"bad"}
    assert "never" not in scene.seen
    assert scene.finished == 1


@pytest.mark.parametrize("alone", [True, False])
def test_an_upstream_that_is_down_ends_the_batch_and_no_project_has_failed(alone: bool) -> None:
    down = UpstreamDown("https://index.example/simple/: answered 503")
    refused = FileRefused("no such thing", url="https://files.example/x")
    scene = Scene({"bad": fails(down) if alone else fails(refused, down), "slow": for_ever})
    with pytest.raises(UpstreamDown, match="answered 503"):
        scene.run("good", "slow", "bad", "never")
    assert scene.done == {"good"}
    assert scene.failed == {}
    assert "never" not in scene.seen
    assert scene.finished == 1


LOST = UpstreamUnavailable("answered 503", url="https://files.example/x")


def test_projects_that_all_fail_without_an_answer_end_the_batch() -> None:
    names = [f"p{number}" for number in range(100)]
    scene = Scene(dict.fromkeys(names, fails(LOST)))
    with pytest.raises(UpstreamDown, match=r"almost every project fails, the last one with .* answered 503"):
        scene.run(*names)
    assert scene.failed == {}, "no project is to blame"
    assert scene.finished == 1


def test_an_upstream_that_is_half_dead_is_not_taken_for_down() -> None:
    names = [f"p{number}" for number in range(300)]
    scene = Scene({name: fails(LOST) for number, name in enumerate(names) if number % 2})
    scene.run(*names)
    assert (len(scene.done), len(scene.failed)) == (150, 150)


def test_projects_that_fail_for_reasons_of_their_own_do_not_end_the_batch() -> None:
    names = [f"p{number}" for number in range(100)]
    scene = Scene(dict.fromkeys(names, fails(FileRefused("no", url="https://files.example/x"))))
    scene.run(*names)
    assert len(scene.failed) == 100


def test_a_batch_that_is_told_to_stop_does_not_wait_for_large_files() -> None:
    told: list[str | None] = [None]

    async def tell() -> None:
        told[0] = "another batch failed"

    scene = Scene({"teller": tell, "slow": for_ever})
    with pytest.raises(RunStopped, match="another batch failed"):
        scene.run("teller", "slow", "never", should_stop=lambda: told[0])
    assert scene.done == {"teller"}
    assert scene.failed == {}
    assert "never" not in scene.seen
    assert scene.finished == 1


def test_the_lease_is_kept_and_groups_are_finished_while_projects_take_long() -> None:
    kept: list[int] = []
    enough = asyncio.Event()

    def keep() -> None:
        kept.append(1)
        if len(kept) == 3:
            enough.set()

    async def until_kept() -> None:
        await enough.wait()

    scene = Scene({"slow": until_kept})
    scene.run("slow", keep_alive=keep)
    assert scene.done == {"slow"}
    assert scene.ticks >= 2


def test_a_lost_lease_ends_the_batch_without_another_word_to_the_ledger() -> None:
    def lose() -> None:
        raise LeaseLost(owner="me", holder="you", since="now")

    scene = Scene({"slow": for_ever})
    with pytest.raises(LeaseLost, match="you"):
        scene.run("slow", keep_alive=lose)
    assert scene.finished == 0


def test_an_interrupted_batch_records_what_was_done() -> None:
    async def interrupted() -> None:
        task = asyncio.create_task(scene.batch().run(planned("good", "slow")))
        while not scene.added:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    scene = Scene({"slow": for_ever})
    asyncio.run(interrupted())
    assert scene.done == {"good"}
    assert scene.finished == 1


def test_an_empty_batch_is_done() -> None:
    scene = Scene()
    scene.run()
    assert scene.added == []
    assert scene.finished == 1


def test_the_log_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress_line, "_EVERY", 0.0)
    caplog.set_level(logging.INFO, logger="pypi_mirror")

    async def until_it_is_said() -> None:
        while "1 of 2 projects done, 1.23 kB received" not in caplog.text:
            await asyncio.sleep(0.001)

    Scene({"slow": until_it_is_said}).run("quick", "slow", received=lambda: 1_234)


def test_what_work_has_to_know_is_looked_up_for_some_projects_at_a_time() -> None:
    names = [f"p{number}" for number in range(401)]
    scene = Scene()
    scene.run(*names)
    assert scene.done == set(names)
    assert scene.looked_up == [200, 200, 1]


def part(*, is_unavailable: bool) -> FailedPart:
    return FailedPart(
        part="a.whl", error="UpstreamError", reason="answered 503", is_unavailable=is_unavailable
    )


def test_a_project_that_lacks_a_part_is_done_and_counts_as_failed() -> None:
    told: list[str] = []
    scene = Scene(lacks={"b": part(is_unavailable=False)})
    scene.run("a", "b", "c", on_failed=lambda failed: told.append(failed.planned.project))
    assert scene.done == {"a", "b", "c"}
    assert (scene.said, told) == (["b"], ["b"])


@pytest.mark.parametrize("is_unavailable", [True, False])
def test_projects_that_all_lack_a_part_for_want_of_an_answer_end_the_batch(is_unavailable: bool) -> None:
    names = [f"p{number}" for number in range(100)]
    scene = Scene(lacks=dict.fromkeys(names, part(is_unavailable=is_unavailable)))
    if is_unavailable:
        with pytest.raises(UpstreamDown, match=r"the last one with .*answered 503"):
            scene.run(*names)
        assert len(scene.done) < 100
    else:
        scene.run(*names)
        assert len(scene.done) == 100
    assert scene.finished == 1


def test_a_project_whose_download_has_to_wait_has_not_failed() -> None:
    scene = Scene(
        {"waits": fails(WindowClosed()), "lacks": fails(FileRefused("no", url="u"), WindowClosed())}
    )
    scene.run("a", "waits", "lacks", "b")
    assert (scene.done, scene.failed) == ({"a", "b"}, {})
