"""A fifth of all requests goes wrong, in every way in which requests do.

A mirror is filled and kept up to date by whole runs while upstream changes. After each run, everything must
be current or on the backlog, and the run's state must say which. Then the faults end; so must the backlog,
and the engine's own audit finds what no event tells of: files that a project had got before it failed, and
upstream removed before its next try; provenance that upstream added while an old copy of the page was served.
"""

import random
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from pypi_mirror.audit.findings import Kind
from pypi_mirror.errors import MirrorError, UpstreamError
from pypi_mirror.model import RunState
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from pypi_mirror.runs.report import Report
from pypi_mirror.settings.values import RemovalGuard
from pypi_mirror.upstream.changelog import changes_content
from tests.runs.audit import audit, compare, compare_page
from tests.runs.bench import PATIENCE, Bench, make_bench
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.changes import change, first_uploads
from tests.torture.truth import check_tree
from tests.warehouse import (
    Append,
    Corrupt,
    Delay,
    Drip,
    Drop,
    Fault,
    GzipGarbage,
    HtmlError,
    Instead,
    Missing,
    StalePage,
    Status,
    Truncate,
)
from tests.warehouse.faults import AnyEffect

_SHARE = 0.2
# Each of the two that take until a timeout: no more of them, for the engine asks so often refused an upstream
# for two or three things at once, and all the others wait meanwhile.
_SLOW_SHARE = 0.0015
_TIMEOUT = 1.0
_GLOBAL_TIMEOUT = 1.5
_ROUNDS = 4
# So many requests for each project of the first run make four or five runs of it.
_REQUESTS_A_PROJECT = 14
_ENOUGH = 40
_ALL_PAGES = 1_000_000
# Days after which even what is parked is tried again.
_UNTIL_DUE = 8

_ANYTHING: tuple[AnyEffect, ...] = (
    Status(code=500),
    Status(code=502),
    Status(code=503),
    Status(code=429, retry_after="7"),
    Drop(),
    Drop(reset=True),
    Drop(after=100),
    Drop(after=300, reset=True),
    Truncate(keep=200),
    HtmlError(),
    GzipGarbage(),
)
_SLOW: tuple[AnyEffect, ...] = (Delay(seconds=_TIMEOUT * 4), Drip(chunk=20, seconds=0.2))
_PAGE = (
    StalePage(),
    Missing(),
    Append(size=9),
    Corrupt(),
    Instead(body="{}"),
    Instead(body="", content_type="application/vnd.pypi.simple.v1+json"),
)
_FILE = (Append(size=9), Corrupt(), Missing())
# A .metadata or provenance that is 404 is upstream's way to say that there is none: nobody could tell.
_SIDECAR = (Append(size=9), Corrupt())

# Rows do not overlap, but for the files' own: a sidecar of a wheel is no wheel.
_WHERE: tuple[tuple[str, tuple[AnyEffect, ...]], ...] = (
    ("/simple/", _ANYTHING),
    ("/simple/?*/", (*_ANYTHING, *_PAGE)),
    ("/packages/*.whl", (*_ANYTHING, *_FILE)),
    ("/packages/*.gz", (*_ANYTHING, *_FILE)),
    ("/packages/*.metadata", (*_ANYTHING, *_SIDECAR)),
    ("/integrity/*", (*_ANYTHING, *_SIDECAR)),
    ("/pypi", _ANYTHING),
)


