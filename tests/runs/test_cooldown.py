"""``[cooldown]``: new files wait, are fetched meanwhile, and are listed when they are due, never earlier."""

from datetime import UTC, datetime

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.audit.findings import Kind
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.held_files import HeldRow, replace_held
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.options.exclude_newer import parse_exclude_newer
from pypi_mirror.options.packages import parse_blocked_package
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.policy.filters.releases_keep_latest import NewestReleases
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.hand_over import hand_over
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.publish_due import lift, lift_named, publish_due
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import Report, report
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import HTML_ONLY, Fault, Redeploy, RemoveFile, Status, Upload, Wheel

DAY = 24 * 3600
OLD = "alpha-1.0-py3-none-any.whl"
NEW = "alpha-2.0-py3-none-any.whl"


def cooldown(said: str = "7 days", *exempt: str) -> Cooldown:
    return Cooldown(
        exclude_newer=parse_exclude_newer(said),
        exclude_newer_package=tuple(map(parse_blocked_package, exempt)),
    )


def upload(made: Bench, version: str, *, days_ago: float = 0, name: str = "alpha") -> None:
    """Upstream gets a file at this time of the bench's clock."""
    at = datetime.fromtimestamp(made.clock.now - days_ago * DAY, UTC)
    made.server.apply(Upload(distribution=Wheel(name=name, version=version), at=at))


def light(made: Bench) -> Report | None:
    """What ``[cooldown] cron`` starts; upstream is asked for nothing but the time."""
    made.clock.advance(minutes=1)
    made.runs += 1
    made.server.requests.reset()
    with made.open() as mirror:
        found = publish_due(mirror, f"light {made.runs}")
    assert made.server.requests.count("page") == made.server.requests.count("file") == 0
    assert made.server.requests.count() <= 1
    return found


def held(made: Bench) -> dict[str, HeldRow]:
    with made.open() as mirror:
        return {row.filename: row for row in mirror.ledger.held_files.all()}


def files_in_held(made: Bench) -> list[str]:
    place = made.web / "packages" / ".held"
    return sorted(path.name for path in place.rglob("*") if path.is_file() and path.suffix == ".whl")


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    """A mirror of one project with an old file, under a cooldown of seven days."""
    made = bench(policy=Policy(cooldown()))
    upload(made, "1.0", days_ago=30)
    assert made.sync().state is RunState.SUCCESS
    assert made.listed("alpha") == [OLD]
    upload(made, "2.0")
    return made


def test_a_new_file_is_fetched_at_once_and_listed_when_it_is_due(made: Bench) -> None:
    made.sync()
    assert (made.listed("alpha"), files_in_held(made)) == ([OLD], [NEW])
    assert made.page("alpha")["versions"] == ["1.0"]
    made.clock.advance(days=6.9)
    assert light(made) is None
    made.sync()
    assert made.listed("alpha") == [OLD]
    made.clock.advance(days=0.1)
    found = light(made)
    assert found is not None
    assert (found.state, found.tally.projects_done) == (RunState.SUCCESS, 1)
    assert made.listed("alpha") == [OLD, NEW]
    assert made.page("alpha")["versions"] == ["1.0", "2.0"]
    assert (files_in_held(made), held(made)) == ([], {})
    assert made.pooled(NEW) is not None
    assert light(made) is None
    audit(made)
    compare(made)


def test_a_sync_lists_what_is_due_without_a_page_request(made: Bench) -> None:
    made.sync()
    made.clock.advance(days=7)
    made.server.requests.reset()
    made.sync()
    assert made.listed("alpha") == [OLD, NEW]
    assert made.server.requests.count("page") == made.server.requests.count("file") == 0


def test_an_invented_upload_time_does_not_shorten_it(made: Bench) -> None:
    upload(made, "3.0", days_ago=20)
    made.sync()
    assert made.listed("alpha") == [OLD]
    made.clock.advance(days=6)
    made.sync()
    assert made.listed("alpha") == [OLD]
    made.clock.advance(days=1)
    assert light(made) is not None
    assert len(made.listed("alpha")) == 3


def test_what_is_listed_stays_when_it_is_switched_on(bench: MakeBench) -> None:
    made = bench()
    upload(made, "1.0")
    made.sync()
    made.change(policy=Policy(cooldown()))
    upload(made, "2.0")
    made.sync()
    assert (made.listed("alpha"), files_in_held(made)) == ([OLD], [NEW])


def test_switching_it_off_lists_all_at_once_and_downloads_nothing(made: Bench) -> None:
    made.sync()
    made.server.requests.reset()
    made.change(policy=Policy())
    made.sync()
    assert made.listed("alpha") == [OLD, NEW]
    assert made.server.requests.count("file") == 0
    assert (files_in_held(made), held(made)) == ([], {})


