"""Backfills: an interval is synced and verified again, whatever the mirror knew of it; the cursor stays."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.errors import ApprovalRequired, MirrorBusy
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.planning.removals import waiting_for_approval
from pypi_mirror.planning.to_do import left
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import Report
from pypi_mirror.settings.values import RemovalGuard, Schedule
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import AddRole, RemoveProject, Upload, Wheel, Yank
from tests.warehouse.behaviour import PYPI, SERIAL_LESS, STATIC, Behaviour

DAY = 24 * 3600
MONDAY = int(datetime(2031, 3, 3, tzinfo=UTC).timestamp())


def at(day: float) -> datetime:
    """So many days after Monday's midnight."""
    return datetime.fromtimestamp(MONDAY + day * DAY, UTC)


def day(number: int) -> tuple[int, int]:
    return MONDAY + number * DAY, MONDAY + (number + 1) * DAY


def uploads(name: str, version: str, when: float) -> Upload:
    return Upload(distribution=Wheel(name=name, version=version), at=at(when))


HISTORY = (
    uploads("quiet", "1", 0.1),
    uploads("monday", "1", 0.5),
    uploads("tuesday", "1", 1.5),
    uploads("wednesday", "1", 2.5),
)


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    """A mirror whose first sync was on Thursday: the ledger has no event of the days before."""
    made = bench(*HISTORY, guard=RemovalGuard(max_percent=100))
    made.clock.now = at(3.5).timestamp()
    made.sync()
    made.server.requests.reset()
    return made


def backfill(made: Bench, interval: tuple[int, int], **changes: Any) -> Report:
    return made.sync(kind=RunKind.BACKFILL, interval=interval, **changes)


def damage(made: Bench, filename: str) -> None:
    path = made.pooled(filename)
    assert path is not None
    path.write_bytes(b"\0" * path.stat().st_size)


def asked_for(made: Bench) -> set[str]:
    return {each.path.split("/")[2] for each in made.server.requests.of("page")}


def tree(made: Bench) -> dict[Path, tuple[int, int]]:
    """Which file is where: one that is written again has another inode."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in made.web.rglob("*")
        if path.is_file() and path.name not in ("mirror.json", "metrics", "last-modified", "index.html.gz")
    }


def test_three_days_one_after_the_other(synced: Bench) -> None:
    before = synced.cursor
    for name in ("monday", "tuesday", "wednesday"):
        damage(synced, f"{name}-1-py3-none-any.whl")
    for number, name in enumerate(("monday", "tuesday", "wednesday")):
        synced.server.requests.reset()
        result = backfill(synced, day(number))
        assert (result.state, result.cursor) == (RunState.SUCCESS, before)
        assert synced.downloads() == [f"{name}-1-py3-none-any.whl"]
        assert name in asked_for(synced)
    audit(synced)
    compare(synced)
    assert synced.sync().planned == 0


def test_the_second_time_nothing_is_left_to_do(synced: Bench) -> None:
    damage(synced, "monday-1-py3-none-any.whl")
    assert backfill(synced, day(0)).tally.files_downloaded == 1
    before, fact = tree(synced), synced.fact("index_serial")
    synced.server.requests.reset()
    result = backfill(synced, day(0))
    assert (result.planned, result.tally.files_downloaded, synced.downloads()) == (2, 0, [])
    assert tree(synced) == before
    assert synced.fact("index_serial") == fact


def test_events_from_before_the_mirrors_time_count(synced: Bench) -> None:
    """A yank leaves no file behind that says when it was; upstream's changelog does."""
    synced.server.apply(Yank(project="monday", version="1", reason="broken", at=at(3.6)))
    synced.clock.now = at(3.8).timestamp()
    synced.sync()
    with synced.open() as mirror:
        mirror.ledger.events.forget_before(int(at(9).timestamp()))
        assert list(mirror.ledger.events.during(*day(3))) == []
    synced.server.requests.reset()
    assert backfill(synced, day(3)).planned == 1
    assert asked_for(synced) == {"monday"}
    with synced.open() as mirror:
        assert [event.action for event in mirror.ledger.events.during(*day(3))] == ["yank release"]


def test_who_may_write_to_a_project_is_no_change_of_it(synced: Bench) -> None:
    synced.server.apply(AddRole(project="monday", user="bob", at=at(3.6)))
    synced.clock.now = at(4.5).timestamp()
    synced.sync()
    damage(synced, "monday-1-py3-none-any.whl")
    synced.server.requests.reset()
    assert backfill(synced, day(3)).state is RunState.SUCCESS
    assert synced.downloads() == [], "its files were not read"


