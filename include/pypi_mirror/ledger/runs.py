"""Runs: who asked for what, when, and what came of it."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from packaging.utils import NormalizedName
from sqlalchemy import JSON, BigInteger, ColumnElement, Engine, Row, cast, delete, func, select, update

from pypi_mirror.clock import Clock
from pypi_mirror.errors import LedgerError
from pypi_mirror.ledger.reading import fetch, total
from pypi_mirror.ledger.tables import plan, runs
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import RunKind, RunState, Tally
from pypi_mirror.run_label import shown_label

_ENDED: Final = (RunState.SUCCESS, RunState.FAILED, RunState.PAUSED)


class RunRequest(Struct, frozen=True, kw_only=True):
    """What a run is asked to do.

    ``label`` names the run for people and is unique (Airflow's run id; host and process for the command
    line); asking again with the same label continues that run. ``projects`` are to be synced now, changed
    or not; a backfill is confined to them. ``recheck`` asks upstream for every selected project, whatever
    its serial, in a run of kind SYNC. ``any_hour`` has that download outside of download-window, too, and
    ``unbounded`` has it take its whole plan, whatever [schedule] says that a run takes. A ``dry_run`` ends
    with its plan, and what fails in it is not on the backlog.
    ``interval`` is that of a backfill, [start, end) in seconds since 1970.
    """

    label: str
    kind: RunKind = RunKind.SYNC
    projects: tuple[str, ...] = ()
    recheck: bool = False
    any_hour: bool = False
    unbounded: bool = False
    dry_run: bool = False
    interval: tuple[int, int] | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a finished run; ``reason`` says why it failed or paused, when it did.

    ``approved`` says that a person allowed what it removed.
    """

    tally: Tally = field(default_factory=Tally)
    planned: int = 0
    new_failures: int = 0
    reason: str | None = None
    approved: bool = False


class Run(Struct, frozen=True, kw_only=True):
    """A row of ``runs``; times are seconds since 1970. ``policy`` is the fingerprint of the settings under
    which its plan was made.
    """

    id: int
    request: RunRequest
    state: RunState
    started_at: int
    finished_at: int | None
    source: str | None
    cursor_from: int | None
    cursor_to: int | None
    outcome: Outcome | None
    policy: str | None = None


class RunTotals(Struct, frozen=True, kw_only=True):
    """All runs of a kind that ended in ``state``: how many, and what they downloaded."""

    kind: RunKind
    state: RunState
    runs: int
    files: int
    bytes: int


