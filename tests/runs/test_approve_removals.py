"""The guard: which plans wait for a person, how one is approved, and that nothing happens until then."""

from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import ApprovalRequired, LeaseLost, LedgerError, MirrorBusy, UpstreamMalformed
from pypi_mirror.model import RunState
from pypi_mirror.observing.progress import progress
from pypi_mirror.planning.removals import removals_of, require_none_waits
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import fail_run
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    SERIAL_LESS,
    Fault,
    Instead,
    Quarantine,
    RemoveProject,
    Upload,
    Warehouse,
    Wheel,
    running,
)
from tests.warehouse.faults import Missing

NAMES = [f"p{number:02}" for number in range(20)]


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES))
    assert made.sync().state is RunState.SUCCESS
    return made


def pages(made: Bench) -> set[str]:
    return {path.parent.name for path in (made.web / "simple").glob("*/index.html")}


def tree(made: Bench) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in (made.web / "simple").rglob("*") if path.is_file()}


def held_back(made: Bench, **changes: object) -> ApprovalRequired:
    """What a run says that the guard holds back; neither tree nor cursor moved for it."""
    before, cursor = tree(made), made.cursor
    with pytest.raises(ApprovalRequired) as held:
        made.sync(**changes)  # type: ignore[arg-type]
    assert (tree(made), made.cursor) == (before, cursor)
    with made.open() as mirror:
        (run,) = mirror.ledger.runs.latest()
        assert run.state is RunState.FAILED
        assert run.outcome is not None
        assert held.value.plan in (run.outcome.reason or "")
        mirror.ledger.lease.take("the next run")
        mirror.ledger.lease.release("the next run")
    return held.value


def test_projects_that_upstream_removed_wait_together_with_what_is_new(synced: Bench) -> None:
    synced.server.apply(
        *(RemoveProject(project=name) for name in NAMES[:6]), Upload(distribution=Wheel(name="newcomer"))
    )
    held = held_back(synced)
    assert f"the plan {held.plan} would remove 6 projects, 6 files" in str(held)
    assert "30% of the mirror's projects, [removal] max-percent is 1" in str(held)
    assert f"pypi-mirror sync --approve {held.plan}" in str(held)
    assert held_back(synced).plan == held.plan, "the same removals are the same plan"
    synced.server.apply(Upload(distribution=Wheel(name="another")))
    assert synced.sync(approved=held.plan).tally.projects_removed == 6
    assert pages(synced) == {*NAMES[6:], "newcomer", "another"}
    audit(synced)
    compare(synced)


def test_a_plan_that_changed_meanwhile_is_not_approved(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    old = held_back(synced).plan
    synced.server.apply(RemoveProject(project=NAMES[6]))
    changed = held_back(synced, approved=old)
    assert changed.plan != old
    assert str(changed).startswith(f"{old} was approved, but that is another plan: ")
    assert synced.sync(approved=changed.plan).state is RunState.SUCCESS
    assert pages(synced) == set(NAMES[7:])


def test_a_few_projects_go_without_a_word(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:5]))
    assert synced.sync().tally.projects_removed == 5
    audit(synced)
    compare(synced)


def test_projects_that_the_root_index_lists_no_longer(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES), behaviour=SERIAL_LESS)
    made.sync()
    short = '{"meta":{"api-version":"1.1"},"projects":[{"name":"p00"}]}'
    made.server.inject(Fault(path="/simple/", effect=Instead(body=short), times=None))
    assert made.sync().tally.projects_removed == 0, "their pages are still there"
    made.server.inject(Fault(path="/simple/p*/", effect=Missing(), times=None))
    assert "19 projects" in str(held_back(made))
    made.server.faults.clear()
    assert made.sync().tally.projects_removed == 0
    assert pages(made) == set(NAMES)


def test_many_quarantined_projects_that_only_an_index_tells_of(synced: Bench) -> None:
    synced.server.apply(*(Quarantine(project=name) for name in NAMES[:6]))
    assert "6 projects" in str(held_back(synced, recheck=True))


def test_projects_that_the_filters_leave_out_by_now(synced: Bench) -> None:
    synced.allow(*NAMES[:10])
    held = held_back(synced)
    assert "10 projects, 10 files" in str(held)
    # Set back, the mirror is as it was, and nobody has to approve anything.
    synced.select(allowed_projects=frozenset())
    assert synced.sync().tally.projects_removed == 0
    synced.allow(*NAMES[:10])
    assert synced.sync(approved=held.plan).tally.projects_removed == 10
    audit(synced)
    compare(synced)