def test_a_clock_that_jumps_ahead_lists_nothing_early(made: Bench) -> None:
    made.sync()
    upstream = made.clock.now
    made.server.follow(lambda: upstream)
    made.clock.advance(days=400)
    assert light(made) is None
    made.sync()
    assert made.listed("alpha") == [OLD]
    upstream += 7 * DAY + 120
    made.server.follow(lambda: upstream)
    assert light(made) is not None
    assert made.listed("alpha") == [OLD, NEW]


def test_a_clock_that_falls_behind_keeps_nothing_for_years(made: Bench) -> None:
    made.sync()
    upstream = made.clock.now + 7 * DAY + 120
    made.server.follow(lambda: upstream)
    made.clock.advance(days=-400)
    made.sync()
    assert made.listed("alpha") == [OLD, NEW]


def test_a_held_file_that_upstream_removes_is_never_listed(made: Bench) -> None:
    made.sync()
    made.server.apply(RemoveFile(project="alpha", filename=NEW))
    made.sync()
    assert (files_in_held(made), held(made)) == ([], {})
    made.clock.advance(days=8)
    made.sync()
    assert made.listed("alpha") == [OLD]


def test_a_person_lifts_the_cooldown_of_a_file(made: Bench) -> None:
    made.sync()
    with made.open() as mirror:
        lift(mirror, list(mirror.ledger.held_files.all()), by="Ada", why="fixes a hole")
    assert light(made) is not None
    assert made.listed("alpha") == [OLD, NEW]


def test_a_cooldown_is_lifted_by_name_of_all_or_none(made: Bench) -> None:
    upload(made, "3.0")
    made.sync()
    newest = "alpha-3.0-py3-none-any.whl"
    project = NormalizedName("alpha")
    with made.open() as mirror:
        with pytest.raises(MirrorError, match=rf"not in cooldown, or no longer: {OLD}; nothing was lifted"):
            lift_named(mirror, [(project, NEW), (project, OLD)], by="Ada", why="fixes a hole")
        assert {row.lifted_at for row in mirror.ledger.held_files.all()} == {None}
        lift_named(mirror, [(project, newest)], by="Ada", why="fixes a hole")
        lift_named(mirror, [(project, newest)], by="Bob", why="so do I")
    assert held(made)[newest].lifted_by == "Ada"
    assert light(made) is not None
    assert made.listed("alpha") == [OLD, newest]
    assert list(held(made)) == [NEW]


def test_what_is_lifted_while_its_project_is_synced_stays_lifted(made: Bench) -> None:
    made.sync()
    with made.open() as mirror:
        before = mirror.ledger.held_files.of([NormalizedName("alpha")])
        lift(mirror, list(mirror.ledger.held_files.all()), by="Ada", why="fixes a hole")
        with mirror.ledger.engine.begin() as connection:
            replace_held(connection, {name: list(rows.values()) for name, rows in before.items()})
    row = held(made)[NEW]
    assert (row.lifted_by, row.lifted_why) == ("Ada", "fixes a hole")
    assert light(made) is not None
    assert made.listed("alpha") == [OLD, NEW]


@pytest.mark.parametrize("rule", ["alpha", "al*", "alpha>=2"])
def test_exempt_files_do_not_wait(made: Bench, rule: str) -> None:
    made.change(policy=Policy(cooldown("7 days", rule)))
    made.sync()
    assert made.listed("alpha") == [OLD, NEW]


def test_with_a_date_later_files_are_not_mirrored(made: Bench) -> None:
    day = datetime.fromtimestamp(made.clock.now, UTC).date()
    made.change(policy=Policy(cooldown(f"{day.replace(year=day.year - 1)}")))
    made.sync()
    assert (made.listed("alpha"), files_in_held(made)) == ([OLD], []), "what is listed stays"


def test_a_light_run_only_adds(made: Bench) -> None:
    made.change(policy=Policy(cooldown(), NewestReleases(keep_latest=1)))
    made.sync()
    assert made.listed("alpha") == [OLD], "what waits does not count"
    made.clock.advance(days=8)
    assert light(made) is None
    with made.open() as mirror:
        assert [run.request.kind for run in mirror.ledger.runs.latest()] == [RunKind.SYNC], "no empty run"
    assert made.listed("alpha") == [OLD]
    made.sync()
    assert made.listed("alpha") == [NEW]


def test_a_new_project_waits_as_a_whole(made: Bench) -> None:
    upload(made, "1.0", name="beta")
    made.sync()
    assert made.listed("beta") == []
    made.clock.advance(days=7)
    made.sync()
    assert made.listed("beta") == ["beta-1.0-py3-none-any.whl"]


