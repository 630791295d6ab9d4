"""An upstream that goes away in mid-run ends the run; no project is to blame, and the next run goes on."""

from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pypi_mirror.errors import UpstreamDown
from pypi_mirror.ledger.runs import Run
from pypi_mirror.model import PlanState, RunState
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from tests.runs.audit import audit, audit_served, compare
from tests.runs.bench import PATIENCE, Bench, MakeBench, make_bench
from tests.warehouse import Corrupt, Drop, Fault, Status, Truncate, Upload, Warehouse, Wheel, many, running
from tests.warehouse.faults import AnyEffect

PROJECTS = 40
SWITCHED_OFF: dict[str, AnyEffect] = {
    "503": Status(code=503),
    "429": Status(code=429),
    "403": Status(code=403),
    "lost": Drop(),
}


def off(*, after: int = 0, path: str = "/*", effect: AnyEffect = SWITCHED_OFF["503"]) -> Fault:
    """Everything below ``path`` fails from the request of that number on."""
    return Fault(path=path, effect=effect, skip=after, times=None)


def last_run(made: Bench) -> Run:
    with made.open() as mirror:
        return mirror.ledger.runs.latest()[0]


def is_free(made: Bench) -> bool:
    """Whether nobody has the lease."""
    with made.open() as mirror:
        mirror.ledger.lease.take("somebody else")
        mirror.ledger.lease.release("somebody else")
    return True


def completes(made: Bench) -> None:
    """The next run brings everything, and nothing that was complete a second time."""
    complete = {path.name for path in (made.web / "packages").rglob("*.whl") if path.name[0] != "."}
    made.server.faults.clear()
    made.server.requests.reset()
    result = made.sync()
    assert result.state is RunState.SUCCESS
    assert result.cursor == made.server.warehouse.serial
    assert not complete & set(made.downloads())
    audit(made)
    compare(made)


@pytest.mark.parametrize("effect", SWITCHED_OFF.values(), ids=SWITCHED_OFF)
def test_a_first_sync_into_which_upstream_is_switched_off(bench: MakeBench, effect: AnyEffect) -> None:
    made = bench(scenario=many(PROJECTS, 2, 200), faults=[off(after=120, effect=effect)])
    with pytest.raises(UpstreamDown, match=r"upstream is down: http.*; nothing else was answered"):
        made.sync()
    assert made.backlog() == {}
    assert made.cursor is None
    assert not (made.web / "simple/index.html").exists()
    audit_served(made)
    run = last_run(made)
    assert run.state is RunState.FAILED
    assert run.outcome is not None
    assert (run.outcome.reason or "").startswith("upstream is down: ")
    assert 0 < run.outcome.tally.projects_done < PROJECTS
    assert run.outcome.tally.projects_failed == 0
    assert is_free(made)
    completes(made)


def test_an_incremental_run_into_which_upstream_is_switched_off(bench: MakeBench) -> None:
    made = bench(scenario=many(10, 1, 200))
    made.sync()
    before = made.cursor
    index = (made.web / "simple/index.v1_json").read_bytes()
    names = [f"project-{number:05}" for number in range(6)]
    made.server.apply(*(Upload(distribution=Wheel(name=name, version="9.0")) for name in names))
    made.server.inject(off(after=2, path="/simple/project*"))
    with pytest.raises(UpstreamDown):
        made.sync()
    assert (made.cursor, made.backlog()) == (before, {})
    assert (made.web / "simple/index.v1_json").read_bytes() == index
    audit_served(made)
    completes(made)
    assert all(f"{name.replace('-', '_')}-9.0-py3-none-any.whl" in made.listed(name) for name in names)


def test_a_connection_that_is_refused(tmp_path: Path) -> None:
    with make_bench(tmp_path / "mirror", scenario=many(PROJECTS, 1, 200)) as made:
        with made.open() as mirror:
            run = fetch_changelog(mirror, made.request()).run_id
            partition_projects(mirror, run, batch_size=20)
            download_projects(mirror, run, 0)
            made.server.stop()
            with pytest.raises(UpstreamDown, match=r"(?i)connect"):
                download_projects(mirror, run, 1)
            assert mirror.ledger.plan.count(run, PlanState.PENDING) == PROJECTS // 2
            assert mirror.ledger.plan.count(run, PlanState.FAILED) == 0
        assert made.backlog() == {}
        with running(many(PROJECTS, 1, 200).build(), port=made.server.port) as again:
            # As Airflow tries a task again: the same batch of the same run.
            made.server = again
            with made.open() as mirror:
                assert download_projects(mirror, run, 1).tally.projects_done == PROJECTS // 2
            assert len(made.downloads()) == PROJECTS // 2
            made.sync(clock_step=20)
            audit(made)
            compare(made)


