"""Pages older than what upstream's root index announced: old copies, and role events that look like them."""

import pytest

from pypi_mirror.model import RunState
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import Report, end_dry_run
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    STATIC,
    AddRole,
    Behaviour,
    Corrupt,
    Fault,
    StalePage,
    Upload,
    Wheel,
)
from tests.warehouse.behaviour import PYPI

KINDS = pytest.mark.parametrize("behaviour", [PYPI, STATIC], ids=["changelog", "static"])
OLD_COPY = Fault(path="/simple/lag/", effect=StalePage(), times=None)
FIRST, SECOND = (f"lag-{version}.0-py3-none-any.whl" for version in (1, 2))


def upload(version: str) -> Upload:
    return Upload(distribution=Wheel(name="lag", version=version))


def lagging(made: Bench) -> list[str]:
    with made.open() as mirror:
        return [entry.project for entry in mirror.ledger.backlog.all() if entry.lagging]


def looked_at(made: Bench) -> int:
    """How often upstream was asked for the page since the last time this was called."""
    asked = [each for each in made.server.requests.of("page") if each.path == "/simple/lag/"]
    made.server.requests.reset()
    return len(asked)


def is_silent(result: Report) -> bool:
    return (result.state, result.backlog, result.new_failures, result.known_failures) == (
        RunState.SUCCESS,
        0,
        (),
        (),
    )


@KINDS
def test_an_old_copy_in_a_first_sync_is_looked_at_again(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(upload("1.0"), upload("2.0"), faults=[OLD_COPY], behaviour=behaviour)
    assert is_silent(made.sync())
    assert made.cursor == made.server.warehouse.serial
    assert made.listed("lag") == [FIRST], "an older page is better than none"
    assert lagging(made) == ["lag"]
    audit(made)
    made.server.faults.clear()
    looked_at(made)
    assert is_silent(made.sync())
    assert looked_at(made) == 0, "not due yet"
    assert is_silent(made.sync(clock_step=15))
    assert made.listed("lag") == [FIRST, SECOND]
    assert lagging(made) == []
    audit(made)
    compare(made)


@KINDS
def test_a_role_event_is_given_up_after_four_more_looks(bench: MakeBench, behaviour: Behaviour) -> None:
    made = bench(upload("1.0"), AddRole(project="lag", user="mallory"), behaviour=behaviour)
    assert is_silent(made.sync())
    looked_at(made)
    looks = []
    for minutes in (15, 30, 60, 120):
        assert lagging(made) == ["lag"]
        assert is_silent(made.sync(clock_step=minutes - 2))
        assert looked_at(made) == 0
        assert is_silent(made.sync(clock_step=3))
        looks += [each.status for each in made.server.requests.of("page")]
        made.server.requests.reset()
    assert looks == [304] * 4
    assert lagging(made) == []
    audit(made)
    # For good: neither time nor a look at every page brings it back.
    made.sync(clock_step=24 * 60)
    assert looked_at(made) == 0
    assert is_silent(made.sync(recheck=True))
    assert lagging(made) == []


def test_the_plan_says_why(bench: MakeBench) -> None:
    made = bench(upload("1.0"), upload("2.0"), faults=[OLD_COPY])
    made.sync()
    made.clock.advance(minutes=15)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run)
        (planned,) = mirror.ledger.plan.projects(run)
        end_dry_run(mirror, run)
    assert planned.reason == "the page lagged behind upstream's index"
    assert (planned.serial, planned.exact) == (made.cursor, False)


def test_a_lagging_project_that_fails_is_a_new_failure(bench: MakeBench) -> None:
    made = bench(upload("1.0"), upload("2.0"), faults=[OLD_COPY])
    made.sync()
    made.server.faults.clear()
    made.server.inject(Fault(path=f"/packages/*/{SECOND}", effect=Corrupt(), times=None))
    result = made.sync(clock_step=15)
    assert (result.state, result.backlog) == (RunState.FAILED, 1)
    assert [failure.project for failure in result.new_failures] == ["lag"]
    assert lagging(made) == []
    again = made.sync(clock_step=15)
    assert [failure.project for failure in again.known_failures] == ["lag"]
    made.server.faults.clear()
    assert is_silent(made.sync(clock_step=30))
    compare(made)


def test_an_old_copy_after_a_change_of_filters_is_looked_at_again(bench: MakeBench) -> None:
    """The page we had was newer; no event will ever tell of the difference."""
    made = bench(upload("1.0"), upload("2.0"))
    made.sync()
    made.server.inject(OLD_COPY)
    made.select(exclude_filename="nothing")
    assert [failure.project for failure in made.sync(recheck=True).new_failures] == ["lag"]
    # Pages go forward only: ours stays until upstream gives one that is as new.
    assert made.listed("lag") == [FIRST, SECOND]
    made.server.faults.clear()
    made.sync(clock_step=15)
    assert (made.backlog(), lagging(made)) == ({}, [])
    assert made.listed("lag") == [FIRST, SECOND]
    audit(made)


def test_an_event_ends_the_wait(bench: MakeBench) -> None:
    made = bench(upload("1.0"), AddRole(project="lag", user="mallory"))
    made.sync()
    made.server.apply(upload("2.0"))
    assert is_silent(made.sync())
    assert lagging(made) == []
    audit(made)
    compare(made)


def test_a_lagging_project_that_the_filters_leave_out_is_forgotten(bench: MakeBench) -> None:
    made = bench(upload("1.0"), upload("2.0"), faults=[OLD_COPY])
    made.sync()
    made.select(blocked_projects=frozenset({"lag"}))
    made.sync(clock_step=15)
    assert lagging(made) == []
    audit(made)