def test_files_that_new_filters_leave_out_are_known_before_a_page_is_fetched(bench: MakeBench) -> None:
    made = bench(
        *(
            Upload(distribution=Wheel(name=name, tags=f"py3-none-{platform}"))
            for name in NAMES
            for platform in ("any", "win_amd64")
        ),
        exclude=None,
    )
    made.sync()
    made.select(exclude_filename="win_amd64")
    made.server.requests.reset()
    held = held_back(made)
    assert "would remove 0 projects, 20 files" in str(held)
    assert made.server.requests.count("page") == 0
    assert made.sync(approved=held.plan).state is RunState.SUCCESS
    assert made.listed("p00") == ["p00-1.0-py3-none-any.whl"]
    audit(made)
    compare(made)


def test_a_filter_that_costs_nothing_needs_no_approval(synced: Bench) -> None:
    synced.select(exclude_filename="win_amd64")
    assert synced.sync().planned == 20
    synced.change(json=True)
    assert synced.sync().planned == 20


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_a_lost_ledger_and_another_upstream_leave_the_pages(bench: MakeBench, hash_index: bool) -> None:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES), hash_index=hash_index)
    made.sync()
    for path in made.settings.directory.glob("ledger.sqlite*"):
        path.unlink()
    before = tree(made)
    with running(Warehouse(Upload(distribution=Wheel(name="theirs")))) as other:
        right = made.settings.master
        made.change(master=other.url)
        with pytest.raises(ApprovalRequired, match=r"20 projects, 20 files .*a ledger that is lost"):
            made.sync()
        assert tree(made) == before
        made.change(master=right)
    assert made.sync().state is RunState.SUCCESS
    assert tree(made).keys() == before.keys()
    compare(made)


def test_a_lost_ledger_and_an_upstream_whose_pages_are_missing_leave_the_pages(bench: MakeBench) -> None:
    """Its index lists them all, so the plan removes nothing; that they are gone turns out page by page."""
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES))
    made.sync()
    for path in made.settings.directory.glob("ledger.sqlite*"):
        path.unlink()
    index = ",".join(f'{{"name":"{name}"}}' for name in NAMES)
    body = f'{{"meta":{{"api-version":"1.1"}},"projects":[{index}]}}'
    fault = Fault(path="/simple/", effect=Instead(body=body), times=None)
    with running(Warehouse(), behaviour=SERIAL_LESS, faults=(fault,)) as other:
        made.change(master=other.url)
        made.sync()
    assert pages(made) == set(NAMES)


def test_an_index_that_went_backwards_is_refused(synced: Bench) -> None:
    before = tree(synced)
    old = '{"meta":{"api-version":"1.1","_last-serial":1},"projects":[{"name":"p00","_last-serial":1}]}'
    synced.server.inject(Fault(path="/simple/", effect=Instead(body=old), times=None))
    with pytest.raises(
        UpstreamMalformed, match=r"is of serial 1, the mirror is at \d+ already.*reset-cursor"
    ):
        synced.sync(recheck=True)
    assert tree(synced) == before


def test_while_it_waits_another_run_takes_over_and_voids_the_plan(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    with synced.open() as mirror:
        request = synced.request()
        run_id = fetch_changelog(mirror, request).run_id
        plan = partition_projects(mirror, run_id).weighed.plan
        assert approve_removals(mirror, run_id, approved=plan).projects == 6
        mirror.ledger.lease.release(request.label)
        assert approve_removals(mirror, run_id, approved=plan).projects == 6, "nobody came in between"
        mirror.ledger.lease.release(request.label)
        other = fetch_changelog(mirror, synced.request(projects=(NAMES[9],))).run_id
        with pytest.raises(LeaseLost):
            approve_removals(mirror, run_id, approved=plan)
        partition_projects(mirror, other)
        with pytest.raises(LedgerError, match="start it again"):
            removals_of(mirror, run_id)


def test_a_dry_run_does_not_begin_while_a_plan_waits(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    request = synced.request()
    with synced.open() as mirror:
        run_id = fetch_changelog(mirror, request).run_id
        plan = partition_projects(mirror, run_id).weighed.plan
        mirror.ledger.lease.release(request.label)
        with pytest.raises(MirrorBusy, match=f"awaiting approval of the plan {plan} since"):
            require_none_waits(mirror)
        assert approve_removals(mirror, run_id, approved=plan).approved
        require_none_waits(mirror)


def test_only_present_projects_of_the_backlog_count(bench: MakeBench) -> None:
    """A project that never arrived cannot be lost."""
    broken = Fault(path="/simple/p0*/", effect=Instead(body="{"), times=None)
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES), faults=[broken])
    made.sync()
    assert len(made.backlog()) == 10
    made.clock.advance(days=1)
    made.select(blocked_projects=frozenset(NormalizedName(name) for name in NAMES[:10]))
    assert made.sync().tally.projects_removed == 0
    assert made.backlog() == {}


