"""[schedule] projects-per-run and gigabytes-per-run: a first sync in parts, each of which is published."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypi_mirror.errors import RunStopped
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.planning.to_do import Left, left
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, end_dry_run, fail_run, report
from pypi_mirror.settings.values import RemovalGuard, Schedule
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench, make_bench
from tests.warehouse import (
    SERIAL_LESS,
    STATIC,
    Corrupt,
    Fault,
    Quarantine,
    RemoveProject,
    Upload,
    Wheel,
    many,
)

PROJECTS = 40
FIVE_HUNDRED_BYTES = 500 / 1e9


def bounded(**options: Any) -> Schedule:
    return Schedule(**options)


def pages_asked_for(made: Bench) -> list[str]:
    return sorted(each.path.split("/")[2] for each in made.server.requests.of("page"))


def what_is_left(made: Bench) -> Left | None:
    with made.open() as mirror:
        return left(mirror)


def held(made: Bench) -> set[str]:
    with made.open() as mirror:
        return {entry.project for entry in mirror.ledger.projects.listed()}


def to_the_end(made: Bench, *, most: int = 50, **options: Any) -> list[Report]:
    """Runs until one is not paused."""
    results = [made.sync(**options)]
    while results[-1].state is RunState.PAUSED and len(results) < most:
        results.append(made.sync(**options))
    return results


def test_a_first_sync_in_four_parts(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 2, 200), schedule=bounded(projects_per_run=12))
    first = made.sync(batch_size=5)
    assert (first.state, first.planned, first.tally.projects_done) == (RunState.PAUSED, 12, 12)
    assert first.left is not None
    assert (first.left.projects, first.left.runs) == (28, 3)
    assert first.left.bytes == round(28 * first.tally.bytes_downloaded / 12)
    assert first.reason is not None
    assert first.reason.startswith(
        "paused by [schedule] projects-per-run: 12 of 40 projects done; 28 projects left"
    )
    assert first.reason.endswith("3 more runs)")
    assert len(held(made)) == 12, "what is done is published"
    audit(made)
    made.server.requests.reset()
    results = to_the_end(made, batch_size=5)
    assert [result.tally.projects_done for result in results] == [12, 12, 4]
    assert [result.left and result.left.projects for result in results] == [16, 4, None]
    assert [result.cursor for result in results] == [None, None, made.server.warehouse.serial]
    assert (results[-1].state, results[-1].reason) == (RunState.SUCCESS, None)
    assert len(pages_asked_for(made)) == len(set(pages_asked_for(made))) == 28, "nothing is done twice"
    assert made.server.requests.count("index") == 0, "nor compared twice"
    assert what_is_left(made) is None
    audit(made)
    compare(made)
    assert made.sync().planned == 0


def test_what_the_list_names_comes_first_in_its_order(bench: MakeBench) -> None:
    first = ("project-00031", "no-such-project", "project-00007", "project-00022", "project-00030")
    made = bench(scenario=many(PROJECTS, 1, 200), schedule=bounded(projects_per_run=3, first=first))
    made.sync()
    assert held(made) == {"project-00031", "project-00007", "project-00022"}
    made.sync()
    assert held(made) >= {"project-00030", "project-00000", "project-00001"}
    assert len(held(made)) == 6
    made.change(schedule=bounded(first=first))
    made.sync()
    compare(made)


def test_a_run_without_bounds_begins_with_the_list(bench: MakeBench) -> None:
    made = bench(
        scenario=many(PROJECTS, 1, 200), schedule=bounded(first=("project-00031", "project-00007")), workers=1
    )
    assert made.sync().state is RunState.SUCCESS
    asked = [each.path.split("/")[2] for each in made.server.requests.of("page")]
    assert set(asked[:2]) == {"project-00031", "project-00007"}


def test_gigabytes_bound_a_run_over_all_its_batches(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 1, 20_000), schedule=bounded(gigabytes_per_run=0.0001), workers=2)
    results = to_the_end(made, batch_size=4)
    sizes = [result.tally.bytes_downloaded for result in results]
    whole = sum(sizes)
    assert all(20_000 < size < 200_000 for size in sizes[:-1]), "about 100,000 bytes, and what was on its way"
    assert len(results) >= whole // 200_000
    assert results[0].reason is not None
    assert results[0].reason.startswith("paused by [schedule] gigabytes-per-run: ")
    assert results[0].left is not None
    assert results[0].left.runs is not None
    assert results[-1].cursor == made.server.warehouse.serial
    assert {result.cursor for result in results[:-1]} == {None}
    assert len(made.downloads()) == len(set(made.downloads()))
    audit(made)
    compare(made)


@pytest.fixture
def half(bench: MakeBench) -> Bench:
    """Forty projects, of which the first twenty are in the mirror."""
    made = bench(
        scenario=many(PROJECTS, 1, 200),
        schedule=bounded(projects_per_run=20),
        guard=RemovalGuard(max_percent=100),
    )
    made.sync(batch_size=5)
    made.server.requests.reset()
    return made


def test_what_upstream_withdraws_or_changes_does_not_wait_for_its_turn(half: Bench) -> None:
    half.change(schedule=bounded(projects_per_run=1))
    half.server.apply(
        RemoveProject(project="project-00003"),
        Quarantine(project="project-00004"),
        Upload(distribution=Wheel(name="project-00005", version="99")),
        Upload(distribution=Wheel(name="aaa")),
        RemoveProject(project="project-00035"),
    )
    result = half.sync(batch_size=5)
    assert (result.state, result.planned, result.tally.projects_removed) == (RunState.PAUSED, 5, 1)
    assert half.server.requests.count("page") == 5, "the one that was never here is asked for once, too"
    assert "project-00003" not in held(half)
    assert half.listed("project-00004") == []
    assert any("99" in name for name in half.listed("project-00005"))
    assert "aaa" in held(half), "the one that had its turn"
    assert result.cursor is None
    half.change(schedule=bounded())
    assert half.sync().cursor == half.server.warehouse.serial
    audit(half)
    compare(half)


def test_urgent_bytes_do_not_count(half: Bench) -> None:
    """Or a mirror whose projects change much would never get through its first sync."""
    half.change(schedule=bounded(gigabytes_per_run=0.000001))
    half.server.apply(
        *(Upload(distribution=Wheel(name=f"project-{n:05}", version="9", size=9000)) for n in range(20))
    )
    result = half.sync(batch_size=5)
    assert (result.state, result.tally.projects_done > 20) == (RunState.PAUSED, True)


def test_all_means_all(half: Bench) -> None:
    result = half.sync(unbounded=True)
    assert (result.state, result.planned, result.left) == (RunState.SUCCESS, 20, None)
    assert half.server.requests.count("page") == 20
    compare(half)


def test_without_a_bound_the_pages_of_what_was_left_are_read_before_the_plan(half: Bench) -> None:
    """Or nobody would weigh what they lose, and the plan would not know their files."""
    with half.open() as mirror:
        run_id = fetch_changelog(mirror, half.request(unbounded=True)).run_id
        assert list_projects(mirror, run_id) == 20
        partition = partition_projects(mirror, run_id, listed=True)
        assert (partition.projects, partition.left) == (20, 0)
        assert mirror.ledger.plan.totals(run_id).files == 20
        end_dry_run(mirror, run_id)


def test_named_projects_in_between_are_not_synced_again(half: Bench) -> None:
    assert half.selected("project-00030", "project-00001").state is RunState.SUCCESS
    left_ = what_is_left(half)
    assert left_ is not None
    assert left_.projects == 19, "what another run has done is not left"
    half.server.requests.reset()
    result = half.sync()
    assert (result.state, result.planned) == (RunState.SUCCESS, 19)
    assert "project-00030" not in pages_asked_for(half)
    compare(half)


def test_the_guard_weighs_the_whole_plan_and_is_asked_once(half: Bench) -> None:
    half.change(guard=RemovalGuard(max_percent=10, always_allowed=0), schedule=bounded())
    half.sync()
    # Half of the pages, in every part of the alphabet, lose their only file.
    half.change(schedule=bounded(projects_per_run=15))
    half.select(exclude_filename=r"project_000\d[0-4].*")
    with half.open() as mirror:
        assert left(mirror) is None
    with pytest.raises(Exception, match="20 files") as held_back:
        half.sync()
    assert half.server.requests.count("page") == 20
    plan: str = held_back.value.plan  # type: ignore[attr-defined]
    results = [half.sync(approved=plan), half.sync(), half.sync()]
    assert [result.state for result in results] == [RunState.PAUSED, RunState.PAUSED, RunState.SUCCESS]
    audit(half)
    compare(half)


def test_a_run_that_is_run_again_needs_approval_of_what_it_has_heard_of_since(half: Bench) -> None:
    half.change(schedule=bounded(projects_per_run=1), guard=RemovalGuard(max_percent=10, always_allowed=0))
    half.server.apply(*(RemoveProject(project=f"project-{n:05}") for n in range(5)))
    request = half.request()
    half.clock.advance(minutes=1)
    with half.open() as mirror:
        run_id = fetch_changelog(mirror, request).run_id
        first = partition_projects(mirror, run_id).weighed
        assert approve_removals(mirror, run_id, approved=first.plan).approved
        assert partition_projects(mirror, run_id).weighed.approved, "the same plan has it still"
        fail_run(mirror, request.label, "killed")
    half.server.apply(*(RemoveProject(project=f"project-{n:05}") for n in range(5, 15)))
    half.clock.advance(minutes=1)
    with half.open() as mirror:
        assert fetch_changelog(mirror, request).run_id == run_id
        again = partition_projects(mirror, run_id).weighed
        assert (again.projects, again.approved, bool(again.exceeded)) == (15, False, True)
        fail_run(mirror, request.label, "held")


def test_a_bound_holds_for_other_filters_too(half: Bench) -> None:
    half.change(schedule=bounded())
    half.sync()
    half.change(schedule=bounded(projects_per_run=15))
    half.select(exclude_filename="nothing is called so", blocked_projects=frozenset({"project-00039"}))
    half.server.requests.reset()
    cursor = half.cursor
    results = to_the_end(half)
    assert [result.planned for result in results] == [16, 15, 9], "with the removal, which is no part of it"
    assert [result.cursor == cursor for result in results] == [True] * 3
    assert half.server.requests.count("index") == 1
    assert pages_asked_for(half) == []
    assert half.fact("selection") is not None
    compare(half)
    assert half.sync().planned == 0


def test_filters_that_change_on_the_way(half: Bench) -> None:
    half.select(exclude_filename="nothing is called so")
    results = to_the_end(half)
    assert [result.planned for result in results] == [20, 20], "the twenty that are there are made again"
    audit(half)
    compare(half)


def test_pages_made_under_other_filters_are_made_again_once_those_are_set_back(half: Bench) -> None:
    """By a run for a named project, and by one of all that dies: no event, no rest names the projects."""
    original = half.settings
    half.select(exclude_filename="whl")
    half.selected("project-00003")
    assert half.page("project-00003")["files"] == []
    half.settings = original
    assert [result.planned for result in to_the_end(half)] == [20, 1]
    half.select(exclude_filename="whl")
    half.change(schedule=bounded())
    with half.open() as mirror:
        run = fetch_changelog(mirror, half.request()).run_id
        partition_projects(mirror, run, batch_size=5)
        approve_removals(mirror, run)
        download_projects(mirror, run, 0)
    half.settings = original
    half.clock.advance(days=1)
    assert [result.planned for result in to_the_end(half)] == [5]
    audit(half)
    compare(half)


def test_filters_changed_for_a_moment_of_a_bounded_run(half: Bench) -> None:
    """A batch saw the edited file, the steps before and after it did not."""
    half.change(schedule=bounded(projects_per_run=10))
    original = half.settings
    with half.open() as mirror:
        run = fetch_changelog(mirror, half.request()).run_id
        partition_projects(mirror, run)
        approve_removals(mirror, run)
    half.select(exclude_filename="whl")
    with half.open() as mirror:
        download_projects(mirror, run, 0)
    half.settings = original
    with half.open() as mirror:
        rebuild_index(mirror, run)
        assert report(mirror, run).state is RunState.PAUSED
    to_the_end(half)
    audit(half)
    compare(half)


def test_a_recheck_in_parts(half: Bench) -> None:
    half.change(schedule=bounded())
    half.sync()
    half.change(schedule=bounded(projects_per_run=15))
    half.server.requests.reset()
    results = [half.sync(recheck=True), half.sync(), half.sync(), half.sync()]
    assert [result.planned for result in results] == [15, 15, 10, 0]
    assert len(pages_asked_for(half)) == len(set(pages_asked_for(half))) == PROJECTS


def test_a_dry_run_leaves_the_rest_as_it_is(half: Bench) -> None:
    before = what_is_left(half)
    half.server.apply(Upload(distribution=Wheel(name="late")))
    with half.open() as mirror:
        run = fetch_changelog(mirror, half.request()).run_id
        partition = partition_projects(mirror, run)
        assert (partition.projects, partition.left, before is not None) == (20, 1, True)
        end_dry_run(mirror, run)
    assert what_is_left(half) == before
    assert [each.planned for each in to_the_end(half)] == [20, 1]
    compare(half)


@pytest.mark.parametrize("moment", ["a group", "the end"])
def test_a_crash_in_the_middle_of_a_bounded_run(
    half: Bench, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What its batches had recorded is done; the next run goes on with what they had not."""
    half.change(schedule=bounded(projects_per_run=12))
    with monkeypatch.context() as patched:
        patched.setattr("tests.runs.bench.fail_run", lambda *_: None)
        if moment == "the end":
            patched.setattr("tests.runs.bench.rebuild_index", cut_off)
        else:
            patched.setattr("tests.runs.bench.download_projects", only_the_first_batch)
        with pytest.raises(PowerCut):
            half.sync(batch_size=6)
    done = {"a group": 6, "the end": 12}[moment]
    left_ = what_is_left(half)
    assert left_ is not None
    assert left_.projects == 20 - done
    half.clock.advance(days=1)
    results = to_the_end(half, batch_size=6)
    assert sum(result.tally.projects_done for result in results) == 20 - done
    assert len(pages_asked_for(half)) == len(set(pages_asked_for(half))) == 20, "nothing is done twice"
    assert half.server.requests.count("index") == 0
    audit(half)
    compare(half)