def faults(chance: random.Random) -> tuple[Fault, ...]:
    """Every effect everywhere it makes sense; together they meet ``_SHARE`` of the requests."""
    fast = 1 - (1 - _SHARE) / (1 - _SLOW_SHARE) ** len(_SLOW)
    shares = (
        (path, effect, share)
        for path, effects in _WHERE
        for effect, share in (
            *((each, _SLOW_SHARE) for each in _SLOW),
            *((each, 1 - (1 - fast) ** (1 / len(effects))) for each in effects),
        )
    )
    return tuple(
        Fault(path=path, effect=effect, times=None, share=share, seed=chance.getrandbits(32))
        for path, effect, share in shares
    )


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    wrong: list[Wrong] = []
    projects = max(20, goal // _REQUESTS_A_PROJECT)
    with make_bench(
        directory,
        *first_uploads(projects, chance),
        exclude=None,
        workers=64,
        timeout=_TIMEOUT,
        global_timeout=_GLOBAL_TIMEOUT,
        guard=RemovalGuard(max_percent=100, max_projects=projects * 100, weekly_percent=100),
    ) as bench:
        bench.patience = replace(PATIENCE, attempts=4)
        requests, server = bench.server.requests, bench.server
        server.inject(*faults(chance))
        ended = rounds = failed = 0
        # What is broken through and through would go on for ever.
        while (rounds < _ROUNDS or requests.count() < goal) and len(wrong) < _ENOUGH:
            if rounds:
                change(server.warehouse, chance, projects)
            report = _run(bench, wrong)
            ended += report is None
            failed += len(_waiting(bench))
            rounds += 1
        met = server.faults.requests
        done = requests.count()
        server.faults.clear()
        _recover(bench, wrong)
        swept = _sweep(bench, wrong)
        effects = server.faults.effects
    return Outcome(
        done=done,
        wrong=tuple(wrong),
        notes=(
            f"{met:,} of {done:,} requests went wrong ({met / done:.1%})",
            f"effects: {', '.join(f'{name} {number}' for name, number in effects.most_common())}",
            f"{rounds} runs, {projects} projects; {ended} runs ended at their first step",
            f"{failed} times a project had to wait on the backlog; {swept} files that nobody knew were swept",
        ),
    )


def _run(bench: Bench, wrong: list[Wrong]) -> Report | None:
    """One run and what is to be said of it; None when upstream did not even say what has changed."""
    cursor = bench.cursor
    before = _waiting(bench)
    try:
        # An hour is enough for the first tries of what failed to come round again.
        report = bench.sync(clock_step=60)
    except MirrorError as error:
        wrong += _lies_of_an_ended_run(bench, error, cursor)
        wrong += _judged(bench, published=False)
        return None
    wrong += _lies(bench, report, before)
    wrong += check_tree(bench.web, bench.server.warehouse, _waiting(bench))
    # It reads each page with two parsers: every other run has to do.
    if bench.runs % 2:
        wrong += _judged(bench, published=True)
    return report


def _recover(bench: Bench, wrong: list[Wrong]) -> None:
    """Upstream is well again: all that waited arrives, and nothing differs any more."""
    for _ in range(5):
        bench.clock.advance(days=_UNTIL_DUE)
        wrong += _lies(bench, bench.sync(), _waiting(bench))
        if not _waiting(bench):
            break
    wrong += (
        Wrong(kind="project lost", detail=f"{name} still waits: {bench.backlog().get(name)}")
        for name in _waiting(bench)
    )
    wrong += check_tree(bench.web, bench.server.warehouse, ())
    wrong += (
        Wrong(kind="wrong bytes", detail=f"{name} differs from upstream's, and an event said so")
        for name in _behind_an_event(bench)
    )


def _behind_an_event(bench: Bench) -> Iterator[str]:
    """Projects whose pages differ from upstream's though an event that the cursor has passed speaks of it."""
    with bench.open() as mirror:
        held = [project for project in mirror.ledger.projects.all() if project.present]
        cursor = mirror.ledger.facts.cursor or 0
        told = {
            event.project: event.serial
            for event in mirror.ledger.events.between(0, cursor)
            if changes_content(event.action)
        }
    for project in held:
        if told.get(project.project, 0) > (project.serial or 0):
            try:
                compare_page(bench, project.project)
            except AssertionError:
                yield project.project


def _compared(bench: Bench) -> Iterator[Wrong]:
    try:
        compare(bench)
    except AssertionError as error:
        yield Wrong(kind="wrong bytes", detail=f"a page differs from upstream's: {error}")


def _sweep(bench: Bench, wrong: list[Wrong]) -> int:
    """The audit finds what nobody knows, deletes it after the grace period, and has nothing else to mend; how
    many files that were.
    """
    swept = 0
    bench.change(audit=replace(bench.settings.audit, pages_per_run=_ALL_PAGES))
    for _ in range(2):
        bench.runs += 1
        with bench.open() as mirror:
            audited = run_audit(mirror, AuditRequest(label=f"audit {bench.runs}", everything=True))
        swept += audited.swept
        others = {kind: number for kind, number in audited.found.items() if kind is not Kind.ORPHAN}
        if others or audited.failures:
            detail = f"the mirror's own audit found {others}, could not mend {audited.failures}"
            wrong.append(Wrong(kind="wrong bytes", detail=detail))
        bench.clock.advance(days=bench.settings.grace_days + 1)
    wrong += _judged(bench, published=True, orphans=False)
    wrong += _compared(bench)
    return swept


def _waiting(bench: Bench) -> set[str]:
    with bench.open() as mirror:
        return {entry.project for entry in mirror.ledger.backlog.all()}


def _failed(bench: Bench) -> set[str]:
    with bench.open() as mirror:
        return {entry.project for entry in mirror.ledger.backlog.failed()}


def _lies(bench: Bench, report: Report, before: set[str]) -> Iterator[Wrong]:
    """A run is failed when, and only when, a project is on the backlog that was not, and the cursor is where
    upstream is.
    """
    new = {failure.project for failure in report.new_failures}
    failed = _failed(bench)
    if not failed - before <= new <= failed:
        yield _lie(report, f"new failures are {sorted(failed - before)}, it names {sorted(new)}")
    if (report.state is RunState.FAILED) != bool(new):
        yield _lie(report, f"is {report.state} with {len(new)} new failures: {report.reason}")
    if report.tally.projects_failed != len(report.new_failures) + len(report.known_failures):
        yield _lie(report, f"counts {report.tally.projects_failed} failures, and names others")
    if bench.cursor != bench.server.warehouse.serial:
        yield _lie(report, f"leaves the cursor at {bench.cursor}, upstream is at another serial")


def _lies_of_an_ended_run(bench: Bench, error: MirrorError, cursor: int | None) -> Iterable[Wrong]:
    """Only the question what has changed may end a run, and such a run moves nothing."""
    with bench.open() as mirror:
        latest = next(iter(mirror.ledger.runs.latest()))
    asked = isinstance(error, UpstreamError) and error.url in (
        f"{bench.server.url}/pypi",
        f"{bench.server.url}/simple/",
    )
    if not asked:
        yield Wrong(kind="lying run state", detail=f"a run gave up, not at its first step: {error!r}")
    if latest.state is not RunState.FAILED or bench.cursor != cursor:
        yield Wrong(kind="lying run state", detail=f"a run that ended with {error} is {latest.state}")


def _lie(report: Report, what: str) -> Wrong:
    return Wrong(kind="lying run state", detail=f"{report.label} {what}")


def _judged(bench: Bench, *, published: bool, orphans: bool = True) -> Iterator[Wrong]:
    try:
        audit(bench, published=published, orphans=orphans)
    except (AssertionError, FileNotFoundError) as error:
        # An assertion without words is told by its line.
        where = traceback.extract_tb(error.__traceback__)[-1]
        yield Wrong(kind="wrong bytes", detail=f"the audit says: {error or where.line}")


CAMPAIGN = Campaign(
    name="request-faults",
    what="injected request faults (20 % of requests)",
    wrong="project lost, wrong bytes published, run state that lies",
    at_least=20_000,
    unit="requests",
    run=run,
)
