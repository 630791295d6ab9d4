"""What people see while dependencies are followed, and of those that were not followed yet."""

import io
from contextlib import redirect_stderr

import pytest

from mirror_airflow.run_request import read_long_list, read_short_list
from pypi_mirror.cli.plan_report import print_unmet_requirements
from pypi_mirror.cli.progress import FollowingLines
from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.dependencies import dependencies
from pypi_mirror.observing.progress import Phase, progress
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.follow_dependencies import follow_dependencies
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.runs.report import fail_run
from tests.runs.bench import MakeBench
from tests.runs.test_dependencies import following, wheel
from tests.warehouse import Fault
from tests.warehouse.faults import Instead


def test_what_was_not_followed_yet_is_said(bench: MakeBench, capsys: pytest.CaptureFixture[str]) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), wheel("web"), policy=following("app"))

    def is_complete() -> bool:
        with made.open() as mirror:
            found = dependencies(mirror)
            assert found is not None
            print_unmet_requirements(mirror)
            said = "the next sync follows them" in capsys.readouterr().err
            assert said is not found.complete
            return found.complete

    assert not is_complete()
    made.sync()
    assert is_complete()
    made.change(policy=following("app", "web"))
    assert not is_complete()
    made.sync()
    assert is_complete()


def test_following_is_a_phase_that_says_how_many_are_left(bench: MakeBench) -> None:
    made = bench(wheel("app", "1.0", "lib", "other"), wheel("lib"), wheel("other"), policy=following("app"))
    seen: list[tuple[Phase, int, int]] = []
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        list_projects(mirror, run)
        read_pages(mirror, run)

        def look(_followed: int) -> None:
            found = progress(mirror)
            assert found is not None
            seen.append((found.phase, found.known, found.to_follow))

        follow_dependencies(mirror, run, on_followed=look)
        assert seen == [(Phase.FOLLOWING, 3, 2), (Phase.DECIDING, 3, 0)]
        assert lines_of(mirror) == "following dependencies: 3 projects known, 0 left\n"
        fail_run(mirror, mirror.ledger.runs.get(run).request.label, "the test is over")


def lines_of(mirror: Mirror) -> str:
    said = io.StringIO()
    with redirect_stderr(said):
        lines = FollowingLines(mirror.ledger.dependencies.progress)
        lines()
        assert not said.getvalue(), "not at once"
        lines.between = 0
        lines()
        lines.end()
    return said.getvalue()


def test_what_failed_in_a_run_is_tried_once_in_it(bench: MakeBench) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), policy=following("app"))
    made.server.inject(Fault(path="/simple/lib/*", effect=Instead(body="{"), times=None))
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        list_projects(mirror, run)
        read_pages(mirror, run)
        assert [each.planned.project for each in follow_dependencies(mirror, run)] == ["lib"]
        made.server.requests.reset()
        assert follow_dependencies(mirror, run, again=False) == ()
        partition_projects(mirror, run, listed=True)
        assert made.server.requests.count("page") == 0
        fail_run(mirror, mirror.ledger.runs.get(run).request.label, "the test is over")


def test_airflow_has_a_task_for_what_may_take_long(bench: MakeBench) -> None:
    made = bench(wheel("app", "1.0", "lib"), wheel("lib"), policy=following("app"))
    with made.open() as mirror:
        request = made.request()
        run = fetch_changelog(mirror, request).run_id
        assert read_short_list(mirror, run) == [0]
        assert read_long_list(mirror, run).failed == ()
        made.server.requests.reset()
        assert [batch.projects for batch in partition_projects(mirror, run, listed=True).batches] == [2]
        assert made.server.requests.counts == {}, "it was followed before"
        fail_run(mirror, request.label, "the test is over")
    made.sync()
    made.server.apply(wheel("lib", "1.1", "deep"), wheel("deep"))
    with made.open() as mirror:
        request = made.request()
        run = fetch_changelog(mirror, request).run_id
        assert read_short_list(mirror, run) == []
        assert mirror.ledger.dependencies.progress() == (3, 0)
        fail_run(mirror, request.label, "the test is over")
