"""What becomes of projects that fail: stop-on-error both ways, the backlog, and what a later run does."""

import json
from pathlib import Path

import pytest

from pypi_mirror.errors import MirrorBusy, MirrorError, RunStopped, UpstreamUnavailable
from pypi_mirror.model import RunState
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    Corrupt,
    Declared,
    Drop,
    Fault,
    Instead,
    RemoveProject,
    StalePage,
    Status,
    Upload,
    Wheel,
)

GOOD = tuple(Upload(distribution=Wheel(name=f"good-{number}")) for number in range(5))
BAD = Upload(distribution=Wheel(name="bad"))
BROKEN = Fault(path="/packages/*/bad-*.whl", effect=Corrupt(), times=None)
ALL_GOOD = [f"good_{number}-1.0-py3-none-any.whl" for number in range(5)]


def broken(bench: MakeBench, **settings: bool) -> Bench:
    return bench(*GOOD, BAD, faults=[BROKEN], **settings)


def test_without_stop_on_error_all_else_is_published_and_the_run_names_the_failure(bench: MakeBench) -> None:
    made = broken(bench)
    result = made.sync()
    assert result.state is RunState.FAILED
    assert result.cursor == made.server.warehouse.serial
    (failure,) = result.new_failures
    assert (failure.project, failure.error) == ("bad", "DigestMismatch")
    assert "sha256" in failure.reason
    assert "bad-1.0-py3-none-any.whl" in failure.reason
    assert list(made.backlog()) == ["bad"]
    assert (result.tally.projects_done, result.tally.projects_failed) == (5, 1)
    assert not made.page_directory("bad").exists()
    audit(made)


