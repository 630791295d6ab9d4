"""``[releases] released-within``: releases leave the pages as time passes, with no event and no request."""

from datetime import UTC, datetime

import pytest

from pypi_mirror.errors import ApprovalRequired
from pypi_mirror.model import RunState
from pypi_mirror.options.exclude_newer import parse_exclude_newer
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.cooldown_exclude_newer import Cooldown
from pypi_mirror.policy.filters.releases_released_within import RecentReleases
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.publish_due import publish_due
from pypi_mirror.runs.report import end_dry_run
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import HTML_ONLY, Fault, Status, Upload, Wheel

DAY = 24 * 3600
YEAR = RecentReleases(released_within=365 * DAY)


def name(version: str, project: str = "alpha") -> str:
    return f"{project}-{version}-py3-none-any.whl"


def upload(made: Bench, version: str, *, days_ago: float, project: str = "alpha") -> None:
    at = datetime.fromtimestamp(made.clock.now - days_ago * DAY, UTC)
    made.server.apply(Upload(distribution=Wheel(name=project, version=version), at=at))


def quiet(made: Bench) -> None:
    """A sync that asks upstream for no page and no file."""
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.server.requests.count("page") == made.server.requests.count("file") == 0


def planned(made: Bench) -> dict[str, str]:
    """What the next sync looks at, and why."""
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request(dry_run=True)).run_id
        partition_projects(mirror, run_id)
        rows = mirror.ledger.plan.pending(run_id, 0)
        end_dry_run(mirror, run_id)
        return {each.project: each.reason for each in rows}


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    """Releases of 300, 200 and 100 days ago, of which those within a year are mirrored."""
    made = bench(policy=Policy(YEAR))
    for version, days_ago in (("0.1", 400), ("1.0", 300), ("2.0", 200), ("3.0", 100)):
        upload(made, version, days_ago=days_ago)
    upload(made, "1.0", days_ago=1000, project="beta")
    made.sync()
    assert made.listed("alpha") == [name("1.0"), name("2.0"), name("3.0")]
    assert made.listed("beta") == [name("1.0", "beta")]
    return made


def test_releases_leave_as_time_passes_and_the_newest_stays(made: Bench) -> None:
    made.clock.advance(days=64)
    quiet(made)
    assert made.listed("alpha") == [name("1.0"), name("2.0"), name("3.0")]
    made.clock.advance(days=2)
    quiet(made)
    assert made.listed("alpha") == [name("2.0"), name("3.0")]
    assert made.page("alpha")["versions"] == ["2.0", "3.0"]
    made.clock.advance(days=1000)
    quiet(made)
    assert made.listed("alpha") == [name("3.0")]
    assert made.listed("beta") == [name("1.0", "beta")]
    audit(made)
    compare(made)


def test_a_project_is_decided_again_when_a_release_of_it_is_too_old_and_not_before(made: Bench) -> None:
    assert planned(made) == {}
    made.clock.advance(days=64)
    assert planned(made) == {}
    made.clock.advance(days=2)
    assert planned(made) == {"alpha": "releases have become too old"}
    made.sync()
    assert planned(made) == {}
    made.clock.advance(days=5000)
    assert planned(made) == {"alpha": "releases have become too old"}
    made.sync()
    assert planned(made) == {}


def test_a_new_release_lets_the_old_newest_one_go(made: Bench) -> None:
    made.clock.advance(days=1000)
    made.sync()
    assert made.listed("alpha") == [name("3.0")]
    upload(made, "4.0", days_ago=0)
    made.sync()
    assert made.listed("alpha") == [name("4.0")]


def test_upstreams_clock_decides(made: Bench) -> None:
    upstream = made.clock.now
    made.server.follow(lambda: upstream)
    made.clock.advance(days=5000)
    quiet(made)
    assert len(made.listed("alpha")) == 3
    upstream += 66 * DAY
    quiet(made)
    assert len(made.listed("alpha")) == 2


def test_switching_it_on_and_off_asks_for_no_page(made: Bench) -> None:
    made.change(policy=Policy())
    made.server.requests.reset()
    made.sync()
    assert made.server.requests.count("page") == 0
    assert made.downloads() == [name("0.1")]
    assert len(made.listed("alpha")) == 4
    made.change(policy=Policy(YEAR))
    made.sync()
    made.change(policy=Policy(RecentReleases(released_within=250 * DAY)))
    made.sync()
    assert made.listed("alpha") == [name("2.0"), name("3.0")]
    made.clock.advance(days=55)
    quiet(made)
    assert made.listed("alpha") == [name("3.0")]


def test_the_moment_is_kept_where_another_policy_decides_alike(made: Bench) -> None:
    made.change(policy=Policy(RecentReleases(released_within=310 * DAY)))
    made.sync()
    assert len(made.listed("alpha")) == 3
    made.clock.advance(days=11)
    quiet(made)
    assert made.listed("alpha") == [name("2.0"), name("3.0")]


def test_a_mirror_that_knew_no_ages_has_them_from_the_first_plan_on(bench: MakeBench) -> None:
    made = bench(policy=Policy())
    for version, days_ago in (("1.0", 400), ("2.0", 1)):
        upload(made, version, days_ago=days_ago)
    made.sync()
    made.change(policy=Policy(YEAR))
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request(dry_run=True)).run_id
        list_projects(mirror, run_id)
        partition = partition_projects(mirror, run_id, listed=True)
    assert partition.weighed.files == 1


def test_the_guard_weighs_what_leaves_by_its_age(bench: MakeBench) -> None:
    made = bench(policy=Policy(YEAR))
    for number in range(30):
        for version, days_ago in (("1.0", 300), ("2.0", 100)):
            upload(made, version, days_ago=days_ago, project=f"project-{number}")
    made.sync()
    made.clock.advance(days=70)
    with pytest.raises(ApprovalRequired):
        made.sync()
    assert len(made.listed("project-7")) == 2


def test_what_becomes_too_old_after_the_plan_was_weighed_waits_for_the_next(bench: MakeBench) -> None:
    made = bench(policy=Policy(YEAR, Cooldown(exclude_newer=parse_exclude_newer("7 days"))))
    for version, days_ago in (("1.0", 364), ("2.0", 100)):
        upload(made, version, days_ago=days_ago)
    made.sync()
    upload(made, "3.0", days_ago=0)
    made.sync()
    made.clock.advance(days=10)
    with made.open() as mirror:
        assert publish_due(mirror, "light") is not None
    assert made.listed("alpha") == [name("1.0"), name("2.0"), name("3.0")]
    made.sync()
    assert made.listed("alpha") == [name("2.0"), name("3.0")]


def test_one_that_failed_is_tried_by_the_backlog_alone(made: Bench) -> None:
    made.clock.advance(days=70)
    made.server.faults.inject(Fault(path="/simple/alpha/", effect=Status(code=500), times=None))
    upload(made, "4.0", days_ago=0)
    assert made.sync().state is RunState.FAILED
    assert list(made.backlog()) == ["alpha"]
    made.server.faults.clear()
    made.clock.advance(days=1)
    made.sync()
    assert made.listed("alpha") == [name("2.0"), name("3.0"), name("4.0")]
    assert planned(made) == {}


def test_without_upload_times_all_stays(bench: MakeBench) -> None:
    made = bench(policy=Policy(YEAR), behaviour=HTML_ONLY)
    for version, days_ago in (("1.0", 900), ("2.0", 1)):
        upload(made, version, days_ago=days_ago)
    made.sync()
    assert made.listed("alpha") == [name("1.0"), name("2.0")]