def test_an_audit_does_not_make_void_the_plan_that_waits(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    request = synced.request()
    with synced.open() as mirror:
        run = fetch_changelog(mirror, request).run_id
        plan = partition_projects(mirror, run).weighed.plan
        mirror.ledger.lease.release(request.label)
        synced.clock.advance(days=1)
        with pytest.raises(MirrorBusy, match=f"run 2 is awaiting approval of the plan {plan} since"):
            run_audit(mirror, AuditRequest(label="audit"))
        approve_removals(mirror, run, approved=plan)
        fail_run(mirror, request.label, "a test")
        run_audit(mirror, AuditRequest(label="audit"))


def test_a_run_that_died_while_it_waited_keeps_no_audit_away_for_ever(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:6]))
    request = synced.request()
    with synced.open() as mirror:
        partition_projects(mirror, fetch_changelog(mirror, request).run_id)
        mirror.ledger.lease.release(request.label)
        synced.clock.advance(days=2)
        run_audit(mirror, AuditRequest(label="audit"))


def test_a_step_that_is_skipped_or_marked_a_success_approves_nothing(synced: Bench) -> None:
    """As who may edit tasks in Airflow can do it: the next steps look for an approval in the ledger."""
    before = tree(synced)
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:8]))
    with synced.open() as mirror:
        request = synced.request()
        run_id = fetch_changelog(mirror, request).run_id
        partition = partition_projects(mirror, run_id)
        with pytest.raises(ApprovalRequired, match=partition.weighed.plan):
            download_projects(mirror, run_id, partition.batches[0].number)
        with pytest.raises(ApprovalRequired, match=partition.weighed.plan):
            rebuild_index(mirror, run_id)
        fail_run(mirror, request.label, "not approved")
    assert tree(synced).keys() == before.keys()
    assert pages(synced) == set(NAMES)
    assert synced.sync(approved=partition.weighed.plan).tally.projects_removed == 8


def test_the_ledger_says_who_approved_what_and_when(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:8]))
    with synced.open() as mirror:
        run_id = fetch_changelog(mirror, synced.request()).run_id
        partition = partition_projects(mirror, run_id)
        approve_removals(mirror, run_id, approved=partition.weighed.plan, by="Ada")
        found = removals_of(mirror, run_id)
        assert (found.approved_by, found.approved_at) == ("Ada", int(synced.clock()))
        # Planned again, with an upload besides, it takes the same off the pages.
        synced.server.apply(Upload(distribution=Wheel(name="new")))
        fetch_changelog(mirror, mirror.ledger.runs.get(run_id).request)
        again = partition_projects(mirror, run_id)
        assert again.projects == partition.projects + 1
        assert approve_removals(mirror, run_id).approved
        # Something else goes besides: that is another plan.
        synced.server.apply(RemoveProject(project=NAMES[9]))
        fetch_changelog(mirror, mirror.ledger.runs.get(run_id).request)
        more = partition_projects(mirror, run_id)
        with pytest.raises(ApprovalRequired):
            download_projects(mirror, run_id, more.batches[0].number)


def test_many_runs_that_remove_a_few_each_have_a_budget_of_a_week(bench: MakeBench) -> None:
    names = [f"p{number:02}" for number in range(40)]
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in names))
    made.sync()
    for first in (0, 5):
        made.server.apply(*(RemoveProject(project=name) for name in names[first : first + 5]))
        made.sync()
    for first in (10, 15):
        made.server.apply(*(RemoveProject(project=name) for name in names[first : first + 5]))
        with pytest.raises(
            ApprovalRequired, match=r"1[0-9]|20 projects within 7 days, 10 of them removed before"
        ):
            made.sync()
    assert pages(made) == set(names[10:])


def test_a_week_later_there_is_a_budget_again(synced: Bench) -> None:
    for first in (0, 5):
        synced.server.apply(*(RemoveProject(project=name) for name in NAMES[first : first + 5]))
        synced.sync()
    synced.server.apply(RemoveProject(project=NAMES[10]))
    with pytest.raises(ApprovalRequired, match="weekly-percent"):
        synced.sync()
    synced.clock.advance(days=7)
    assert synced.sync().tally.projects_removed == 1


def test_what_a_person_approved_does_not_count_against_the_week(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:8]))
    with pytest.raises(ApprovalRequired) as held:
        synced.sync()
    synced.sync(approved=held.value.plan)
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[8:11]))
    assert synced.sync().tally.projects_removed == 3


def test_a_run_that_is_awaiting_approval_says_so_and_not_that_it_is_under_way(synced: Bench) -> None:
    synced.server.apply(*(RemoveProject(project=name) for name in NAMES[:8]))
    with synced.open() as mirror:
        run_id = fetch_changelog(mirror, synced.request()).run_id
        partition = partition_projects(mirror, run_id)
        seen = progress(mirror)
        assert seen is not None
        assert seen.awaiting_approval == partition.weighed.would()
        assert seen.phase == "awaiting-approval"
        approve_removals(mirror, run_id, approved=partition.weighed.plan, by="Ada")
        seen = progress(mirror)
        assert seen is not None
        assert seen.awaiting_approval is None