def test_a_failure_is_retried_when_it_is_due_and_is_not_new_the_second_time(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.server.requests.reset()
    early = made.sync()
    assert (early.state, early.planned, early.backlog) == (RunState.SUCCESS, 0, 1)
    assert made.downloads() == []
    due = made.sync(clock_step=20)
    assert due.planned == 1
    assert set(made.downloads()) == {"bad-1.0-py3-none-any.whl"}
    assert due.state is RunState.SUCCESS, "a failure that is known already does not fail a run"
    assert [failure.project for failure in due.known_failures] == ["bad"]
    assert due.new_failures == ()
    audit(made)


def test_a_repaired_project_leaves_the_backlog(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.server.faults.clear()
    result = made.sync(clock_step=20)
    assert (result.state, result.backlog) == (RunState.SUCCESS, 0)
    assert made.listed("bad") == ["bad-1.0-py3-none-any.whl"]
    audit(made)
    compare(made)


def test_a_project_that_fails_anew_fails_the_run_again(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.server.faults.clear()
    made.sync(clock_step=20)
    made.server.apply(Upload(distribution=Wheel(name="bad", version="2.0")))
    made.server.inject(BROKEN)
    result = made.sync()
    assert result.state is RunState.FAILED
    assert [failure.project for failure in result.new_failures] == ["bad"]
    # What it had is served still.
    assert made.listed("bad") == ["bad-1.0-py3-none-any.whl"]
    audit(made)


def test_a_failed_project_that_upstream_removes_leaves_the_backlog(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.server.apply(RemoveProject(project="bad"))
    result = made.sync(clock_step=20)
    assert (result.state, result.backlog) == (RunState.SUCCESS, 0)
    audit(made)
    compare(made)


def test_a_failed_project_that_the_filters_leave_out_leaves_the_backlog(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.select(blocked_projects=frozenset({"bad"}))
    result = made.sync(clock_step=20)
    assert (result.state, result.backlog) == (RunState.SUCCESS, 0)
    audit(made)


def test_stop_on_error_publishes_nothing_and_keeps_what_was_downloaded(bench: MakeBench) -> None:
    made = bench(*GOOD, BAD, faults=[Fault(path="/simple/good-4/", effect=Status(code=404), times=None)])
    made.change(stop_on_error=True, workers=1)
    made.server.faults.clear()
    made.server.inject(Fault(path="/packages/*/good_4-*.whl", effect=Corrupt(), times=None))
    with pytest.raises(RunStopped, match=r"stop-on-error: good-4 failed: .*sha256"):
        made.sync()
    assert made.cursor is None
    assert not (made.web / "simple/index.html").exists()
    assert not (made.settings.directory / "status").exists()
    audit(made, published=False)
    with made.open() as mirror:
        (run,) = mirror.ledger.runs.latest()
        assert run.state is RunState.FAILED
        mirror.ledger.lease.take("somebody else")
        mirror.ledger.lease.release("somebody else")
    complete = {each.path for each in made.server.requests.of("file") if "good_4" not in each.path}
    assert complete, "projects before the failing one were downloaded"
    made.server.faults.clear()
    made.server.requests.reset()
    again = made.sync()
    assert again.state is RunState.SUCCESS
    assert not complete & {each.path for each in made.server.requests.of("file")}
    audit(made)
    compare(made)


def test_stop_on_error_in_an_incremental_run_keeps_the_cursor(bench: MakeBench) -> None:
    made = bench(*GOOD, BAD, stop_on_error=True)
    made.sync()
    before = made.cursor
    index = (made.web / "simple/index.v1_json").read_bytes()
    made.server.apply(Upload(distribution=Wheel(name="newcomer")), Upload(distribution=Wheel(name="worse")))
    made.server.inject(Fault(path="/packages/*/worse-*.whl", effect=Corrupt(), times=None))
    for _ in range(2):
        with pytest.raises(RunStopped, match="worse"):
            made.sync()
        assert made.cursor == before
        assert (made.web / "simple/index.v1_json").read_bytes() == index
    audit(made, published=False)
    made.server.faults.clear()
    assert made.sync().cursor == made.server.warehouse.serial
    audit(made)
    compare(made)


def test_a_batch_that_is_told_to_stop_says_so(bench: MakeBench) -> None:
    made = bench(*GOOD)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run)
        with pytest.raises(RunStopped, match="another batch"):
            download_projects(mirror, run, 0, should_stop=lambda: "another batch failed")
    assert made.downloads() == []


def test_unfinished_batches_keep_the_cursor_where_it_is(bench: MakeBench) -> None:
    made = bench(*GOOD)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        first, *_rest = partition_projects(mirror, run, batch_size=2).batches
        download_projects(mirror, run, first.number)
        with pytest.raises(MirrorError, match="3 planned projects were not looked at"):
            rebuild_index(mirror, run)
        assert mirror.ledger.facts.cursor is None
    audit(made, published=False)


def test_a_batch_run_again_tries_what_failed_and_nothing_else(bench: MakeBench) -> None:
    made = broken(bench)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run)
        first = download_projects(mirror, run, 0)
        assert (first.tally.projects_done, first.tally.projects_failed) == (5, 1)
        made.server.faults.clear()
        made.server.requests.reset()
        second = download_projects(mirror, run, 0)
        assert (second.tally.projects_done, second.tally.projects_failed) == (6, 0)
        assert second.failures == ()
        assert made.downloads() == ["bad-1.0-py3-none-any.whl"]


def test_a_second_run_waits_its_turn(bench: MakeBench) -> None:
    made = bench(*GOOD)
    with made.open() as mirror:
        fetch_changelog(mirror, made.request())
    made.server.requests.reset()
    with pytest.raises(MirrorBusy, match=r"in use by run 1 since .* another run can begin at"):
        made.sync()
    assert made.server.requests.count() == 0
    # The run that has it may go on, and one that died is waited out.
    result = made.sync(clock_step=20)
    assert result.state is RunState.SUCCESS
    audit(made)


def test_a_run_that_was_overtaken_may_not_go_on(bench: MakeBench) -> None:
    made = bench(*GOOD)
    with made.open() as mirror:
        overtaken = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, overtaken)
        made.sync(clock_step=20)
        for step in (
            lambda: download_projects(mirror, overtaken, 0),
            lambda: partition_projects(mirror, overtaken),
            lambda: rebuild_index(mirror, overtaken),
        ):
            with pytest.raises(MirrorError, match="run 1 may not write to the mirror: it lost it to run 2"):
                step()
    audit(made)


def test_a_page_that_stays_stale_goes_to_the_backlog_and_not_unnoticed(bench: MakeBench) -> None:
    made = bench(*GOOD, BAD)
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="bad", version="2.0")))
    made.server.inject(Fault(path="/simple/bad/", effect=StalePage(), times=None))
    stale = made.sync()
    assert [failure.error for failure in stale.new_failures] == ["StalePage"]
    assert stale.cursor == made.server.warehouse.serial
    audit(made)
    # Asking for it by name takes what there is, but does not forget what is awaited.
    assert made.selected("bad").backlog == 1
    made.server.faults.clear()
    made.sync(clock_step=60)
    assert made.backlog() == {}
    assert made.listed("bad") == ["bad-1.0-py3-none-any.whl", "bad-2.0-py3-none-any.whl"]
    audit(made)


