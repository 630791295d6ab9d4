"""Case I: what the ledger answers, and how fast, when it holds all of PyPI: 15 million files.

The rows are made up, by the database itself. What a person or a task waits for is a question, and none may
take a second; what goes through everything, as a plan after a change of filters does, is a pass.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import rmtree
from time import perf_counter
from typing import Any, Final

from packaging.utils import NormalizedName
from sqlalchemy import text

from bench.cases import Goal
from bench.run_sync import Round, Say
from pypi_mirror.ledger.audits import AuditedProject
from pypi_mirror.ledger.plan import Plan
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.tables import metadata
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import Action, PlannedProject
from pypi_mirror.observing.coverage import coverage
from pypi_mirror.observing.history import take_sample
from pypi_mirror.observing.progress import progress
from pypi_mirror.observing.projects import project, project_page
from pypi_mirror.observing.tombstones import tombstone_page
from pypi_mirror.planning.plan import cut
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.settings.values import Settings, Site

TITLE: Final = "a ledger of {files:,} files in {projects:,} projects"
# The slowest of the questions, in seconds.
GOALS: Final = (Goal(figure="wall", to=None, at_most=1.0),)
_PROJECTS: Final = 730_000
_START: Final = 1_500_000_000
_NOW: Final = 1_800_000_000
_DAY: Final = 24 * 3600
# Every thousandth project is one of the huge ones.
_HUGE: Final = 1_000
_HUGE_FILES: Final = 5_000
_RUN: Final = 1
_SLICE: Final = 20_000


def run_ledger(*, home: Path, scale: float, repeat: int, say: Say) -> tuple[str, list[Round]]:
    """Rounds of every question and pass, ``ours`` being the slowest question; sizes come in bytes a row."""
    settings = Settings(directory=home / "mirror", master="https://index.example", site=Site(enabled=False))
    try:
        with open_mirror(settings, clock=lambda: float(_NOW)) as mirror:
            count = _fill(mirror, max(2 * _HUGE, round(_PROJECTS * scale)))
            held = mirror.ledger.projects.totals()
            say(f"  a ledger of {held.files:,} files is ready")
            rounds = [_round(mirror, count) | _sizes(mirror, count, held.files) for _ in range(repeat)]
        for name, figures in rounds[-1].items():
            say(f"  {name}: " + ", ".join(f"{value:,.4g} {figure}" for figure, value in figures.items()))
    finally:
        rmtree(home, ignore_errors=True)
    return TITLE.format(files=held.files, projects=held.projects), rounds


def _fill(mirror: Mirror, count: int) -> int:
    """``count`` projects, their files, as many events, and a plan for all; returns ``count``."""
    engine = mirror.ledger.engine
    late = [index for table in metadata.sorted_tables for index in table.indexes]
    mirror.ledger.lease.take("bench")
    assert mirror.ledger.runs.begin(RunRequest(label="bench")).id == _RUN  # noqa: S101 - it is the first
    values = {"count": count, "huge": _HUGE, "huge_files": _HUGE_FILES, "start": _START}
    with engine.begin() as connection:
        for index in late:
            index.drop(connection)
        connection.execute(text(_PROJECT_ROWS), values)
    for first in range(0, count, _SLICE):
        # The write-ahead log holds a transaction whole.
        with engine.begin() as connection:
            connection.execute(text(_FILE_ROWS), values | {"first": first, "last": first + _SLICE})
    with engine.begin() as connection:
        for statement in _OTHER_ROWS:
            connection.execute(text(statement), values)
        for index in late:
            index.create(connection)
    return count


# Uploads and audits are spread evenly over 3,000 days; one file in two thousand is a tombstone.
_PROJECT_ROWS: Final = """
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :count)
    INSERT INTO projects (name, display_name, serial, seen_serial, made_entry, made_decision, status,
                          selection, files, bytes, dropped_files, dropped_bytes, synced_at, audited_at)
    SELECT printf('project-%07d-synthetic', i), printf('Project_%07d.synthetic', i), i, i,
           randomblob(16), randomblob(16), 'active', 'selection-of-the-bench',
           CASE WHEN i % :huge = 0 THEN :huge_files ELSE 1 + i % 31 END, i, 0, 0, :start,
           :start + (i * 7919 % 2999) * 86400
    FROM n
