"""Groups are finished in an order that loses nothing, whatever ends it half-way."""

import asyncio
import errno
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import LeaseLost
from pypi_mirror.fetching import group_commit
from pypi_mirror.fetching.group_commit import GroupCommit
from pypi_mirror.ledger.results import Failed, Result, Results, Synced
from pypi_mirror.model import Action, MirroredPage, PlannedProject, ProjectStatus, Tally
from pypi_mirror.pages.page_store import PageStore, Rendered, page_digest


def result(name: str, *, json: bytes | None = None) -> Synced:
    project = NormalizedName(name)
    planned = PlannedProject(project=project, display_name=name, action=Action.SYNC, reason="test")
    page = MirroredPage(name=project, serial=1, status=ProjectStatus(), versions=(), files=())
    return Synced(planned=planned, known=None, page=page, legacy_json=json, tally=Tally(projects_done=1))


@dataclass
class Staged:
    """Writes down in the scene when it is published and discarded."""

    scene: "Scene"
    what: str

    def publish(self) -> None:
        if self.what in self.scene.publish_errors:
            raise self.scene.publish_errors[self.what]
        self.scene.happened.append(self.what)

    def discard(self) -> None:
        self.scene.happened.append(f"discard {self.what}")


@dataclass
class Scene:
    """Flush, pages and ledger write down what happens to them, in order."""

    web: Path
    happened: list[str] = field(default_factory=list)
    recorded: list[Result] = field(default_factory=list)
    told: list[Result] = field(default_factory=list)
    page_errors: dict[str, OSError] = field(default_factory=dict)
    publish_errors: dict[str, OSError] = field(default_factory=dict)
    record_errors: list[Exception] = field(default_factory=list)

    def record(self, results: Sequence[Result]) -> None:
        if self.record_errors:
            raise self.record_errors.pop(0)
        self.happened += [f"record {r.planned.project}" for r in results]
        self.recorded += results

    def render(self, page: MirroredPage) -> Rendered:
        return {"index.html": f"page of {page.name}".encode()}

    def stage(self, project: NormalizedName, _rendered: Rendered) -> Staged:
        if project in self.page_errors:
            raise self.page_errors[project]
        self.happened.append(f"stage {project}")
        return Staged(self, f"page {project}")

    def stage_legacy_json(self, name: str, _document: bytes) -> Staged:
        if f"json {name}" in self.page_errors:
            raise self.page_errors[f"json {name}"]
        self.happened.append(f"stage json {name}")
        return Staged(self, f"json {name}")

    def remove_legacy_json(self, name: str) -> bool:
        self.happened.append(f"no json {name}")
        return False

    @property
    def order(self) -> list[str]:
        return [what for what in self.happened if "json" not in what]

    def names(self, results: Sequence[Result]) -> list[str]:
        return [r.planned.project for r in results]

    def commit(self) -> GroupCommit:
        return GroupCommit(self.web, cast("PageStore", self), cast("Results", self), self.told.extend)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(tmp_path)
    monkeypatch.setattr(group_commit, "flush_filesystem", lambda _: made.happened.append("flush"))
    return made


@pytest.fixture
def every_result_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "_PROJECTS", 1)


@pytest.mark.usefixtures("every_result_a_group")
def test_bytes_are_flushed_before_pages_have_names_and_names_before_the_record(scene: Scene) -> None:
    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("one"))
        await commit.add(result("two"))
        await commit.finish()

    asyncio.run(scenario())
    assert scene.order == [
        *("stage one", "flush", "page one"),
        *("stage two", "flush", "record one", "page two"),
        *("flush", "record two"),
    ]
    assert scene.names(scene.told) == ["one", "two"]


def test_what_is_recorded_has_the_digest_of_what_was_written(scene: Scene) -> None:
    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("one", json=b"{}"))
        await commit.finish()

    asyncio.run(scenario())
    (synced,) = scene.recorded
    assert isinstance(synced, Synced)
    assert synced.page_digest == page_digest([b"page of one", b"{}"])


def test_a_group_is_closed_by_its_size_its_files_or_its_age(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "_PROJECTS", 3)

    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("one"))
        await commit.add(result("two"))
        await commit.tick()
        assert scene.happened == []
        await commit.add(result("three"))
        names = ("one", "two", "three")
        assert scene.order == [*(f"stage {n}" for n in names), "flush", *(f"page {n}" for n in names)]
        monkeypatch.setattr(group_commit, "_SECONDS", 0.0)
        # Nothing is added any more, and yet the group is recorded.
        await commit.tick()
        assert scene.names(scene.recorded) == ["one", "two", "three"]

    asyncio.run(scenario())


@pytest.mark.usefixtures("every_result_a_group")
def test_a_result_outlives_the_task_that_was_flushing_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushing, go_on = threading.Event(), threading.Event()

    def slow_flush(_: Any) -> None:
        flushing.set()
        assert go_on.wait(10)

    async def scenario() -> None:
        commit = scene.commit()
        monkeypatch.setattr(group_commit, "flush_filesystem", slow_flush)
        task = asyncio.create_task(commit.add(result("cut-off")))
        await asyncio.to_thread(flushing.wait, 10)
        task.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert scene.recorded == []
        await commit.add(result("later"))
        await commit.finish()

    asyncio.run(scenario())
    assert sorted(scene.names(scene.recorded)) == ["cut-off", "later"]
    # The flush that was cut off may have begun before the page was there, so another one covers it.
    assert scene.order[:3] == ["stage cut-off", "stage later", "page cut-off"]
    assert scene.order.count("stage cut-off") == 1