def test_a_project_that_vanishes_after_it_was_planned_is_not_a_failure(bench: MakeBench) -> None:
    made = bench(*GOOD, BAD)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run)
        made.clock.advance(minutes=61)
        mirror.ledger.lease.renew("run 1")
        made.server.apply(RemoveProject(project="bad"))
        result = download_projects(mirror, run, 0)
        rebuild_index(mirror, run)
    assert result.failures == ()
    assert not made.page_directory("bad").exists()
    assert made.backlog() == {}
    audit(made)


HOSTILE = {
    "page that is no JSON": Instead(body='{"meta": '),
    "page of another project": Instead(body='{"meta":{"api-version":"1.0"},"name":"good-1","files":[]}'),
    "page of another version": Instead(body='{"meta":{"api-version":"2.0"},"name":"bad","files":[]}'),
    "refused": Status(code=403),
    "lost connection": Drop(),
}


@pytest.mark.parametrize("effect", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_page_is_only_its_own_project_fails(
    bench: MakeBench, effect: Status, tmp_path: Path
) -> None:
    made = bench(*GOOD, BAD, faults=[Fault(path="/simple/bad/", effect=effect, times=None)])
    result = made.sync()
    assert [failure.project for failure in result.new_failures] == ["bad"]
    assert made.downloads() == ALL_GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]
    audit(made)


HOSTILE_PARTS = {
    "numbers no ledger holds": Instead(
        body=json.dumps({"meta": {"api-version": "1.1", "_last-serial": 2**70}, "name": "bad", "files": []})
    ),
    "file outside the mirror": Instead(
        body='{"meta":{"api-version":"1.1"},"name":"bad","versions":[],"files":[{"filename":"../../x",'
        '"url":"x","hashes":{"sha256":"' + "0" * 64 + '"},"size":1}]}'
    ),
}


@pytest.mark.parametrize("effect", HOSTILE_PARTS.values(), ids=HOSTILE_PARTS)
def test_a_hostile_part_of_a_page_costs_itself(bench: MakeBench, effect: Instead, tmp_path: Path) -> None:
    made = bench(*GOOD, BAD, faults=[Fault(path="/simple/bad/", effect=effect, times=None)])
    result = made.sync()
    assert (result.state, made.listed("bad")) == (RunState.SUCCESS, [])
    assert [each.project for each in result.refused] == ["bad"]
    assert made.downloads() == ALL_GOOD
    assert [path.name for path in tmp_path.iterdir()] == ["mirror"]
    audit(made)


def test_a_file_that_is_not_what_the_page_says_fails_its_project_alone(bench: MakeBench) -> None:
    lie = Declared(name="bad", version="3.0", filename="bad-3.0.tar.gz", data=b"x" * 100, size=99)
    made = bench(*GOOD, BAD, Upload(distribution=lie))
    result = made.sync()
    assert [failure.error for failure in result.new_failures] == ["SizeMismatch"]
    audit(made)


def test_an_upstream_that_is_away_ends_the_run_before_it_changes_anything(bench: MakeBench) -> None:
    made = bench(*GOOD)
    made.sync()
    before = {path: path.read_bytes() for path in (made.web / "simple").rglob("*") if path.is_file()}
    made.server.inject(Fault(path="/*", effect=Status(code=503), times=None))
    with pytest.raises(UpstreamUnavailable, match="answered 503"):
        made.sync()
    made.server.faults.clear()
    assert before == {path: path.read_bytes() for path in (made.web / "simple").rglob("*") if path.is_file()}
    assert made.sync().state is RunState.SUCCESS
    audit(made)


def test_an_old_copy_of_a_page_does_not_bring_back_what_failed_and_was_removed_then(bench: MakeBench) -> None:
    made = broken(bench)
    made.sync()
    made.server.faults.clear()
    made.server.apply(RemoveProject(project="bad"))
    made.server.inject(Fault(path="/simple/bad/", effect=StalePage(), times=None))
    made.clock.advance(days=1)
    result = made.sync()
    assert [failure.error for failure in result.known_failures] == ["StalePage"]
    assert not made.page_directory("bad").exists(), "it would stay: the cursor is past its removal"
    made.server.faults.clear()
    made.clock.advance(days=2)
    assert made.sync().backlog == 0
    audit(made)
    compare(made)
