"""download-window: outside of it nothing is downloaded, what upstream withdraws goes all the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from pypi_mirror.errors import RunStopped
from pypi_mirror.model import PlanState, RunKind, RunState
from pypi_mirror.options.download_window import parse_download_window
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import end_dry_run, report
from pypi_mirror.settings.values import RemovalGuard, Schedule
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench, ManualClock
from tests.warehouse import (
    Corrupt,
    Drip,
    Fault,
    Quarantine,
    RemoveFile,
    RemoveProject,
    Upload,
    Wheel,
    Yank,
    many,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2031, 3, 3, 12, tzinfo=BERLIN)
EVENING = NOON.replace(hour=22)
NEXT_NOON = NOON.replace(day=4)
OPENS = EVENING.astimezone(UTC)
NIGHTS = Schedule(download_window=parse_download_window("22:00-06:00"), timezone="Europe/Berlin")
PROJECTS = 40


class ClosesWhen(ManualClock):
    """It is night until ``happened``, and morning from then on."""

    def __init__(self, happened: Callable[[], bool]) -> None:
        self._happened = happened
        self.now = EVENING.timestamp()

    def __call__(self) -> float:
        if self._happened() and self.now < NEXT_NOON.timestamp():
            self.now = NEXT_NOON.timestamp()
        return self.now


@pytest.fixture
def at_night(bench: MakeBench) -> MakeBench:
    """A mirror that downloads at night; it is noon."""

    def make(*events: Any, **options: Any) -> Bench:
        made = bench(*events, **{"schedule": NIGHTS, **options})
        made.clock.now = NOON.timestamp()
        return made

    return make


def closes_after(made: Bench, files: int) -> None:
    made.clock = ClosesWhen(lambda: made.server.requests.count("file") >= files)


def pages_asked_for(made: Bench) -> set[str]:
    return {each.path.split("/")[2] for each in made.server.requests.of("page")}


def status(made: Bench) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode((made.web / "mirror.json").read_bytes())
    return document


def index_serial(made: Bench) -> int | None:
    document = msgspec.json.decode((made.web / "simple/index.v1_json").read_bytes())
    serial: int | None = document["meta"].get("_last-serial")
    return serial


def test_a_first_sync_outside_the_window_downloads_nothing_and_says_until_when(at_night: MakeBench) -> None:
    made = at_night(scenario=many(PROJECTS, 2, 200))
    result = made.sync(batch_size=15)
    assert result.state is RunState.PAUSED
    assert result.reason == (
        "paused until 2031-03-03 22:00 CET ([schedule] download-window): 0 of 40 projects done"
    )
    assert (made.server.requests.count("page"), made.server.requests.count("file")) == (PROJECTS, 0)
    assert (made.cursor, made.backlog()) == (None, {})
    assert (status(made)["last_run"], status(made)["paused_until"]) == ("paused", f"{OPENS:%FT%TZ}")
    assert "Downloads resume at 2031-03-03 21:00 UTC." in (made.web / "index.html").read_text()
    made.clock.now = EVENING.timestamp()
    with made.open() as mirror:
        assert mirror_status(mirror).paused_until is None, "the window is open by now"
    result = made.sync()
    assert (result.state, result.cursor) == (RunState.SUCCESS, made.server.warehouse.serial)
    assert status(made)["paused_until"] is None
    audit(made)
    compare(made)


@pytest.mark.parametrize("batch_size", [7, 500])
def test_a_window_that_closes_under_way(at_night: MakeBench, batch_size: int) -> None:
    made = at_night(scenario=many(PROJECTS, 2, 200), workers=2)
    closes_after(made, 20)
    result = made.sync(batch_size=batch_size)
    done = result.tally.projects_done
    assert result.state is RunState.PAUSED
    assert 0 < done < PROJECTS
    assert result.reason is not None
    assert f"paused until 2031-03-04 22:00 CET ([schedule] download-window): {done} of 40" in result.reason
    assert (made.cursor, made.backlog(), index_serial(made)) == (None, {}, None)
    audit(made, orphans=True)
    with made.open() as mirror:
        assert len(list(mirror.ledger.projects.listed())) == done, "what was done is published"
        mirror.ledger.lease.take("somebody else")
        mirror.ledger.lease.release("somebody else")
    complete = {path.name for path in (made.web / "packages").rglob("*.whl") if path.name[0] != "."}
    listed = {path.parent.name for path in (made.web / "simple").glob("*/index.html")}
    made.server.requests.reset()
    made.clock = ManualClock()
    made.clock.now = NEXT_NOON.replace(hour=23).timestamp()
    result = made.sync()
    assert (result.state, result.cursor) == (RunState.SUCCESS, made.server.warehouse.serial)
    assert not complete & set(made.downloads()), "downloaded twice"
    assert not listed & pages_asked_for(made), "looked at again"
    audit(made)
    compare(made)


def test_a_large_file_goes_on_where_the_window_closed(at_night: MakeBench) -> None:
    large = Wheel(name="large", size=6_000_000)
    made = at_night(
        Upload(distribution=large),
        faults=[Fault(path="/packages/*/large-*.whl", effect=Drip(chunk=100_000, seconds=0.05))],
    )

    def began() -> bool:
        return any(part.stat().st_size > 500_000 for part in (made.web / "packages").rglob("*.part"))

    made.clock = ClosesWhen(began)
    result = made.sync()
    assert (result.state, result.tally.projects_done) == (RunState.PAUSED, 0)
    assert list((made.web / "packages").rglob("*.part")), "what came of it is kept"
    made.server.requests.reset()
    made.clock = ManualClock()
    made.clock.now = NEXT_NOON.replace(hour=23).timestamp()
    assert made.sync().state is RunState.SUCCESS
    (rest,) = made.server.requests.of("file")
    assert (rest.status, rest.size < 5_600_000) == (206, True)
    audit(made)
    compare(made)


@pytest.fixture
def complete(at_night: MakeBench) -> Bench:
    """Ten projects, all in the mirror; it is noon of the day after."""
    made = at_night(
        *(Upload(distribution=Wheel(name=f"p{number}", version=v)) for number in range(10) for v in "12"),
        guard=RemovalGuard(max_percent=100),
    )
    made.clock.now = EVENING.timestamp()
    made.sync()
    made.clock.now = NEXT_NOON.timestamp()
    made.server.requests.reset()
    return made


def test_what_upstream_withdraws_goes_at_any_hour(complete: Bench) -> None:
    before = complete.cursor
    complete.server.apply(
        RemoveProject(project="p0"),
        Quarantine(project="p1"),
        RemoveFile(project="p2", filename="p2-2-py3-none-any.whl"),
        Yank(project="p3", version="2", reason="broken"),
        Upload(distribution=Wheel(name="p4", version="3")),
        Upload(distribution=Wheel(name="new")),
    )
    result = complete.sync()
    assert result.state is RunState.PAUSED
    assert "4 of 6 projects done" in (result.reason or "")
    assert not complete.page_directory("p0").exists()
    assert complete.listed("p1") == []
    assert complete.listed("p2") == ["p2-1-py3-none-any.whl"]
    assert [file["yanked"] for file in complete.page("p3")["files"]] == [False, "broken"]
    assert complete.downloads() == []
    assert pages_asked_for(complete) == {"p0", "p1", "p2", "p3", "p4", "new"}, "pages at any hour"
    assert (complete.cursor, index_serial(complete), complete.backlog()) == (before, before, {})
    audit(complete)
    complete.server.requests.reset()
    assert "0 of 2 projects done" in (complete.sync().reason or ""), "what is done is not planned again"
    assert pages_asked_for(complete) == set()
    complete.clock.now = NEXT_NOON.replace(hour=22).timestamp()
    result = complete.sync()
    assert (result.state, result.cursor) == (RunState.SUCCESS, complete.server.warehouse.serial)
    assert complete.downloads() == ["new-1.0-py3-none-any.whl", "p4-3-py3-none-any.whl"]
    audit(complete)
    compare(complete)


def test_a_project_that_lost_one_file_and_gained_another_waits_as_it_is(complete: Bench) -> None:
    complete.server.apply(
        Upload(distribution=Wheel(name="p0", version="3")),
        RemoveFile(project="p0", filename="p0-2-py3-none-any.whl"),
    )
    result = complete.sync()
    assert (result.state, complete.downloads(), complete.backlog()) == (RunState.PAUSED, [], {})
    assert complete.listed("p0") == ["p0-1-py3-none-any.whl", "p0-2-py3-none-any.whl"]
    audit(complete)


def test_what_the_filters_leave_out_goes_at_any_hour(complete: Bench) -> None:
    complete.select(blocked_projects=frozenset({"p7"}), exclude_filename="nothing is called so")
    result = complete.sync()
    assert result.state is RunState.SUCCESS, "no file is needed"
    assert not complete.page_directory("p7").exists()
    assert (complete.downloads(), pages_asked_for(complete)) == ([], set())
    audit(complete)


def test_a_run_without_work_is_none_that_pauses(complete: Bench) -> None:
    result = complete.sync()
    assert (result.state, result.planned, result.reason) == (RunState.SUCCESS, 0, None)


def test_a_dry_run_leaves_the_note_of_a_pause(at_night: MakeBench) -> None:
    made = at_night(scenario=many(3, 1, 200))
    made.sync()
    with made.open() as mirror:
        fetched = fetch_changelog(mirror, made.request())
        partition_projects(mirror, fetched.run_id)
        end_dry_run(mirror, fetched.run_id)
        assert mirror_status(mirror).paused_until == OPENS


def test_now_means_now(at_night: MakeBench) -> None:
    made = at_night(scenario=many(3, 1, 200))
    assert made.sync().state is RunState.PAUSED
    result = made.sync(any_hour=True)
    assert (result.state, result.tally.files_downloaded) == (RunState.SUCCESS, 3)
    assert status(made)["paused_until"] is None
    audit(made)


def test_what_a_person_asks_for_by_name_does_not_wait(at_night: MakeBench) -> None:
    """And says nothing about the rest, which still does."""
    made = at_night(scenario=many(3, 1, 200))
    made.sync()
    result = made.selected("project-00001")
    assert (result.state, result.tally.files_downloaded) == (RunState.SUCCESS, 1)
    assert (status(made)["last_run"], status(made)["paused_until"]) == ("success", f"{OPENS:%FT%TZ}")


def test_a_backfill_does_not_wait(complete: Bench) -> None:
    complete.server.apply(Upload(distribution=Wheel(name="p0", version="3")))
    complete.sync()
    result = complete.sync(kind=RunKind.BACKFILL, interval=(0, 1 << 40))
    assert (result.state, complete.downloads()) == (RunState.SUCCESS, ["p0-3-py3-none-any.whl"])


def test_a_new_failure_is_not_hidden_by_a_pause(at_night: MakeBench) -> None:
    """Not even where its batch was to be tried again, and the window had closed by then."""
    bad = Fault(path="/packages/*/project_00003-*.whl", effect=Corrupt(), times=None)
    made = at_night(scenario=many(10, 1, 200), faults=[bad])
    made.clock.now = EVENING.timestamp()
    request = made.request()
    with made.open() as mirror:
        run = fetch_changelog(mirror, request).run_id
        partition_projects(mirror, run, batch_size=5)
        assert len(download_projects(mirror, run, 0).failures) == 1
    made.clock.now = NEXT_NOON.timestamp()
    with made.open() as mirror:
        assert download_projects(mirror, run, 0).waiting == 0
        assert download_projects(mirror, run, 1).waiting == 5
        assert mirror.ledger.plan.count(run, PlanState.FAILED) == 1
    result = made.sync(request)
    assert (result.state, [failure.project for failure in result.new_failures]) == (
        RunState.FAILED,
        ["project-00003"],
    )
    assert made.cursor is None


def test_a_batch_that_was_stopped_stays_so_while_it_cannot_try_again(at_night: MakeBench) -> None:
    """Cleared at noon, a batch under stop-on-error must not pass over what it was stopped for."""
    bad = Fault(path="/packages/*/project_00003-*.whl", effect=Corrupt(), times=None)
    made = at_night(scenario=many(10, 1, 200), faults=[bad], stop_on_error=True)
    made.clock.now = EVENING.timestamp()
    request = made.request()
    with made.open() as mirror:
        run = fetch_changelog(mirror, request).run_id
        partition_projects(mirror, run, batch_size=5)
        with pytest.raises(RunStopped, match="stop-on-error"):
            download_projects(mirror, run, 0)
    made.clock.now = NEXT_NOON.timestamp()
    with made.open() as mirror:
        with pytest.raises(RunStopped, match="stop-on-error: project-00003 failed before and is not tried"):
            download_projects(mirror, run, 0)
        assert download_projects(mirror, run, 1).waiting == 5, "another batch has no failure of its own"
    made.server.faults.clear()
    made.clock.now = NEXT_NOON.replace(hour=23).timestamp()
    with made.open() as mirror:
        assert download_projects(mirror, run, 0).failures == ()


def test_the_tasks_of_a_paused_run_can_be_run_again_at_night(at_night: MakeBench) -> None:
    """As a person clears them in Airflow."""
    made = at_night(scenario=many(10, 1, 200))
    assert made.sync(batch_size=5).state is RunState.PAUSED
    made.clock.now = EVENING.timestamp()
    with made.open() as mirror:
        run = mirror.ledger.runs.latest()[0].id
        for batch in (0, 1):
            download_projects(mirror, run, batch)
        rebuild_index(mirror, run)
        assert report(mirror, run).state is RunState.SUCCESS
    assert made.cursor == made.server.warehouse.serial
    audit(made)
    compare(made)


def test_the_index_of_a_tree_that_is_taken_over_stays_until_all_is_looked_at(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 1, 200), workers=2)
    made.sync()
    for name in ("ledger.sqlite", "status"):
        (made.settings.directory / name).unlink()
    index = (made.web / "simple/index.v1_json").read_bytes()
    lost = made.pooled("project_00007-1.0-py3-none-any.whl")
    assert lost is not None
    lost.unlink()
    made.change(schedule=NIGHTS)
    made.server.requests.reset()
    made.clock.now = NEXT_NOON.timestamp()
    result = made.sync()
    assert result.state is RunState.PAUSED
    assert result.tally.projects_done == PROJECTS - 1
    assert (made.web / "simple/index.v1_json").read_bytes() == index
    assert len(list((made.web / "simple").glob("*/index.html"))) == PROJECTS
    assert [path.name for path in (made.settings.directory / "state").iterdir()] == ["identity"]
    made.clock.now = NEXT_NOON.replace(hour=23).timestamp()
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == [lost.name]
    audit(made)
    compare(made)


def test_an_index_of_which_nothing_changed_is_not_written_again(complete: Bench) -> None:
    complete.server.apply(Upload(distribution=Wheel(name="p0", version="3")))
    index = complete.web / "simple/index.v1_json"
    before = (index.stat().st_ino, (complete.web / "last-modified").stat().st_ino)
    assert complete.sync().state is RunState.PAUSED
    assert (index.stat().st_ino, (complete.web / "last-modified").stat().st_ino) == before