"""
_FILE_ROWS: Final = """
    WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < :huge_files)
    INSERT INTO files (project_id, filename, location, sha256, size, metadata_sha256, provenance,
                       uploaded_at, verified_at, removed_at)
    SELECT id, printf('project_%07d_synthetic-1.%04d-py3-none-any.whl', id, k),
           randomblob(32), randomblob(32), 100000 + k, randomblob(32), 0,
           :start + abs(random()) % (3000 * 86400), :start,
           CASE WHEN abs(random()) % 2000 = 0 THEN :start + k END
    FROM projects CROSS JOIN n WHERE id > :first AND id <= :last AND k < projects.files
"""
_OTHER_ROWS: Final = (
    """
    INSERT INTO events (serial, project, display_name, version, timestamp, action)
    SELECT id, name, display_name, '1.0', :start + id * 355, 'new release' FROM projects
    """,
    """
    INSERT INTO backlog (project, display_name, error, reason, serial, exact, attempts, first_run_id,
                         first_failed_at, last_failed_at, next_try_at, parked, lagging)
    SELECT name, display_name, 'DigestMismatch', 'sha256 is another', serial, 1, 3, 1, :start, :start,
           :start, 0, 0
    FROM projects WHERE id % 500 = 0
    """,
)


def _sizes(mirror: Mirror, count: int, held: int) -> Round:
    """Bytes a row of the tables that grow, their indexes included."""
    statement = text(
        "SELECT t.tbl_name, sum(s.pageno) * (SELECT page_size FROM pragma_page_size) FROM dbstat s "
        "JOIN sqlite_master t ON t.name = s.name WHERE s.aggregate = 1 GROUP BY t.tbl_name"
    )
    with mirror.ledger.engine.connect().execution_options(reading=True) as connection:
        sizes = {name: float(size) for name, size in connection.execute(statement)}
    rows = {"projects": count, "files": held, "events": count, "plan": count}
    return {f"a row of {table}": {"bytes": sizes[table] / number} for table, number in rows.items()}


def _round(mirror: Mirror, count: int) -> Round:
    took: Round = {}
    ledger = mirror.ledger
    plan = (_planned(i) for i in range(count))
    took["write a plan of all"] = _pass(lambda: _write(ledger.plan, plan, count))
    for name, question in _QUESTIONS.items():
        started = perf_counter()
        question(mirror, count)
        took[name] = {"wall": perf_counter() - started}
    took["ours"] = {"wall": max(took[name]["wall"] for name in _QUESTIONS)}
    for name, rows in _PASSES.items():
        took[name] = _pass(lambda rows=rows: sum(1 for _ in rows(mirror)))  # type: ignore[misc]
    return took


def _pass(work: Callable[[], int]) -> dict[str, float]:
    started = perf_counter()
    rows = work()
    wall = perf_counter() - started
    return {"wall": wall, "rows per second": rows / wall}


def _write(plan: Plan, rows: Iterable[PlannedProject], count: int) -> int:
    def numbers(new_bytes: Iterable[int], /, *, sizes: Iterable[tuple[int, int]]) -> Iterable[int]:
        return cut(new_bytes, sizes=sizes, batch_size=500)

    plan.write(_RUN, rows, numbers)
    return count


def _name(number: int) -> NormalizedName:
    return NormalizedName(f"project-{number:07d}-synthetic")


def _planned(number: int) -> PlannedProject:
    name = _name(number)
    return PlannedProject(
        project=name, display_name=name, action=Action.SYNC, reason="the filters changed", serial=number,
        unread=False, new_files=1, new_bytes=20_000_000,
    )  # fmt: skip


def _group(mirror: Mirror, count: int) -> list[NormalizedName]:
    return [_name(i * (count // 200)) for i in range(200)]


def _files_of(mirror: Mirror, count: int) -> object:
    known = mirror.ledger.projects.known(_group(mirror, count))
    return mirror.ledger.projects.files_of([project.id for project in known.values()])


def _audit_turn(mirror: Mirror) -> list[AuditedProject]:
    return mirror.ledger.audits.due(before=_NOW, after=None, most_files=1_000)


def _audited(mirror: Mirror, count: int) -> object:
    """An audit's turn of some 1,000 files: which they are, and that they are right."""
    turn = _audit_turn(mirror)
    mirror.ledger.audits.verified(
        _RUN,
        hashed=[(each.project.id, found.file.filename) for each in turn for found in each.files],
        looked_at=[each.project.id for each in turn],
        digests=[],
        at=_NOW,
    )
    return turn


