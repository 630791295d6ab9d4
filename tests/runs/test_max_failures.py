"""max-failures: between stop-on-error's true and false, counted over all batches of a run."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pypi_mirror.errors import RunStopped
from pypi_mirror.fetching import failure_limit
from pypi_mirror.model import PlanState, RunState
from pypi_mirror.options.max_failures import MaxFailures
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from tests.runs.audit import audit, audit_served, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, many

PROJECTS = 20


def bad(*numbers: int) -> list[Fault]:
    return [
        Fault(path=f"/packages/*/project_{number:05}-*.whl", effect=Corrupt(), times=None)
        for number in numbers
    ]


@pytest.fixture(autouse=True)
def asks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_limit, "_ASK_EVERY", 0.0)


def stops(made: Bench, *, batch_size: int = 500) -> str:
    with pytest.raises(RunStopped) as caught:
        made.sync(batch_size=batch_size)
    assert made.cursor is None
    assert not (made.web / "simple/index.html").exists()
    assert not (made.settings.directory / "status").exists()
    audit_served(made)
    with made.open() as mirror:
        assert mirror.ledger.runs.latest()[0].state is RunState.FAILED
        mirror.ledger.lease.take("somebody else")
        mirror.ledger.lease.release("somebody else")
    return str(caught.value)


def test_as_many_failures_as_are_tolerated_are_published_around(bench: MakeBench) -> None:
    made = bench(scenario=many(PROJECTS, 1, 200), faults=bad(3, 12), max_failures=MaxFailures(projects=2))
    result = made.sync(batch_size=5)
    assert (result.state, result.tally.projects_failed) == (RunState.FAILED, 2)
    assert result.cursor == made.server.warehouse.serial
    audit(made)


@pytest.mark.parametrize(
    ("limit", "said"), [(MaxFailures(projects=2), "= 2: "), (MaxFailures(percent=10), "= 10%: ")]
)
def test_one_more_in_another_batch_stops_the_run(bench: MakeBench, limit: MaxFailures, said: str) -> None:
    made = bench(scenario=many(PROJECTS, 1, 200), faults=bad(3, 8, 12), max_failures=limit)
    reason = stops(made, batch_size=5)
    assert reason.startswith(f"max-failures {said}3 projects of this run have failed, 2 are tolerated")
    assert "project-00012 failed: " in reason
    assert set(made.backlog()) == {"project-00003", "project-00008", "project-00012"}
    # What was downloaded is kept, and the next run does the rest.
    complete = {path.name for path in (made.web / "packages").rglob("*.whl")}
    assert complete
    made.server.faults.clear()
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert not complete & set(made.downloads())
    audit(made)
    compare(made)


def test_in_one_batch_the_rest_is_not_asked_for(bench: MakeBench) -> None:
    made = bench(scenario=many(200, 1, 200), faults=bad(*range(200)), max_failures=MaxFailures(projects=5))
    stops(made)
    assert len(set(made.downloads())) < 60


def test_a_batch_under_way_hears_of_the_failures_of_another(bench: MakeBench) -> None:
    made = bench(
        scenario=many(PROJECTS, 1, 200),
        faults=bad(0, 1, 2),
        max_failures=MaxFailures(projects=2),
        workers=1,
    )

    def other_batch(run: int) -> str:
        with made.open() as mirror, pytest.raises(RunStopped) as caught:
            download_projects(mirror, run, 0)
        return str(caught.value)

    with made.open() as mirror, ThreadPoolExecutor() as other:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run, batch_size=10)
        heard: list[str] = []

        def meanwhile() -> None:
            if not heard:
                heard.append(other.submit(other_batch, run).result())

        with pytest.raises(RunStopped, match=r"3 projects of this run have failed.* in other batches"):
            download_projects(mirror, run, 1, should_stop=meanwhile)
        assert "3 projects" in heard[0]
        assert mirror.ledger.plan.count(run, PlanState.PENDING) >= 5


def test_batches_that_are_run_again_go_on(bench: MakeBench) -> None:
    """As after a run was stopped, upstream was mended and its tasks were cleared in Airflow."""
    made = bench(scenario=many(PROJECTS, 1, 200), faults=bad(0, 1, 12), max_failures=MaxFailures(projects=2))
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run, batch_size=10)
        download_projects(mirror, run, 0)
        with pytest.raises(RunStopped):
            download_projects(mirror, run, 1)
        made.server.faults.clear()
        assert download_projects(mirror, run, 1).failures == ()
        assert download_projects(mirror, run, 0).failures == ()
        assert mirror.ledger.plan.count(run, PlanState.DONE) == PROJECTS


def test_a_batch_that_is_run_again_and_fails_again_stops_again(bench: MakeBench) -> None:
    """Its failures of the first time are tried once more: they are no failures that others left."""
    made = bench(scenario=many(PROJECTS, 1, 200), faults=bad(0, 1, 2), max_failures=MaxFailures(projects=2))
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run, batch_size=PROJECTS)
        for _ in range(2):
            with pytest.raises(RunStopped, match="3 projects of this run have failed"):
                download_projects(mirror, run, 0)


def test_failures_of_the_first_time_do_not_count_beside_those_of_the_second(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failure_limit, "_ASK_EVERY", 3600.0)
    made = bench(scenario=many(PROJECTS, 1, 200), faults=bad(0, 1), max_failures=MaxFailures(projects=2))
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run, batch_size=PROJECTS)
        for _ in range(2):
            assert len(download_projects(mirror, run, 0).failures) == 2
