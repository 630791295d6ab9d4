"""How far a run is, how fast, and how long it will take."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pypi_mirror.fetching import read_commit
from pypi_mirror.ledger.page_reads import PageReads
from pypi_mirror.ledger.results import Failed
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.observing.history import take_sample
from pypi_mirror.observing.progress import RunProgress, progress
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.read_pages import read_pages
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import report
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, Upload, Wheel

NAMES = [f"project-{letter}" for letter in "abcdefgh"]


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    return bench(*(Upload(distribution=Wheel(name=name)) for name in NAMES))


@contextmanager
def begun(made: Bench) -> Iterator[tuple[Mirror, int]]:
    """A run with four batches of two projects each."""
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        assert len(partition_projects(mirror, run_id, batch_size=2, smallest=2).batches) == 4
        yield mirror, run_id


def how_far(mirror: Mirror) -> RunProgress:
    found = progress(mirror)
    assert found is not None
    return found


def test_without_a_run_there_is_none(made: Bench) -> None:
    with made.open() as mirror:
        assert progress(mirror) is None
    made.sync()
    with made.open() as mirror:
        assert progress(mirror) is None


def test_a_run_that_has_begun(made: Bench) -> None:
    with begun(made) as (mirror, _):
        found = how_far(mirror)
    assert (found.label, found.kind, found.started_at.timestamp()) == ("run 1", RunKind.SYNC, made.clock.now)
    assert (found.planned, found.done, found.failed, found.files, found.bytes) == (8, 0, 0, 0, 0)
    assert (found.batches, found.batches_done) == (4, 0)
    assert (found.bytes_a_second, found.projects_a_second, found.seconds_left) == (None, None, None)
    assert [(each.number, each.name, each.projects) for each in found.batch_list] == [
        (number, f"{NAMES[2 * number]} … {NAMES[2 * number + 1]}", 2) for number in range(4)
    ]


def test_pages_are_counted_until_all_are_read(made: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_commit, "_PROJECTS", 2)
    made.server.inject(Fault(path="/simple/project-a/", effect=Corrupt(), times=None))
    seen: list[RunProgress] = []
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        assert list_projects(mirror, run_id) == len(NAMES)
        before = how_far(mirror)

        def look(_: int) -> None:
            made.clock.advance(minutes=1)
            seen.append(how_far(mirror))

        read_pages(mirror, run_id, on_read=look)
        partition_projects(mirror, run_id, listed=True)
        planned = how_far(mirror)
    assert (before.pages, before.pages_read, before.seconds_left) == (8, 0, None)
    assert [each.phase for each in (before, *seen)] == [*["reading"] * 4, "deciding"]
    assert (planned.phase, planned.planned_files) == ("fetching", 7)
    read = seen[:3]
    assert [(each.pages, each.pages_read + each.failed) for each in read] == [(8, 2), (8, 4), (8, 6)]
    assert (seen[3].pages, seen[3].pages_read) == (0, 0)
    assert [each.seconds_left for each in read] == [180, 120, 60]
    assert {each.planned for each in (before, *read)} == {0}, "there is no plan yet"
    assert (planned.pages, planned.pages_read) == (0, 0)
    assert (planned.planned, planned.failed, planned.done) == (8, 1, 0)
    assert sum(each.projects for each in planned.batch_list) == 7


def test_a_page_that_cannot_be_read_leaves_the_others_to_be_read(made: Bench) -> None:
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        list_projects(mirror, run_id)
        first = mirror.ledger.plan.unread(run_id, 1)[0]
        failed = Failed(planned=first, error="CutOff", reason="a test")
        PageReads(mirror.ledger.engine, mirror.clock, run_id).record([failed])
        found = how_far(mirror)
    assert (found.pages, found.pages_read, found.failed, found.planned) == (8, 0, 1, 0)


def test_pages_that_the_catalogue_has_need_not_be_read(made: Bench) -> None:
    made.sync()
    made.server.apply(*(Upload(distribution=Wheel(name=name, version="2.0")) for name in NAMES[:3]))
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        assert list_projects(mirror, run_id) == 3
        assert how_far(mirror).pages == 3


def test_speed_is_told_from_the_begin_of_a_run_without_samples(made: Bench) -> None:
    with begun(made) as (mirror, run_id):
        for batch in (0, 1):
            download_projects(mirror, run_id, batch)
        made.clock.advance(minutes=1)
        found = how_far(mirror)
        downloaded = mirror.ledger.plan.progress(run_id).tally.bytes_downloaded
    assert (found.done, found.files, found.bytes, found.batches_done) == (4, 4, downloaded, 2)
    assert found.projects_a_second == pytest.approx(4 / 60)
    assert found.bytes_a_second == pytest.approx(downloaded / 60)
    assert found.seconds_left == 60


def test_time_left_is_that_of_the_bytes_where_they_take_longer(bench: MakeBench) -> None:
    large = [Wheel(name=name, size=10**6) for name in NAMES[-2:]]
    made = bench(*(Upload(distribution=wheel) for wheel in [*map(_small, NAMES[:-2]), *large]))
    with begun(made) as (mirror, run_id):
        for batch in range(3):
            download_projects(mirror, run_id, batch)
        made.clock.advance(minutes=1)
        found = how_far(mirror)
        pending = found.planned_bytes - found.bytes
    assert pending > 2 * 10**6
    assert found.bytes_a_second is not None
    assert found.seconds_left == pytest.approx(pending / found.bytes_a_second, rel=0.01)


def _small(name: str) -> Wheel:
    return Wheel(name=name)


def test_speed_is_that_of_the_last_minutes(made: Bench) -> None:
    with begun(made) as (mirror, run_id):
        download_projects(mirror, run_id, 0)
        # A first half hour in which upstream was slow tells nothing of the rest.
        made.clock.advance(minutes=14)
        take_sample(mirror)
        mirror.ledger.lease.renew("run 1")
        made.clock.advance(minutes=4)
        download_projects(mirror, run_id, 1)
        download_projects(mirror, run_id, 2)
        found = how_far(mirror)
    assert found.projects_a_second == pytest.approx(4 / 240)
    assert found.seconds_left == 120


def test_a_sample_from_long_ago_is_not_what_speed_is_told_from(made: Bench) -> None:
    with begun(made) as (mirror, run_id):
        take_sample(mirror)
        made.clock.advance(minutes=10)
        mirror.ledger.lease.renew("run 1")
        download_projects(mirror, run_id, 0)
        take_sample(mirror)
        made.clock.advance(minutes=2)
        download_projects(mirror, run_id, 1)
        assert how_far(mirror).projects_a_second == pytest.approx(2 / 120)


def test_a_run_that_stands_still_has_no_end(made: Bench) -> None:
    with begun(made) as (mirror, run_id):
        download_projects(mirror, run_id, 0)
        made.clock.advance(minutes=6)
        take_sample(mirror)
        made.clock.advance(minutes=2)
        mirror.ledger.lease.renew("run 1")
        found = how_far(mirror)
    assert (found.done, found.seconds_left, found.bytes_a_second) == (2, None, None)


def test_failed_projects_are_done_with(made: Bench) -> None:
    made.server.inject(Fault(path="/packages/*/project_a-*", effect=Corrupt(), times=None))
    with begun(made) as (mirror, run_id):
        download_projects(mirror, run_id, 0)
        found = how_far(mirror)
    assert (found.done, found.failed, found.batches_done) == (1, 1, 1)
    assert (found.batch_list[0].done, found.batch_list[0].failed) == (1, 1)


def test_at_its_end_nothing_is_left(made: Bench) -> None:
    with begun(made) as (mirror, run_id):
        for batch in range(4):
            download_projects(mirror, run_id, batch)
        made.clock.advance(minutes=1)
        found = how_far(mirror)
        assert (found.seconds_left, found.phase) == (0, "publishing")
        assert found.files == found.planned_files
        assert found.bytes >= found.planned_bytes
        rebuild_index(mirror, run_id)
        report(mirror, run_id)
        assert progress(mirror) is None
