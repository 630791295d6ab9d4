"""Projects asked for by name, backfills of an interval, dry runs: none of them moves the cursor."""

import pytest
from msgspec.structs import replace

from pypi_mirror.model import RunKind, RunState
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import end_dry_run
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Fault, RemoveProject, Status, Upload, Wheel, Yank, small


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(scenario=small())
    made.clock.now = made.server.warehouse.now.timestamp() + 60
    made.sync()
    return made


def damage(made: Bench, filename: str) -> bytes:
    """Other bytes of the same size; returns the right ones."""
    path = made.pooled(filename)
    assert path is not None
    content = path.read_bytes()
    path.write_bytes(b"\0" * len(content))
    return content


def test_a_selected_project_is_verified_and_the_cursor_stays(synced: Bench) -> None:
    right = damage(synced, "alpha-1.0-py3-none-any.whl")
    before = synced.cursor
    synced.server.apply(
        Upload(distribution=Wheel(name="alpha", version="2.0")), Upload(distribution=Wheel(name="elsewhere"))
    )
    synced.server.requests.reset()
    result = synced.selected("alpha")
    assert result.state is RunState.SUCCESS
    assert synced.downloads() == ["alpha-1.0-py3-none-any.whl", "alpha-2.0-py3-none-any.whl"]
    assert set(synced.server.requests.counts) <= {"page", "file", "metadata"}
    assert synced.cursor == before
    path = synced.pooled("alpha-1.0-py3-none-any.whl")
    assert path is not None
    assert path.read_bytes() == right
    audit(synced)
    assert synced.sync().cursor == synced.server.warehouse.serial
    audit(synced)
    compare(synced)


def test_a_selected_project_before_any_sync(bench: MakeBench) -> None:
    made = bench(scenario=small())
    result = made.selected("alpha", "old")
    assert (result.state, result.planned, result.cursor) == (RunState.SUCCESS, 2, None)
    assert made.listed("alpha") == ["alpha-1.0-py3-none-any.whl", "alpha-1.0.tar.gz"]
    audit(made)
    made.server.requests.reset()
    made.sync()
    assert "alpha-1.0.tar.gz" not in made.downloads()
    audit(made)
    compare(made)


def test_a_selected_project_that_upstream_does_not_have(synced: Bench) -> None:
    result = synced.selected("no-such-project", "alpha")
    assert (result.state, result.absent) == (RunState.FAILED, ("no-such-project",))
    assert result.reason == "upstream has no project no-such-project"
    assert result.tally.projects_removed == 0
    assert not synced.page_directory("no-such-project").exists()
    assert synced.sync().state is RunState.SUCCESS
    audit(synced)


def test_a_selected_project_that_upstream_has_removed(synced: Bench) -> None:
    synced.server.apply(RemoveProject(project="old"))
    result = synced.selected("old")
    assert (result.tally.projects_removed, result.state, result.absent) == (1, RunState.SUCCESS, ())
    assert not synced.page_directory("old").exists()
    audit(synced)


def test_a_selected_project_that_fails_is_put_on_the_backlog(synced: Bench) -> None:
    path = synced.pooled("old-1.0-py3-none-any.whl")
    assert path is not None
    path.write_bytes(b"damaged")
    synced.server.inject(Fault(path="/packages/*/old-1.0-*", effect=Status(code=403), times=None))
    result = synced.selected("old")
    assert [failure.project for failure in result.new_failures] == ["old"]
    assert list(synced.backlog()) == ["old"]
    again = synced.selected("old")
    assert (again.new_failures, again.state, again.reason) == ((), RunState.FAILED, "old failed")
    synced.server.faults.clear()
    assert synced.sync(clock_step=60).backlog == 0
    audit(synced)


def test_a_backfill_mends_what_changed_in_its_interval_and_nothing_else(synced: Bench) -> None:
    start = int(synced.server.warehouse.now.timestamp()) + 100
    synced.clock.now = float(start + 200)
    warehouse = synced.server.warehouse
    warehouse.now = warehouse.now.fromtimestamp(start + 10, tz=warehouse.now.tzinfo)
    synced.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    warehouse.now = warehouse.now.fromtimestamp(start + 1000, tz=warehouse.now.tzinfo)
    synced.server.apply(Yank(project="old", version="1.0"))
    synced.clock.now = float(start + 2000)
    synced.sync()
    before = synced.cursor
    right = damage(synced, "alpha-2.0-py3-none-any.whl")
    damage(synced, "old-1.0-py3-none-any.whl")
    synced.server.requests.reset()
    result = synced.sync(kind=RunKind.BACKFILL, interval=(start, start + 500))
    assert (result.state, result.planned) == (RunState.SUCCESS, 1)
    assert synced.downloads() == ["alpha-2.0-py3-none-any.whl"]
    assert synced.cursor == before
    path = synced.pooled("alpha-2.0-py3-none-any.whl")
    assert path is not None
    assert path.read_bytes() == right
    # Events are known of the second sync alone; upload times tell what the first one brought.
    end = start + 500
    assert synced.sync(kind=RunKind.BACKFILL, interval=(0, end)).planned > 1
    assert synced.sync(kind=RunKind.BACKFILL, interval=(0, end), projects=("alpha",)).planned == 1
    assert synced.sync(kind=RunKind.BACKFILL, interval=(start + 500, start + 1500)).planned == 1
    assert synced.cursor == before
    audit(synced)
    compare(synced)


def test_a_backfill_of_an_interval_without_changes_does_nothing(synced: Bench) -> None:
    synced.server.requests.reset()
    result = synced.sync(kind=RunKind.BACKFILL, interval=(0, 1000))
    assert (result.state, result.planned) == (RunState.SUCCESS, 0)
    assert set(synced.server.requests.counts) == {"xmlrpc", "index"}, "upstream is asked, and no project"
    audit(synced)


def test_a_dry_run_leaves_no_trace(synced: Bench) -> None:
    synced.server.apply(Upload(distribution=Wheel(name="newcomer")), RemoveProject(project="old"))

    def state() -> object:
        files = {
            path: (path.stat().st_ino, path.read_bytes())
            for path in synced.settings.directory.rglob("*")
            if path.is_file() and not path.name.startswith("ledger.sqlite")
        }
        with synced.open() as mirror:
            # That upstream has more by now has been seen, whoever looked; others use the disk.
            status = replace(mirror_status(mirror), upstream_serial=None, lag_seconds=None, disk_free=None)
            return files, status, mirror.ledger.runs.latest(10), mirror.ledger.facts.cursor

    before = state()
    for recheck in (False, True):
        request = synced.request(recheck=recheck)
        with synced.open() as mirror:
            run = fetch_changelog(mirror, request).run_id
            partition = partition_projects(mirror, run)
            planned = {row.project: row.reason for row in mirror.ledger.plan.projects(run)}
            end_dry_run(mirror, run)
            assert list(mirror.ledger.plan.projects(run)) == []
        assert {"newcomer", "old"} <= set(planned)
        assert partition.projects == len(planned)
        assert state() == before
    result = synced.sync()
    assert (result.source, result.planned) == ("changelog", 2)
    audit(synced)
    compare(synced)