def test_a_crash_in_the_first_run_of_all(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench(scenario=many(PROJECTS, 1, 200), schedule=bounded(projects_per_run=30))
    with monkeypatch.context() as patched:
        patched.setattr("tests.runs.bench.fail_run", lambda *_: None)
        patched.setattr("tests.runs.bench.download_projects", only_the_first_batch)
        with pytest.raises(PowerCut):
            made.sync(batch_size=10)
    made.clock.advance(days=1)
    assert to_the_end(made)[-1].cursor == made.server.warehouse.serial
    assert made.server.requests.count("index") == 1, "its plan is still there"
    assert len(pages_asked_for(made)) == len(set(pages_asked_for(made))) == PROJECTS
    audit(made)
    compare(made)


class PowerCut(BaseException):
    """Nothing after it is done, not even the end of the run."""


def cut_off(*_: object) -> None:
    raise PowerCut


def only_the_first_batch(mirror: Mirror, run_id: int, batch: int) -> None:
    if batch:
        raise PowerCut
    download_projects(mirror, run_id, batch)


def test_a_task_that_is_run_again_keeps_the_rest(half: Bench) -> None:
    """A person clears partition_projects of a run that goes on with another one's rest."""
    half.change(schedule=bounded(projects_per_run=5))
    half.server.apply(Upload(distribution=Wheel(name="late")))
    with half.open() as mirror:
        half.clock.advance(minutes=1)
        run = fetch_changelog(mirror, half.request()).run_id
        for _ in range(2):
            partition = partition_projects(mirror, run)
            assert (partition.projects, partition.left) == (5, 16)
            approve_removals(mirror, run)
        for batch in partition.batches:
            download_projects(mirror, run, batch.number)
        rebuild_index(mirror, run)
        assert report(mirror, run).state is RunState.PAUSED
    half.change(schedule=bounded())
    assert half.sync().planned == 16
    compare(half)


@pytest.mark.parametrize("stop_on_error", [True, False])
def test_a_project_that_fails_does_not_hold_up_the_rest(half: Bench, *, stop_on_error: bool) -> None:
    half.change(stop_on_error=stop_on_error, schedule=bounded(projects_per_run=10))
    half.server.inject(Fault(path="/packages/*/project_00022-*.whl", effect=Corrupt(), times=None))
    if stop_on_error:
        for _ in range(2):
            with pytest.raises(RunStopped):
                half.sync(clock_step=1)
        assert half.cursor is None, "it comes again with every run, and stops each"
        half.server.faults.clear()
        results = to_the_end(half)
    else:
        results = [half.sync(), half.sync()]
        assert [result.state for result in results] == [RunState.FAILED, RunState.SUCCESS]
        assert list(half.backlog()) == ["project-00022"]
        half.server.faults.clear()
        half.sync(clock_step=60)
    assert results[-1].cursor == half.server.warehouse.serial
    assert half.backlog() == {}
    audit(half)
    compare(half)


def test_an_upstream_without_a_changelog_in_parts(bench: MakeBench) -> None:
    """Its root index is compared again only when it changed."""
    made = bench(scenario=many(PROJECTS, 1, 200), behaviour=STATIC, schedule=bounded(projects_per_run=15))
    made.sync()
    assert made.sync().left is not None
    assert [each.status for each in made.server.requests.of("index")] == [200, 304]
    made.server.apply(RemoveProject(project="project-00039"), Upload(distribution=Wheel(name="late")))
    result = made.sync()
    assert (result.state, result.cursor) == (RunState.SUCCESS, made.server.warehouse.serial)
    assert len(pages_asked_for(made)) == len(set(pages_asked_for(made))) == PROJECTS
    audit(made)
    compare(made)


def test_an_upstream_without_serials_in_parts(bench: MakeBench) -> None:
    """Every project has to be asked for in each chain of runs, and in each once."""
    made = bench(scenario=many(10, 1, 200), behaviour=SERIAL_LESS)
    made.sync()
    made.change(schedule=bounded(projects_per_run=4))
    made.server.requests.reset()
    made.server.apply(Upload(distribution=Wheel(name="late")))
    results = [made.sync()]
    made.server.apply(Upload(distribution=Wheel(name="later")))
    results += to_the_end(made)
    assert [result.planned for result in results] == [4, 4, 4]
    assert len(pages_asked_for(made)) == len(set(pages_asked_for(made))) == 12
    audit(made)
    compare(made)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[int | None, str]]:
    """For each run its bound and what happens upstream before it."""
    happening = st.sampled_from(
        ["nothing", "upload", "new", "remove", "remove what waits", "named", "recheck"]
    )
    return draw(st.lists(st.tuples(st.integers(1, 5) | st.none(), happening), min_size=1, max_size=4))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(chains())