def _places_of_a_turn(mirror: Mirror) -> Iterable[Any]:
    """What an audit knows of the part of the pool that is a day's turn."""
    for _ in mirror.ledger.locations.within(b"\x00", b"\x09"):
        pass
    return range(mirror.ledger.projects.totals().files)


def _claimed(mirror: Mirror) -> Iterable[Any]:
    """A sweep of 10,000 orphans: whether a row accounts for them by now."""
    mirror.ledger.locations.claimed([f"packages/aa/bb/{'c' * 60}/nobody-{i}.tar.gz" for i in range(10_000)])
    return range(mirror.ledger.projects.totals().files)


def _swept(mirror: Mirror) -> Iterable[Any]:
    """A sweep's only way through all files: whether a page lists the place of a tombstone."""
    due = mirror.ledger.projects.tombstones(_NOW, 50_000)
    mirror.ledger.projects.still_listed([file for _, file in due])
    return range(mirror.ledger.projects.totals().files)


_QUESTIONS: Final[dict[str, Callable[[Mirror, int], object]]] = {
    "status": lambda m, _: mirror_status(m),
    "backlog": lambda m, _: m.ledger.backlog.failed(),
    "projects by prefix": lambda m, _: project_page(m, "project_00", limit=100),
    "projects by a part that none has": lambda m, _: project_page(m, "nobody"),
    "the largest project with its events": lambda m, _: project(m, _name(0)),
    "progress of the run under way": lambda m, _: progress(m),
    "what audits have covered": lambda m, _: coverage(m),
    "sums over all tombstones": lambda m, _: m.ledger.listings.tombstone_sums(),
    "a page of tombstones": lambda m, _: tombstone_page(m, limit=200),
    "a sample": lambda m, _: take_sample(m),
    "the largest project's files": lambda m, _: m.ledger.projects.files_of([1]),
    "200 projects and their files": _files_of,
    "progress of a plan of all": lambda m, _: m.ledger.plan.progress(_RUN),
    "batches of a plan of all": lambda m, _: m.ledger.plan.batches(_RUN),
    "unfinished of a plan of all": lambda m, _: m.ledger.plan.unfinished(_RUN),
    "a batch of a plan of all": lambda m, _: m.ledger.plan.pending(_RUN, 3),
    "the audit's next turn": lambda m, _: _audit_turn(m),
    "the audit's next turn, and its record": _audited,
    "the audit's coverage": lambda m, _: m.ledger.audits.coverage(_NOW - 30 * _DAY),
    "1,000 projects that upstream was asked for longest ago": lambda m, _: m.ledger.audits.asked_longest_ago(
        before=_NOW, limit=1_000
    ),
    "projects uploaded in a day": lambda m, _: m.ledger.projects.names_uploaded_during(
        _START + 1000 * _DAY, _START + 1001 * _DAY
    ),
    "events of a day": lambda m, _: list(m.ledger.events.during(_START + 1000 * _DAY, _START + 1001 * _DAY)),
    "1,000 tombstones that are due": lambda m, _: m.ledger.projects.tombstones(_NOW, 1_000),
    "projects being removed": lambda m, _: m.ledger.projects.being_removed(),
    "a project to try the site with": lambda m, _: m.ledger.projects.sample(),
}
_PASSES: Final[dict[str, Callable[[Mirror], Iterable[Any]]]] = {
    "all projects": lambda m: m.ledger.projects.all(),
    "the root index, or the name map": lambda m: m.ledger.projects.listed(),
    "files that a page lists at tombstones' places": _swept,
    "places of an audit's turn in the pool": _places_of_a_turn,
    "orphans that rows account for": _claimed,
    "all of a plan": lambda m: m.ledger.plan.projects(_RUN),
}
