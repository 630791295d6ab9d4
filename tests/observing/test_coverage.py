"""How far audits reach, and what they found."""

from dataclasses import replace
from datetime import UTC, datetime

from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.observing.coverage import coverage
from pypi_mirror.runs.audit import AuditRequest, audit
from pypi_mirror.settings.values import Audit
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import small


def run_audit(made: Bench, label: str) -> None:
    made.clock.advance(minutes=60)
    with made.open() as mirror:
        audit(mirror, AuditRequest(label=label))


def test_before_the_first_audit_nothing_was_looked_at(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        empty = coverage(mirror)
    assert (empty.oldest, empty.never, empty.projects) == (None, False, 0)
    report = made.sync()
    with made.open() as mirror:
        found = coverage(mirror)
    assert (found.oldest, found.never) == (None, True)
    assert (found.projects, found.projects_covered) == (report.projects, 0)
    assert (found.bytes, found.bytes_covered) == (report.bytes, 0)
    assert (found.needed_bytes, found.suffices, found.audits) == (None, None, ())


def test_what_the_last_audits_found_is_kept(bench: MakeBench) -> None:
    made = bench(scenario=small())
    report = made.sync()
    run_audit(made, "clean")
    audited = datetime.fromtimestamp(made.clock.now, UTC)
    with made.open() as mirror:
        found = coverage(mirror)
    assert (found.oldest, found.never) == (audited, False)
    assert (found.projects_covered, found.bytes_covered) == (report.projects, report.bytes)
    damaged = made.pooled("alpha-1.0.tar.gz")
    assert damaged is not None
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    made.change(audit=replace(made.settings.audit, within_days=0.001))
    run_audit(made, "repairs")
    with made.open() as mirror:
        found = coverage(mirror)
    repairs, clean = found.audits
    assert (clean.name.text, clean.state, clean.found, clean.repaired) == ("clean", RunState.SUCCESS, {}, 0)
    assert (repairs.name.text, repairs.repaired, repairs.unrepaired) == ("repairs", 1, 0)
    assert repairs.found is not None
    assert sum(repairs.found.values()) == 1
    assert repairs.started_at == repairs.finished_at == datetime.fromtimestamp(made.clock.now, UTC)
    # Two audits an hour apart, and a window that is shorter: each has to read everything.
    assert (found.needed_bytes, found.suffices) == (found.bytes, True)


def test_a_budget_that_is_too_small_is_said(bench: MakeBench) -> None:
    made = bench(scenario=small(), audit=Audit(within_days=0.001, gigabytes_per_run=1e-9))
    made.sync()
    run_audit(made, "one")
    run_audit(made, "two")
    with made.open() as mirror:
        assert coverage(mirror).suffices is False


def test_an_audit_that_died_has_no_findings(bench: MakeBench) -> None:
    made = bench(scenario=small())
    with made.open() as mirror:
        mirror.ledger.runs.begin(RunRequest(label="died", kind=RunKind.AUDIT))
        (died,) = coverage(mirror).audits
    assert (died.name.text, died.found, died.repaired, died.finished_at) == ("died", None, None, None)