def test_any_chain_of_runs_syncs_each_project_once_and_then_moves_the_cursor(
    chain: list[tuple[int | None, str]],
) -> None:
    with (
        TemporaryDirectory() as directory,
        make_bench(Path(directory) / "mirror", scenario=many(12, 1, 50)) as made,
    ):
        made.change(guard=RemovalGuard(max_percent=100))
        for number, (most, happening) in enumerate([*chain, (5, "nothing")]):
            changed = happen(made, happening, number)
            made.change(schedule=bounded(projects_per_run=most))
            made.server.requests.reset()
            before = (made.cursor, set(held(made)))
            result = made.sync(batch_size=3, recheck=happening == "recheck")
            asked = pages_asked_for(made)
            assert len(asked) == len(set(asked))
            if happening != "recheck" and before[0] is None:
                again = set(asked) & before[1] - changed
                assert not again or "recheck" in {each for _, each in chain[: number + 1]}, again
            assert (result.state is RunState.PAUSED) == (what_is_left(made) is not None)
            if result.state is RunState.PAUSED:
                assert made.cursor == before[0]
            else:
                assert made.cursor == made.server.warehouse.serial
            audit(made)
        results = to_the_end(made)
        assert results[-1].cursor == made.server.warehouse.serial
        compare(made)


def happen(made: Bench, what: str, number: int) -> set[str]:
    """Let it happen; the names of the projects that it changes."""
    there = sorted(made.server.warehouse.projects)
    have = sorted(set(there) & held(made))
    wait = sorted(set(there) - held(made))
    match what:
        case "upload" if have:
            made.server.apply(Upload(distribution=Wheel(name=have[0], version=f"10{number}")))
            return {have[0]}
        case "new":
            made.server.apply(Upload(distribution=Wheel(name=f"new-{number}")))
        case "remove" if have:
            made.server.apply(RemoveProject(project=have[-1]))
            return {have[-1]}
        case "remove what waits" if len(wait) > 1:
            made.server.apply(RemoveProject(project=wait[-1]))
            return {wait[-1]}
        case "named" if wait:
            made.selected(wait[-1])
    return set()
