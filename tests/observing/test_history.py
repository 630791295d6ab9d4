"""Runs, samples and the forecast that is drawn from them."""

from datetime import UTC, datetime, timedelta

from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.history import disk_forecast, history
from pypi_mirror.options.disk_reserve import DiskReserve
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from tests.ledger.samples import sample
from tests.runs.bench import MakeBench
from tests.warehouse import Corrupt, Fault, Upload, Wheel, small

GB = 10**9
DAY = 24 * 3600


def test_runs_and_samples_since_a_moment(bench: MakeBench) -> None:
    made = bench(scenario=small())
    first = made.sync()
    made.clock.advance(days=2)
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.server.inject(Fault(path="/packages/*/alpha-2.0-*", effect=Corrupt(), times=None))
    second = made.sync()
    now = datetime.fromtimestamp(made.clock.now, UTC)
    with made.open() as mirror:
        whole = history(mirror, now - timedelta(days=30))
        recent = history(mirror, now - timedelta(days=1))
        one = history(mirror, now - timedelta(days=30), most=1)
    assert [run.label for run in whole.runs] == [second.label, first.label]
    failed, complete = whole.runs
    assert (complete.state, complete.kind, complete.failed) == (RunState.SUCCESS, RunKind.SYNC, 0)
    assert (complete.projects, complete.files) == (first.tally.projects_done, first.tally.files_downloaded)
    assert (complete.bytes, complete.reason) == (first.tally.bytes_downloaded, None)
    assert (failed.state, failed.failed, failed.started_at, failed.finished_at) == (
        RunState.FAILED, 1, now, now
    )  # fmt: skip
    assert failed.reason is not None
    assert "1 of 1 projects failed" in failed.reason
    assert [each.at for each in whole.samples] == [complete.finished_at, now]
    assert [each.backlog for each in whole.samples] == [0, 1]
    assert whole.samples[0].bytes == first.bytes
    assert ([run.label for run in recent.runs], len(recent.samples)) == ([second.label], 1)
    assert ([run.label for run in one.runs], [each.at for each in one.samples]) == ([second.label], [now])


def test_a_run_under_way_has_no_end(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        fetch_changelog(mirror, made.request())
        (run,) = history(mirror, datetime.fromtimestamp(0, UTC)).runs
    assert (run.state, run.finished_at, run.projects) == (RunState.RUNNING, None, 0)


def test_the_disk_is_full_when_only_its_reserve_is_left(bench: MakeBench) -> None:
    made = bench(scenario=small(), disk_reserve=DiskReserve(bytes=50 * GB))
    now = int(made.clock.now)
    with made.open() as mirror:
        assert disk_forecast(mirror).bytes_a_day is None
        for hours in range(7 * 24, 0, -4):
            used = 1_000 * GB - hours * 10 * GB // 24
            at = now - hours * 3600
            mirror.ledger.samples.add(sample(at, disk_used=used, disk_free=1_200 * GB - used))
        # What was before the last week does not count.
        mirror.ledger.samples.add(sample(now - 20 * DAY, disk_used=1, disk_free=1_200 * GB))
        mirror.ledger.samples.add(sample(now, disk_used=1_000 * GB, disk_free=200 * GB))
        found = disk_forecast(mirror)
    assert found.bytes_a_day == 10 * GB
    assert found.full_at == datetime.fromtimestamp(now, UTC) + timedelta(days=15)