@pytest.mark.usefixtures("every_result_a_group")
def test_a_ledger_that_fails_once_loses_nothing(scene: Scene) -> None:
    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("one"))
        scene.record_errors = [RuntimeError("busy")]
        with pytest.raises(RuntimeError):
            await commit.add(result("two"))
        assert scene.recorded == []
        await commit.finish()

    asyncio.run(scenario())
    assert scene.names(scene.recorded) == ["one", "two"]
    assert scene.order.count("page one") == 1


@pytest.mark.usefixtures("every_result_a_group")
def test_no_page_is_written_once_the_lease_is_lost(scene: Scene) -> None:
    scene.record_errors = [LeaseLost(owner="me", holder="you", since="now")]

    async def scenario() -> None:
        with pytest.raises(LeaseLost):
            await scene.commit().add(result("one"))

    asyncio.run(scenario())
    assert scene.order == ["stage one", "flush"]


LOCKED = PermissionError(errno.EACCES, "Permission denied", "simple/locked")
FULL = OSError(errno.ENOSPC, "No space left on device", "simple/one")


@pytest.mark.usefixtures("every_result_a_group")
@pytest.mark.parametrize(
    ("page_errors", "publish_errors"),
    [
        ({"locked": LOCKED}, {}),
        ({"json locked": LOCKED}, {}),
        ({}, {"page locked": LOCKED}),
        ({}, {"json locked": LOCKED}),
    ],
    ids=["page staged", "JSON staged", "page published", "JSON published"],
)
def test_a_page_that_cannot_be_written_fails_its_project_alone(
    scene: Scene, page_errors: dict[str, OSError], publish_errors: dict[str, OSError]
) -> None:
    scene.page_errors, scene.publish_errors = page_errors, publish_errors

    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("locked", json=b"{}"))
        await commit.add(result("fine"))
        await commit.finish()

    asyncio.run(scenario())
    failed, fine = scene.recorded
    assert isinstance(failed, Failed)
    assert (failed.error, failed.planned.project) == ("PermissionError", "locked")
    assert "simple/locked" in failed.reason
    assert isinstance(fine, Synced)
    if "locked" not in page_errors:
        assert "discard page locked" in scene.happened


@pytest.mark.usefixtures("every_result_a_group")
@pytest.mark.parametrize("when", ["staged", "published"])
def test_a_full_disk_ends_the_batch_and_loses_nothing(scene: Scene, when: str) -> None:
    (scene.page_errors if when == "staged" else scene.publish_errors).update({"one": FULL, "page one": FULL})

    async def scenario() -> None:
        commit = scene.commit()
        with pytest.raises(OSError, match="No space left"):
            await commit.add(result("one"))
        scene.page_errors.clear()
        scene.publish_errors.clear()
        await commit.finish()

    asyncio.run(scenario())
    assert scene.names(scene.recorded) == ["one"]
    assert isinstance(scene.recorded[0], Synced)
    assert scene.order[-3:] == ["page one", "flush", "record one"]


LEGACY_JSON = {
    "upstream has it": (result("one", json=b"{}"), ["stage json one", "json one"]),
    "upstream has none, or the option is off": (result("one"), ["no json one"]),
}


@pytest.mark.parametrize(("synced", "expected"), LEGACY_JSON.values(), ids=LEGACY_JSON)
def test_legacy_json_follows_the_page(scene: Scene, synced: Synced, expected: list[str]) -> None:
    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(synced)
        await commit.finish()

    asyncio.run(scenario())
    assert [what for what in scene.happened if "json" in what] == expected


def test_a_pool_on_another_disk_is_flushed_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(group_commit, "flush_filesystem", flushed.append)
    (scene.web / "elsewhere").mkdir()
    (scene.web / "packages").symlink_to("elsewhere")

    async def scenario() -> None:
        commit = scene.commit()
        await commit.add(result("a"))
        await commit.finish()

    asyncio.run(scenario())
    assert set(flushed) == {scene.web, scene.web / "packages"}


@pytest.mark.usefixtures("every_result_a_group")
@pytest.mark.parametrize("cancelled", [False, True])
def test_after_a_flush_that_failed_nothing_is_recorded(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    """The kernel reports a write that failed to one flush only; the next one succeeds."""
    broken = [OSError(errno.EIO, "Input/output error", str(scene.web))]
    begun, go_on = threading.Event(), threading.Event()

    def flush(_path: object) -> None:
        begun.set()
        go_on.wait(10)
        if broken:
            raise broken.pop()

    async def scenario() -> None:
        commit = scene.commit()
        go_on.set()
        fault, broken[:] = broken[:], []
        await commit.add(result("one"))
        broken[:] = fault
        go_on.clear()
        begun.clear()
        adding = asyncio.create_task(commit.add(result("two")))
        await asyncio.to_thread(begun.wait, 10)
        if cancelled:
            adding.cancel()
            await asyncio.sleep(0)
        go_on.set()
        with pytest.raises((OSError, asyncio.CancelledError)):
            await adding
        with pytest.raises(OSError, match="Input/output error"):
            await commit.finish()

    monkeypatch.setattr(group_commit, "flush_filesystem", flush)
    asyncio.run(scenario())
    assert scene.recorded == []
