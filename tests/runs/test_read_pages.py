"""Know, decide, fetch: what upstream has is read first, so that a plan says what a run will do.

Requests are counted at upstream, bytes at its wire, pages by what readers see.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from packaging.utils import NormalizedName
from sqlalchemy import delete, update

from pypi_mirror.errors import ApprovalRequired, RunStopped
from pypi_mirror.ledger.plan import PlanTotals
from pypi_mirror.ledger.tables import catalogue, catalogue_bodies
from pypi_mirror.model import PlannedProject, RunState
from pypi_mirror.options.environments import Environment
from pypi_mirror.options.packages import ReleaseRule
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import Partition, partition_projects
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, end_dry_run, fail_run, report
from pypi_mirror.settings.values import RemovalGuard, Schedule
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_unforeseen_losses import page_of
from tests.warehouse import (
    SERIAL_LESS,
    Delay,
    Fault,
    RemoveFile,
    RemoveProject,
    Status,
    Upload,
    Wheel,
    Yank,
    many,
    small,
)
from tests.warehouse.faults import Instead, Missing

LINUX = Environment(
    system="linux", machine="x86_64", implementation="cpython", pythons=((3, 11),), libc=("glibc", 2, 28)
)


def planned(made: Bench, *, read: bool = True) -> tuple[Partition, PlanTotals, list[PlannedProject]]:
    """What a dry run says."""
    made.clock.advance(minutes=1)
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request(dry_run=True)).run_id
        partition = partition_projects(mirror, run_id, read=read)
        totals, rows = mirror.ledger.plan.totals(run_id), list(mirror.ledger.plan.projects(run_id))
        end_dry_run(mirror, run_id)
    return partition, totals, rows


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(scenario=small(), exclude=None)
    assert made.sync().state is RunState.SUCCESS
    made.server.requests.reset()
    return made


FILTERS: dict[str, dict[str, Any]] = {
    "exclude-filename": {"exclude_filename": "win_amd64"},
    "platforms": {"blocked_platforms": ("windows",)},
    "environments": {"environments": (LINUX,)},
    "allowed releases": {
        "allowed_releases": (ReleaseRule(project=NormalizedName("beta-lib"), specifier=">=1.1"),)
    },
    "blocked releases": {
        "blocked_releases": (ReleaseRule(project=NormalizedName("beta-lib"), specifier=">=1.1"),)
    },
    "blocked projects": {"blocked_projects": frozenset({NormalizedName("alpha")})},
}


@pytest.mark.parametrize("changed", FILTERS.values(), ids=FILTERS)
def test_a_filter_changed_and_back_asks_for_no_page_and_plans_the_bytes_that_then_come(
    synced: Bench, changed: dict[str, Any]
) -> None:
    """With the grace period over, so that what comes back has to be downloaded again."""
    before = synced.settings.policy
    guard = RemovalGuard(max_percent=100)
    synced.change(guard=guard)
    synced.select(**changed)
    _, totals, rows = planned(synced)
    outcome = synced.sync()
    assert (
        (totals.files, totals.bytes)
        == (0, 0)
        == (outcome.tally.files_downloaded, outcome.tally.bytes_downloaded)
    )
    assert sum(row.loses_files for row in rows) > 0
    assert synced.server.requests.count("page") == 0
    compare(synced)
    synced.clock.advance(days=8)
    synced.sync()
    synced.change(policy=before)
    synced.server.requests.reset()
    _, totals, rows = planned(synced)
    assert totals.files > 0
    assert not any(row.unread for row in rows)
    outcome = synced.sync()
    sizes = sum(
        file.size for file in synced.server.warehouse.files.values() if file.filename in synced.downloads()
    )
    assert totals == PlanTotals(files=outcome.tally.files_downloaded, bytes=sizes, unsized_files=0)
    assert synced.server.requests.count("page") == 0
    audit(synced)
    compare(synced)


def test_a_plan_says_which_projects_are_unread_and_a_dry_run_reads_them(bench: MakeBench) -> None:
    made = bench(scenario=small())
    _, totals, rows = planned(made, read=False)
    assert all(row.unread for row in rows)
    assert totals == PlanTotals(files=0, bytes=0, unsized_files=0)
    assert made.server.requests.count("page") == 0
    _, totals, rows = planned(made)
    assert not any(row.unread for row in rows)
    made.server.requests.reset()
    _, again, _ = planned(made, read=False)
    assert again == totals
    outcome = made.sync()
    assert outcome.tally.files_downloaded == totals.files
    assert made.server.requests.count("page") == 0, "all of them were read within the hour"


def test_a_dry_run_leaves_nothing_on_the_backlog(bench: MakeBench) -> None:
    made = bench(
        scenario=small(), faults=(Fault(path="/simple/alpha/", effect=Status(code=403), times=None),)
    )
    planned(made)
    assert made.backlog() == {}
    made.sync()
    assert list(made.backlog()) == ["alpha"]


def test_a_dry_run_counts_no_attempt_and_loses_no_event_that_a_page_is_waited_for(bench: MakeBench) -> None:
    made = bench(
        scenario=small(), faults=(Fault(path="/simple/beta-lib/", effect=Status(code=403), times=None),)
    )
    made.sync()
    made.server.inject(Fault(path="/simple/alpha/", effect=Missing(), times=None))
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="7.0")))
    made.sync()
    made.server.faults.clear()
    for name in ("alpha", "beta-lib"):
        made.server.inject(Fault(path=f"/simple/{name}/", effect=Instead(body="{"), times=None))
    made.clock.advance(minutes=60)
    with made.open() as mirror:
        before = mirror.ledger.backlog.all()
    assert {each.project: each.lagging for each in before} == {"alpha": True, "beta-lib": False}
    planned(made)
    with made.open() as mirror:
        assert mirror.ledger.backlog.all() == before


def many_projects(bench: MakeBench, number: int, **settings: Any) -> Bench:
    made = bench(
        *(
            Upload(distribution=Wheel(name=f"p{each:03}", version=version))
            for each in range(number)
            for version in ("1.0", "2.0")
        ),
        **settings,
    )
    assert made.sync().state in (RunState.SUCCESS, RunState.PAUSED)
    made.server.requests.reset()
    return made


def test_one_page_that_silently_loses_half_of_its_files_is_followed_and_reported(bench: MakeBench) -> None:
    made = many_projects(bench, 30)
    made.server.inject(page_of(made, "p007", ("2.0",)))
    outcome = made.sync(recheck=True)
    assert (outcome.state, made.listed("p007")) == (RunState.SUCCESS, ["p007-2.0-py3-none-any.whl"])
    (lost,) = outcome.silent_losses
    assert (lost.project, lost.files, lost.is_gone) == ("p007", 1, False)


@pytest.mark.parametrize("vanish", [False, True], ids=["half of their files", "their pages"])
def test_many_that_do_so_are_withheld_before_a_file_is_fetched_and_all_else_goes_on(
    bench: MakeBench, vanish: bool
) -> None:
    made = many_projects(bench, 606)
    healthy, faulty = [f"p{each:03}" for each in range(6)], [f"p{each:03}" for each in range(6, 606)]
    made.server.apply(
        RemoveProject(project="p000"),
        RemoveFile(project="p001", filename="p001-1.0-py3-none-any.whl"),
        Yank(project="p002", version="1.0"),
        Upload(distribution=Wheel(name="p003", version="3.0")),
    )
    # What is withheld gets new files, too: none of them may come.
    for name in faulty[:20]:
        made.server.apply(Upload(distribution=Wheel(name=name, version="3.0")))
    if vanish:
        made.server.inject(*(Fault(path=f"/simple/{name}/", effect=Missing(), times=None) for name in faulty))
    else:
        made.server.inject(*(page_of(made, name, ("2.0",)) for name in faulty))
    made.server.requests.reset()
    outcome = made.sync(recheck=True)
    assert outcome.state is RunState.FAILED
    assert made.downloads() == ["p003-3.0-py3-none-any.whl"]
    assert made.listed("p001") == ["p001-2.0-py3-none-any.whl"]
    assert [bool(file["yanked"]) for file in made.page("p002")["files"]] == [True, False]
    assert not made.page_directory("p000").exists()
    assert all(len(made.listed(name)) == 2 for name in faulty)
    assert set(made.backlog()) >= set(faulty[20:])
    assert set(made.backlog()) & set(healthy) == set()
    audit(made)


def test_announced_removals_of_many_wait_for_a_person(bench: MakeBench) -> None:
    made = many_projects(bench, 620)
    for each in range(600):
        made.server.apply(RemoveProject(project=f"p{each:03}"))
    made.server.apply(Upload(distribution=Wheel(name="p619", version="3.0")))
    made.server.requests.reset()
    with pytest.raises(ApprovalRequired) as held:
        made.sync()
    assert made.downloads() == []
    assert made.sync(approved=held.value.plan).state is RunState.SUCCESS
    assert made.downloads() == ["p619-3.0-py3-none-any.whl"]
    compare(made)


def carried_out(made: Bench, between: Callable[[], None]) -> Report:
    """A run in which ``between`` happens after the plan and before the batches."""
    made.clock.advance(minutes=1)
    request = made.request()
    with made.open() as mirror:
        try:
            run_id = fetch_changelog(mirror, request).run_id
            batches = partition_projects(mirror, run_id).batches
            approve_removals(mirror, run_id)
            between()
            mirror.ledger.lease.renew(request.label)
            for batch in batches:
                download_projects(mirror, run_id, batch.number)
            rebuild_index(mirror, run_id)
            return report(mirror, run_id)
        except BaseException as error:
            fail_run(mirror, request.label, str(error))
            raise


def test_a_new_file_that_was_removed_while_its_batch_waited_never_appears(bench: MakeBench) -> None:
    made = many_projects(bench, 6)
    made.server.apply(Upload(distribution=Wheel(name="p003", version="3.0")))

    def wait() -> None:
        made.clock.advance(minutes=61)
        made.server.apply(RemoveFile(project="p003", filename="p003-3.0-py3-none-any.whl"))

    assert carried_out(made, wait).state is RunState.SUCCESS
    assert made.downloads() == []
    assert made.listed("p003") == ["p003-1.0-py3-none-any.whl", "p003-2.0-py3-none-any.whl"]
    made.sync()
    compare(made)


def test_a_listed_file_that_went_while_its_batch_waited_stays_until_the_next_plan(bench: MakeBench) -> None:
    made = many_projects(bench, 6)
    made.server.apply(Upload(distribution=Wheel(name="p003", version="3.0")))

    def wait() -> None:
        made.clock.advance(minutes=61)
        made.server.apply(RemoveFile(project="p003", filename="p003-1.0-py3-none-any.whl"))

    outcome = carried_out(made, wait)
    assert outcome.state is RunState.SUCCESS, "nothing has failed"
    assert "p003-1.0-py3-none-any.whl" in made.listed("p003")
    assert made.sync().state is RunState.SUCCESS
    assert made.listed("p003") == ["p003-2.0-py3-none-any.whl", "p003-3.0-py3-none-any.whl"]
    compare(made)


def test_within_the_hour_nobody_is_asked_again(bench: MakeBench) -> None:
    made = many_projects(bench, 6)
    made.server.apply(Upload(distribution=Wheel(name="p003", version="3.0")))
    carried_out(made, lambda: made.clock.advance(minutes=50))
    assert made.server.requests.count("page") == 1


def test_a_run_without_news_makes_two_requests_at_most_and_decides_nothing(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = many_projects(bench, 6)

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("it decides")

    monkeypatch.setattr("pypi_mirror.fetching.deciding.Decider.work", refuse)
    assert made.sync().state is RunState.SUCCESS
    assert made.server.requests.count() <= 2


def test_a_long_list_is_read_a_part_at_a_time(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypi_mirror.runs.read_pages._AT_ONCE", 7)
    made = bench(
        scenario=many(30, 1, 100),
        faults=(Fault(path="/simple/project-00003/", effect=Status(code=403), times=None),),
    )
    assert made.sync().state is RunState.FAILED
    assert len({each.path for each in made.server.requests.of("page")}) == 30
    assert list(made.backlog()) == ["project-00003"]


def test_an_entry_that_is_damaged_costs_one_request(synced: Bench) -> None:
    with synced.open() as mirror, mirror.ledger.engine.begin() as connection:
        connection.execute(delete(catalogue_bodies).where(catalogue_bodies.c.name == "alpha"))
        connection.execute(
            update(catalogue_bodies)
            .where(catalogue_bodies.c.name == "compiled")
            .values(body=b"\x92\xc4\x01x\xc4\x00")
        )
    synced.select(exclude_filename="win_amd64")
    synced.change(guard=RemovalGuard(max_percent=100))
    assert synced.sync().state is RunState.SUCCESS
    assert {each.path for each in synced.server.requests.of("page")} == {
        "/simple/alpha/",
        "/simple/compiled/",
    }
    audit(synced)
    compare(synced)


def test_what_policy_takes_off_pages_is_weighed_whole_whoever_has_read_them(bench: MakeBench) -> None:
    """After an upgrade the pages are read in parts; the guard knows what they list from the ledger."""
    made = many_projects(bench, 40, schedule=Schedule(projects_per_run=10))
    while made.sync().state is not RunState.SUCCESS:
        pass
    with made.open() as mirror, mirror.ledger.engine.begin() as connection:
        connection.execute(delete(catalogue_bodies))
        connection.execute(delete(catalogue))
    made.select(exclude_filename="-1.0-")
    with pytest.raises(ApprovalRequired, match="40 files"):
        made.sync()


def test_what_a_killed_reading_had_read_is_not_asked_for_again(bench: MakeBench) -> None:
    made = bench(scenario=many(450, 1, 100))
    made.clock.advance(minutes=1)
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        list_projects(mirror, run_id)
        made.clock.advance(minutes=1)
        read = 0

        def stop() -> str | None:
            return "told to stop" if read >= 200 else None

        def count(number: int) -> None:
            nonlocal read
            read += number

        with pytest.raises(RunStopped, match="told to stop"):
            read_pages(mirror, run_id, should_stop=stop, on_read=count)
        first = made.server.requests.count("page")
        made.server.requests.reset()
        assert read_pages(mirror, run_id).failed == ()
        # What was under way when it stopped is asked for once more.
        assert first + made.server.requests.count("page") <= 450 + 2 * made.settings.workers
        assert made.server.requests.count("page") <= 250
        end_dry_run(mirror, run_id)


@pytest.mark.parametrize("stop_on_error", [True, False])
def test_a_page_that_cannot_be_read_counts_as_a_failure_and_the_old_one_stands(
    bench: MakeBench, stop_on_error: bool
) -> None:
    made = many_projects(bench, 6, stop_on_error=stop_on_error)
    made.server.apply(
        Upload(distribution=Wheel(name="p001", version="3.0")),
        Upload(distribution=Wheel(name="p002", version="3.0")),
    )
    made.server.inject(Fault(path="/simple/p001/", effect=Status(code=403), times=None))
    if stop_on_error:
        with pytest.raises(RunStopped, match="p001 failed"):
            made.sync()
        assert made.downloads() == []
        made.server.faults.clear()
        assert made.sync().state is RunState.SUCCESS
    else:
        assert made.sync().state is RunState.FAILED
        assert list(made.backlog()) == ["p001"]
        assert len(made.listed("p001")) == 2
        assert len(made.listed("p002")) == 3
    audit(made)


def test_a_run_takes_as_many_bytes_as_it_may_and_a_larger_project_alone(bench: MakeBench) -> None:
    sizes = {"a": 400_000, "b": 500_000, "c": 3_000_000, "d": 300_000}
    made = bench(
        *(Upload(distribution=Wheel(name=name, version="1.0", size=size)) for name, size in sizes.items())
    )
    made.change(schedule=replace(Schedule(), gigabytes_per_run=0.0012))
    came = []
    for _ in range(3):
        made.server.requests.reset()
        outcome = made.sync()
        came.append([name.partition("-")[0] for name in made.downloads()])
    assert came == [["a", "b"], ["c"], ["d"]]
    assert outcome.state is RunState.SUCCESS
    compare(made)


def test_an_upstream_without_serials_is_asked_conditionally(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=SERIAL_LESS)
    made.sync()
    made.server.requests.reset()
    made.sync()
    statuses = {each.status for each in made.server.requests.of("page")}
    assert statuses == {304}
    assert made.downloads() == []
    compare(made)


def test_slow_pages_do_not_keep_the_lease_from_being_renewed(bench: MakeBench) -> None:
    made = bench(scenario=small(), faults=(Fault(path="/simple/*", effect=Delay(seconds=0.05), times=None),))
    assert made.sync().state is RunState.SUCCESS


def test_the_page_of_a_project_that_no_rule_selects_is_forgotten_after_90_days(synced: Bench) -> None:
    def is_known() -> bool:
        with synced.open() as mirror:
            return bool(mirror.ledger.catalogue.entries([NormalizedName("alpha")]))

    everything = synced.settings.policy
    synced.select(blocked_projects=frozenset({NormalizedName("alpha")}))
    synced.sync()
    synced.clock.advance(days=89)
    synced.sync()
    assert is_known()
    synced.change(policy=everything)
    synced.sync()
    assert "alpha" in {path.name for path in (synced.web / "simple").iterdir()}
    synced.clock.advance(days=89)
    synced.sync()
    assert is_known(), "selected again"
    synced.select(blocked_projects=frozenset({NormalizedName("alpha")}))
    synced.sync()
    synced.clock.advance(days=91)
    synced.sync()
    assert not is_known()


def test_a_removal_needs_no_entry_to_be_weighed(bench: MakeBench) -> None:
    made = many_projects(bench, 12)
    with made.open() as mirror, mirror.ledger.engine.begin() as connection:
        connection.execute(delete(catalogue_bodies))
    made.allow("p000", "p001")
    with pytest.raises(ApprovalRequired, match="10 projects, 20 files"):
        made.sync()
