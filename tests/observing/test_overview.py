"""The mirror at a glance."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pypi_mirror.changes.upstream_state import ask_upstream
from pypi_mirror.errors import ApprovalRequired, UpstreamError
from pypi_mirror.model import RunState
from pypi_mirror.observing.overview import Overview, overview
from pypi_mirror.options.disk_reserve import DiskReserve
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.settings.values import RemovalGuard
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, RemoveProject, Status, Upload, Wheel, small


def seen(made: Bench) -> Overview:
    with made.open() as mirror:
        return overview(mirror)


def now(made: Bench) -> datetime:
    return datetime.fromtimestamp(made.clock.now, UTC)


def test_an_empty_mirror(bench: MakeBench) -> None:
    made = bench(scenario=small())
    found = seen(made)
    assert found.at == now(made)
    assert (found.cursor, found.upstream_serial, found.behind, found.lag_seconds) == (None, None, None, None)
    assert (found.updated_at, found.checked_at, found.last_run, found.running) == (None, None, None, None)
    assert (found.projects, found.files, found.bytes, found.backlog) == (0, 0, 0, 0)
    assert (found.waiting, found.left, found.unknown_names) == (None, None, ())


def test_after_a_sync(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.allow("alpha", "beta-lib", "compiled", "alhpa")
    made.server.inject(Fault(path="/packages/*/beta_lib-1.1-*.whl", effect=Corrupt(), times=None))
    report = made.sync()
    synced = now(made)
    made.clock.advance(minutes=10)
    found = seen(made)
    assert (found.projects, found.files, found.bytes) == (report.projects, report.files, report.bytes)
    assert (found.dropped_files, found.dropped_bytes) == (report.dropped_files, report.dropped_bytes)
    assert found.dropped_files > 0
    assert found.cursor == found.upstream_serial == made.server.warehouse.serial
    assert (found.behind, found.lag_seconds) == (0, 0)
    assert (found.checked_at, found.last_run) == (synced, RunState.FAILED)
    # It failed, so the mirror was never complete.
    assert found.updated_at is None
    assert (found.backlog, found.parked, found.running) == (1, 0, None)
    assert found.unknown_names == ("alhpa",)


def test_what_upstream_has_beyond_the_cursor(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    synced = now(made)
    made.clock.advance(minutes=30)
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0"), at=now(made)))
    made.clock.advance(minutes=30)
    with made.open() as mirror:
        ask_upstream(mirror)
    found = seen(made)
    assert found.upstream_serial == made.server.warehouse.serial
    assert found.behind == made.server.warehouse.serial - (made.cursor or 0) > 0
    assert found.lag_seconds == 30 * 60
    assert (found.updated_at, found.checked_at) == (synced, now(made))


def test_a_run_under_way_and_one_that_died(bench: MakeBench) -> None:
    made = bench(scenario=small())
    request = made.request()
    with made.open() as mirror:
        fetch_changelog(mirror, request)
        assert overview(mirror).running == request.label
        # Nobody renews its lease.
        made.clock.advance(minutes=60)
        assert overview(mirror).running is None
        assert overview(mirror).last_run is RunState.RUNNING


def test_a_plan_that_waits_for_a_person(bench: MakeBench) -> None:
    made = bench(scenario=small(), guard=RemovalGuard(max_projects=0, always_allowed=0))
    made.sync()
    made.server.apply(RemoveProject(project="alpha"))
    request = made.request()
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, request).run_id
        partition_projects(mirror, run_id)
        with pytest.raises(ApprovalRequired) as held:
            approve_removals(mirror, run_id)
        # A run of Airflow gives its lease back while it waits.
        mirror.ledger.lease.release(request.label)
        found = overview(mirror)
    assert found.waiting is not None
    assert (found.waiting.plan, found.waiting.run) == (held.value.plan, request.label)
    assert found.waiting.projects == 1
    assert found.waiting.files == 2
    assert "max-projects" in " ".join(found.waiting.exceeded)
    assert found.running == request.label


def test_tombstones_and_the_disk(bench: MakeBench) -> None:
    made = bench(scenario=small(), disk_reserve=DiskReserve(bytes=12_345))
    before = made.sync()
    made.server.apply(RemoveProject(project="alpha"))
    after = made.sync()
    found = seen(made)
    assert (found.tombstones.count, found.tombstones.bytes) == (2, before.bytes - after.bytes)
    assert found.disk.path == str(made.web / "packages")
    assert 0 < found.disk.free <= found.disk.total
    assert found.disk.reserve == 12_345


def test_as_json_times_have_a_zone_and_the_mirror_tells_the_same_to_monitors(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    document = json.loads(msgspec.json.encode(seen(made)))
    assert document["updated_at"] == f"{now(made):%Y-%m-%dT%H:%M:%SZ}"
    published = json.loads(Path(made.web / "mirror.json").read_bytes())
    for name in ("cursor", "upstream_serial", "lag_seconds", "updated_at", "projects", "bytes", "backlog"):
        assert published[name] == document[name], name


def test_a_run_that_upstream_did_not_answer_has_not_asked(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    synced = seen(made).checked_at
    made.server.inject(Fault(path="*", effect=Status(code=503), times=None))
    with pytest.raises(UpstreamError):
        made.sync()
    assert seen(made).checked_at == synced