class Runs:
    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def begin(self, request: RunRequest) -> Run:
        """The run of ``request.label``, new or continued: in both cases it is running afterwards.

        The caller has the lease, so any other run that says it is running died without a word: it failed.
        """
        row = {
            "label": request.label,
            "kind": request.kind.value,
            "state": RunState.RUNNING.value,
            "started_at": int(self._clock()),
            "request": msgspec.json.encode(request).decode(),
        }
        died = Outcome(reason=f"did not finish (killed?); detected by {shown_label(request.label)}")
        with self._engine.begin() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.label != request.label, runs.c.state == RunState.RUNNING.value)
                .values(
                    state=RunState.FAILED.value,
                    finished_at=int(self._clock()),
                    outcome=msgspec.json.encode(died).decode(),
                )
            )
            upsert(connection, runs, [row], key=["label"], keep_existing=True)
            connection.execute(
                update(runs)
                .where(runs.c.label == request.label)
                .values(state=RunState.RUNNING.value, finished_at=None, outcome=None)
            )
            return _run(connection.execute(select(runs).where(runs.c.label == request.label)).one())

    def fetched(self, run_id: int, *, source: str, cursor_from: int | None, cursor_to: int | None) -> None:
        """Note where this run's changes come from and which serials they span."""
        self._update(run_id, source=source, cursor_from=cursor_from, cursor_to=cursor_to)

    def planned(self, run_id: int, *, policy: str) -> None:
        """Note under which settings the run's plan is made."""
        self._update(run_id, policy=policy)

    def finish(self, run_id: int, state: RunState, outcome: Outcome) -> None:
        self._update(
            run_id,
            state=state.value,
            finished_at=int(self._clock()),
            outcome=msgspec.json.encode(outcome).decode(),
        )

    def forget(self, run_id: int) -> None:
        """Delete a run that did nothing, and its plan."""
        with self._engine.begin() as connection:
            connection.execute(delete(plan).where(plan.c.run_id == run_id))
            connection.execute(delete(runs).where(runs.c.id == run_id))

    def get(self, run_id: int) -> Run:
        """Raises LedgerError when there is no such run."""
        if (run := self._newest(runs.c.id == run_id)) is None:
            raise LedgerError(f"the ledger knows no run {run_id}")
        return run

    def labelled(self, label: str) -> Run | None:
        return self._newest(runs.c.label == label)

    def latest(self, count: int = 1, *, audits: bool = True) -> Sequence[Run]:
        """The newest runs, newest first; without ``audits``, those that sync."""
        chosen = select(runs) if audits else select(runs).where(runs.c.kind != RunKind.AUDIT.value)
        return [_run(row) for row in fetch(self._engine, chosen.order_by(runs.c.id.desc()).limit(count))]

    def projects_removed(self, since: int, *, before: int) -> int:
        """How many projects runs older than ``before`` removed that ended after ``since``, unasked."""
        statement = select(runs).where(
            runs.c.id < before, runs.c.finished_at >= since, runs.c.kind != RunKind.SELECTED.value
        )
        outcomes = [_run(row).outcome for row in fetch(self._engine, statement)]
        return sum(each.tally.projects_removed for each in outcomes if each is not None and not each.approved)

    def last_success(self) -> Run | None:
        """The newest successful run that moved the cursor."""
        return self._newest(runs.c.state == RunState.SUCCESS.value, runs.c.kind == RunKind.SYNC.value)

    def last_ended(self, kind: RunKind) -> Run | None:
        """The newest run of this kind that is over, however it ended."""
        return self._newest(runs.c.kind == kind.value, runs.c.state != RunState.RUNNING.value)

    def totals(self) -> tuple[RunTotals, ...]:
        """A line for each kind and state, be it of no run: a counter that is not there cannot rise."""
        files, bytes_ = (self._tallied(name) for name in ("files_downloaded", "bytes_downloaded"))
        statement = select(
            runs.c.kind,
            runs.c.state,
            func.count(),
            total(files),
            total(bytes_),
        ).group_by(runs.c.kind, runs.c.state)
        found = {(kind, state): sums for kind, state, *sums in fetch(self._engine, statement)}
        return tuple(
            RunTotals(kind=kind, state=state, runs=count, files=files, bytes=bytes_)
            for kind in RunKind
            for state in _ENDED
            for count, files, bytes_ in [found.get((kind.value, state.value), (0, 0, 0))]
        )

    def last_of_each_kind(self) -> list[Run]:
        """The newest run of each kind that has ended; none for a kind of which none has."""
        newest = select(func.max(runs.c.id)).where(runs.c.state.in_([state.value for state in _ENDED]))
        chosen = select(runs).where(runs.c.id.in_(newest.group_by(runs.c.kind)))
        return [_run(row) for row in fetch(self._engine, chosen)]

    def _tallied(self, name: str) -> ColumnElement[Any]:
        """A number of an outcome's tally."""
        if self._engine.dialect.name == "sqlite":
            return func.json_extract(runs.c.outcome, f"$.tally.{name}")
        return cast(func.json_extract_path_text(cast(runs.c.outcome, JSON), "tally", name), BigInteger)

    def forget_plans_before(self, run_id: int, *, keep: Sequence[int] = ()) -> None:
        """Delete the plans of earlier finished runs but for ``keep``; what they did stays in ``outcome``."""
        finished = select(runs.c.id).where(
            runs.c.id < run_id, runs.c.id.not_in(keep), runs.c.state != RunState.RUNNING.value
        )
        with self._engine.begin() as connection:
            connection.execute(delete(plan).where(plan.c.run_id.in_(finished)))

    def _update(self, run_id: int, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == run_id).values(**values))

    def _newest(self, *conditions: ColumnElement[bool]) -> Run | None:
        rows = fetch(self._engine, select(runs).where(*conditions).order_by(runs.c.id.desc()).limit(1))
        return _run(rows[0]) if rows else None


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        request=msgspec.json.decode(row.request, type=RunRequest),
        state=RunState(row.state),
        started_at=row.started_at,
        finished_at=row.finished_at,
        source=row.source,
        cursor_from=row.cursor_from,
        cursor_to=row.cursor_to,
        policy=row.policy,
        outcome=None if row.outcome is None else msgspec.json.decode(row.outcome, type=Outcome),
    )


def names(request: RunRequest) -> tuple[NormalizedName, ...]:
    """The request's projects as normalized names."""
    return tuple(NormalizedName(name) for name in request.projects)
