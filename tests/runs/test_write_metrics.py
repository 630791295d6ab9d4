"""The figures for Prometheus are brought up to date by runs, audits and the watch."""

from pathlib import Path

import pytest

from pypi_mirror.observing.metrics import metrics
from pypi_mirror.publishing import site as module
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from pypi_mirror.runs.raise_alerts import raise_alerts
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Upload, Wheel

ALPHA = Wheel(name="alpha", version="1.0")


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(Upload(distribution=ALPHA))
    made.sync()
    return made


def figure(on: Bench, name: str) -> float:
    lines = (on.web / "metrics").read_text().splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == f"pypi_mirror_{name}"]
    return float(value)


def watch(on: Bench) -> None:
    with on.open() as mirror:
        raise_alerts(mirror, compose=lambda notice: notice.key, channels=("mail",))


def test_the_watch_tells_how_far_behind_a_mirror_is_that_nobody_syncs(synced: Bench) -> None:
    assert figure(synced, "lag_seconds") == 0
    synced.server.apply(Upload(distribution=Wheel(name="beta")))
    synced.clock.advance(minutes=5)
    watch(synced)
    synced.clock.advance(minutes=60)
    watch(synced)
    assert figure(synced, "lag_seconds") >= 3600
    assert figure(synced, "written_timestamp_seconds") == synced.clock()
    synced.sync()
    assert figure(synced, "lag_seconds") == 0


def test_an_audit_leaves_its_figures_and_takes_them_for_no_stray_file(synced: Bench) -> None:
    with synced.open() as mirror:
        report = run_audit(mirror, AuditRequest(label="audit", everything=True))
    assert report.found == {}
    assert figure(synced, 'runs_total{kind="audit",state="success"}') == 1
    assert figure(synced, "audit_covered_bytes_ratio") == 1


def test_a_disk_that_takes_no_figures_keeps_nobody_from_being_told(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _data: bytes) -> bool:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_atomically", refuse)
    synced.server.apply(Upload(distribution=Wheel(name="beta")))
    watch(synced)
    synced.clock.advance(days=2)
    with synced.open() as mirror:
        told = raise_alerts(mirror, compose=lambda notice: notice.key, channels=("mail",))
        assert b"EOF" in metrics(mirror)
    assert [unsent.message for unsent in told] == ["stale"]