def test_files_that_do_not_come_any_more_while_pages_do(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 1, 200), faults=[off(after=10, path="/packages/*")])
    with pytest.raises(UpstreamDown, match="/packages/"):
        made.sync()
    assert made.backlog() == {}
    completes(made)


def test_files_that_never_came_while_pages_do(bench: MakeBench) -> None:
    """A firewall that lets the index through and not the files: a few projects are asked for, not all."""
    made = bench(scenario=many(300, 1, 200), faults=[off(path="/packages/*")])
    with pytest.raises(UpstreamDown, match=r"almost every project fails, the last one with .*answered 503"):
        made.sync()
    # No project is to blame: they stay planned, and few were asked for.
    assert made.backlog() == {}
    assert len(set(made.downloads())) < 60
    assert made.cursor is None
    # What failed for good waits in the backlog, and does not count again before its time.
    made.server.faults.clear()
    made.sync()
    made.sync(clock_step=60)
    assert made.backlog() == {}
    audit(made)
    compare(made)


def test_an_upstream_that_comes_back_in_time_costs_no_project(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 2, 200), faults=[off(after=50)])
    pauses: list[float] = []

    async def comes_back(seconds: float, /) -> None:
        pauses.append(seconds)
        if seconds > 5:
            made.server.faults.clear()

    made.patience = replace(PATIENCE, first_delay=1.0, longest_delay=60.0, outage_wait=60.0, sleep=comes_back)
    result = made.sync()
    assert max(pauses) > 5, "the outage was longer than the tries of a request"
    assert (result.state, result.backlog) == (RunState.SUCCESS, 0)
    audit(made)
    compare(made)


def test_a_fifth_of_all_requests_failing_is_no_outage(bench: MakeBench) -> None:
    effects = (Status(code=503), Drop(), Corrupt(), Truncate(keep=20))
    faults = [Fault(path="/[sp]*/*", effect=effect, times=None, share=0.05) for effect in effects]
    made = bench(scenario=many(200, 3, 500))
    made.patience = replace(PATIENCE, attempts=8)
    made.server.inject(*faults)
    result = made.sync()
    assert {failure.error for failure in result.new_failures} <= {
        "DigestMismatch",
        "SizeMismatch",
        "CutOff",
    }
    assert result.tally.projects_failed < 20
    made.server.faults.clear()
    made.sync(clock_step=20)
    audit(made)
    compare(made)


def test_one_project_that_fails_alone_is_no_outage(bench: MakeBench) -> None:
    made = bench(scenario=many(5, 1, 200))
    made.sync()
    made.server.apply(Upload(distribution=Wheel(name="bad")))
    made.server.inject(off(path="/packages/*/bad-*"))
    result = made.sync()
    assert [(failure.project, failure.error) for failure in result.new_failures] == [
        ("bad", "UpstreamUnavailable")
    ]
    assert result.cursor == made.server.warehouse.serial
    audit(made)


@pytest.mark.parametrize("path", ["/packages/*/bad-*.whl", "/simple/bad/"])
def test_what_came_wrong_is_asked_for_past_the_caches(bench: MakeBench, path: str) -> None:
    made = bench(Upload(distribution=Wheel(name="bad")), faults=[Fault(path=path, effect=Truncate(keep=20))])
    assert made.sync().state is RunState.SUCCESS
    asked = [
        each.headers.get("cache-control") for each in made.server.requests.of() if fnmatch(each.path, path)
    ]
    assert asked == [None, "no-cache"]


def test_the_stand_in_can_be_switched_off_and_on(tmp_path: Path) -> None:
    with running(Warehouse()) as server:
        port = server.port
    with running(Warehouse(), port=port) as again:
        assert again.url == server.url