def test_a_project_that_goes_takes_its_held_files_along(made: Bench) -> None:
    made.sync()
    made.select(blocked_projects={NormalizedName("alpha")})
    made.sync()
    assert (files_in_held(made), held(made)) == ([], {})


def test_a_file_without_upload_time_counts_from_when_it_was_seen(bench: MakeBench) -> None:
    made = bench(policy=Policy(cooldown()), behaviour=HTML_ONLY)
    upload(made, "1.0", days_ago=30)
    made.sync()
    made.clock.advance(days=6.9)
    made.sync()
    assert made.listed("alpha") == []
    made.clock.advance(days=0.2)
    light(made)
    assert made.listed("alpha") == [OLD]


def test_a_file_that_cannot_be_fetched_ahead_is_on_the_backlog(made: Bench) -> None:
    made.server.inject(Fault(path=f"*{NEW}", effect=Status(code=404), times=None))
    made.sync()
    assert made.listed("alpha") == [OLD]
    assert "alpha" in made.backlog()
    made.server.faults.clear()
    made.clock.advance(days=1)
    made.sync()
    assert (files_in_held(made), made.backlog()) == ([NEW], {})


def test_other_bytes_under_the_name_of_a_held_file_are_refused(made: Bench) -> None:
    made.sync()
    before = held(made)[NEW]
    made.server.apply(Redeploy(distribution=Wheel(name="alpha", version="2.0", summary="other bytes")))
    made.sync()
    assert held(made)[NEW].file == before.file
    assert "alpha" in made.backlog()
    made.clock.advance(days=8)
    made.sync()
    assert made.listed("alpha") == [OLD]
    assert "alpha" in made.backlog()


def test_an_audit_leaves_held_files_alone_and_finds_others_beside_them(made: Bench) -> None:
    made.sync()
    stray = made.web / "packages/.held/packages/aa/bb/stray.whl"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"stray")
    with made.open() as mirror:
        found = run_audit(mirror, AuditRequest(label="audit", everything=True))
    assert [(each.kind, each.path) for each in found.examples] == [
        (Kind.ORPHAN, "web/packages/.held/packages/aa/bb/stray.whl")
    ]
    assert files_in_held(made) == [NEW, "stray.whl"]


def test_what_the_pages_of_another_tool_list_stays_listed(bench: MakeBench) -> None:
    made = bench(policy=Policy())
    upload(made, "1.0", days_ago=30)
    upload(made, "2.0")
    made.sync()
    for path in made.settings.directory.glob("ledger.sqlite*"):
        path.unlink()
    made.change(policy=Policy(cooldown()))

    assert made.sync().state is RunState.SUCCESS

    assert made.listed("alpha") == [OLD, NEW]
    assert held(made) == {}


def test_of_a_tree_that_was_handed_over_nothing_is_listed_any_more(made: Bench) -> None:
    made.sync()
    with made.open() as mirror:
        hand_over(mirror, "a person", is_dead=lambda _: False)
    made.clock.advance(days=8)

    assert light(made) is None
    assert (made.settings.directory / "generation").read_text() == "5"


def test_a_run_that_is_at_work_for_long_lists_what_becomes_due_meanwhile(made: Bench) -> None:
    made.sync()
    for name in ("beta", "gamma"):
        upload(made, "1.0", days_ago=30, name=name)
    made.clock.advance(minutes=1)
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        batches = partition_projects(mirror, run_id, batch_size=1).batches
        assert len(batches) == 2
        download_projects(mirror, run_id, batches[0].number)
        assert made.listed("alpha") == [OLD]
        made.clock.advance(days=8)
        mirror.ledger.lease.renew("run 3")
        download_projects(mirror, run_id, batches[1].number)
        assert made.listed("alpha") == [OLD, NEW]
        # Once more, as where both batches see it at the same time.
        download_projects(mirror, run_id, batches[0].number)
        rebuild_index(mirror, run_id)
        assert report(mirror, run_id).tally.projects_done == 3
    audit(made)
    assert held(made) == {}


def test_a_run_at_work_leaves_what_would_take_something_off_to_the_next(made: Bench) -> None:
    made.change(policy=Policy(cooldown(), NewestReleases(keep_latest=1)))
    made.sync()
    upload(made, "1.0", days_ago=30, name="beta")
    made.clock.advance(minutes=1)
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        [batch] = partition_projects(mirror, run_id).batches
        made.clock.advance(days=8)
        mirror.ledger.lease.renew("run 3")
        download_projects(mirror, run_id, batch.number)
        rebuild_index(mirror, run_id)
        report(mirror, run_id)
    assert made.listed("alpha") == [OLD]
    made.sync()
    assert made.listed("alpha") == [NEW]
