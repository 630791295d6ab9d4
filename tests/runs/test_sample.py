"""Samples are taken by whoever is at work, once a minute, and say what the mirror was like."""

from pypi_mirror.disk.room import room_of
from pypi_mirror.ledger.samples import Sample
from pypi_mirror.model import RunKind
from pypi_mirror.observing.history import take_sample
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, Upload, Wheel, small


def samples(made: Bench) -> list[Sample]:
    with made.open() as mirror:
        return list(mirror.ledger.samples.between(0, int(made.clock.now) + 1, 10**9))


def test_a_run_ends_with_a_sample_of_what_it_leaves(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.server.inject(Fault(path="/packages/*/beta_lib-1.1-*.whl", effect=Corrupt(), times=None))
    report = made.sync()
    (found,) = samples(made)
    assert found.at == made.clock.now
    assert (found.projects, found.files, found.bytes) == (report.projects, report.files, report.bytes)
    assert found.files > 0
    assert found.backlog == 1
    assert found.lag_seconds == 0
    # The run was over by then.
    assert found.run_id is None
    room = room_of(made.web)
    assert found.disk_used + found.disk_free == room.size
    assert abs(found.disk_free - room.free) < room.size / 10


def test_of_two_that_come_within_a_minute_the_second_is_none(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        assert take_sample(mirror)
        made.clock.advance(minutes=0.9)
        assert not take_sample(mirror)
        made.clock.advance(minutes=0.1)
        assert take_sample(mirror)
    assert len(samples(made)) == 2


def test_before_the_first_sync_the_lag_is_not_known(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        take_sample(mirror)
    (found,) = samples(made)
    assert (found.projects, found.files, found.lag_seconds) == (0, 0, None)


def test_under_way_it_says_how_far_the_run_is(bench: MakeBench) -> None:
    made = bench(*(Upload(distribution=Wheel(name=name)) for name in ("a", "b", "c", "d")))
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        batches = partition_projects(mirror, run_id, batch_size=2, smallest=2).batches
        download_projects(mirror, run_id, batches[0].number)
        made.clock.advance(minutes=2)
        assert take_sample(mirror)
        done = mirror.ledger.plan.progress(run_id).tally
    found = samples(made)[-1]
    assert (found.run_id, found.run_projects, found.run_bytes) == (run_id, 2, done.bytes_downloaded)
    assert done.bytes_downloaded > 0


def test_a_run_that_died_is_not_taken_for_one_under_way(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        fetch_changelog(mirror, made.request(kind=RunKind.SYNC))
        made.clock.advance(minutes=60)
        take_sample(mirror)
    assert samples(made)[-1].run_id is None