@pytest.mark.parametrize("behaviour", [PYPI, STATIC], ids=["changelog", "static"])
def test_what_differs_from_upstream_is_synced(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(*HISTORY, behaviour=behaviour, guard=RemovalGuard(max_percent=100))
    made.clock.now = at(3.5).timestamp()
    made.sync()
    before = made.cursor
    made.server.apply(
        uploads("monday", "2", 3.6),
        uploads("newcomer", "1", 3.7),
        RemoveProject(project="tuesday", at=at(3.8)),
    )
    made.clock.now = at(4).timestamp()
    made.server.requests.reset()
    result = backfill(made, (0, 1000))
    assert (result.state, result.planned, result.cursor) == (RunState.SUCCESS, 3, before)
    assert made.downloads() == ["monday-2-py3-none-any.whl", "newcomer-1-py3-none-any.whl"]
    assert not made.page_directory("tuesday").exists()
    audit(made)
    compare(made)
    made.server.requests.reset()
    assert made.sync().cursor == made.server.warehouse.serial
    assert made.downloads() == []
    compare(made)


def test_an_unchanged_index_is_not_sent_again(bench: MakeBench) -> None:
    made = bench(*HISTORY, behaviour=STATIC)
    made.clock.now = at(3.5).timestamp()
    made.sync()
    damage(made, "tuesday-1-py3-none-any.whl")
    made.server.requests.reset()
    result = backfill(made, day(1))
    assert (result.planned, made.downloads()) == (1, ["tuesday-1-py3-none-any.whl"])
    assert [each.status for each in made.server.requests.of("index")] == [304]
    audit(made)


def test_an_upstream_without_serials(bench: MakeBench) -> None:
    made = bench(*HISTORY, behaviour=SERIAL_LESS)
    made.clock.now = at(3.5).timestamp()
    made.sync()
    damage(made, "tuesday-1-py3-none-any.whl")
    made.server.requests.reset()
    assert backfill(made, day(1)).planned == 1
    assert made.downloads() == ["tuesday-1-py3-none-any.whl"]
    audit(made)
    compare(made)


def test_an_interval_to_come_asks_nobody(synced: Bench) -> None:
    result = backfill(synced, day(30))
    assert (result.state, result.planned, synced.server.requests.count()) == (RunState.SUCCESS, 0, 0)


def test_an_interval_that_is_not_over(synced: Bench) -> None:
    synced.server.apply(uploads("today", "1", 4.2))
    synced.clock.now = at(4.5).timestamp()
    assert backfill(synced, day(4)).planned == 1
    assert synced.listed("today") == ["today-1-py3-none-any.whl"]


def test_before_the_first_sync(bench: MakeBench) -> None:
    """What changed then is brought; what the first sync has not got to is not its business."""
    made = bench(*HISTORY)
    made.clock.now = at(3.5).timestamp()
    result = backfill(made, day(1))
    assert (result.state, result.planned, result.cursor) == (RunState.SUCCESS, 1, None)
    assert made.listed("tuesday") == ["tuesday-1-py3-none-any.whl"]
    audit(made)
    made.server.requests.reset()
    assert made.sync().cursor == made.server.warehouse.serial
    assert "tuesday-1-py3-none-any.whl" not in made.downloads()
    compare(made)


def test_within_a_first_sync_in_parts(bench: MakeBench) -> None:
    made = bench(*HISTORY, schedule=Schedule(projects_per_run=1))
    made.clock.now = at(3.5).timestamp()
    assert made.sync().state is RunState.PAUSED
    assert backfill(made, day(2)).planned == 1
    with made.open() as mirror:
        assert left(mirror) is not None, "the rest of the sync still waits"
    results = [made.sync(), made.sync()]
    assert [result.planned for result in results] == [1, 1], "the one of the backfill is done"
    assert results[-1].cursor == made.server.warehouse.serial
    compare(made)


def test_filters_are_heeded(synced: Bench) -> None:
    synced.select(blocked_projects=frozenset({"monday"}))
    synced.server.requests.reset()
    assert backfill(synced, (MONDAY, MONDAY + 3 * DAY)).planned == 3
    assert asked_for(synced) == {"tuesday", "wednesday", "quiet"}
    assert synced.page_directory("monday").exists(), "what new filters leave out is the next sync's business"


def test_named_projects_alone(synced: Bench) -> None:
    assert backfill(synced, (MONDAY, MONDAY + 3 * DAY), projects=("tuesday", "wednesday")).planned == 2
    assert asked_for(synced) == {"tuesday", "wednesday"}


def test_removals_in_the_interval_pass_the_guard(synced: Bench) -> None:
    """They are announced by events; a backfill may not take that for an approval."""
    synced.server.apply(
        RemoveProject(project="monday", at=at(3.6)), RemoveProject(project="tuesday", at=at(3.7))
    )
    synced.change(guard=RemovalGuard(max_percent=10, always_allowed=0))
    synced.clock.now = at(4.5).timestamp()
    with pytest.raises(ApprovalRequired, match="2 projects"):
        synced.sync()
    with synced.open() as mirror:
        waiting = waiting_for_approval(mirror)
    assert waiting is not None
    with pytest.raises(ApprovalRequired, match="2 projects"):
        backfill(synced, day(3))
    assert {"monday", "tuesday"} <= {path.name for path in (synced.web / "simple").iterdir()}
    synced.selected("quiet")
    with synced.open() as mirror:
        assert waiting_for_approval(mirror) == waiting, "neither has done what the sync waits for"
        assert [each.project for each in mirror.ledger.plan.losing(waiting.run_id)] == ["monday", "tuesday"]
    assert synced.sync(approved=waiting.plan).tally.projects_removed == 2
    with synced.open() as mirror:
        assert waiting_for_approval(mirror) is None
    audit(synced)
    compare(synced)


def test_one_run_at_a_time(synced: Bench) -> None:
    request = synced.request(kind=RunKind.BACKFILL, interval=day(0))
    with synced.open() as mirror:
        partition_projects(mirror, fetch_changelog(mirror, request).run_id)
        for other in (synced.request(kind=RunKind.BACKFILL, interval=day(1)), synced.request()):
            with pytest.raises(MirrorBusy):
                fetch_changelog(mirror, other)
