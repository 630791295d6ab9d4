"""What all runs came to, and the last of each kind: what a monitor compares with what it saw before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Engine, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from pypi_mirror.ledger.runs import Run
from pypi_mirror.ledger.tables import runs
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind, RunState

_ENDED: Final = (RunState.SUCCESS, RunState.FAILED, RunState.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTotals:
    """All runs of a kind that ended in ``state``: how many, and what they downloaded."""

    kind: RunKind
    state: RunState
    runs: int
    files: int
    bytes: int


def run_totals(mirror: Mirror) -> tuple[RunTotals, ...]:
    """A line for each kind and state, be it of no run: a counter that is not there cannot rise."""
    engine = mirror.ledger.engine
    files, bytes_ = (_tallied(engine, name) for name in ("files_downloaded", "bytes_downloaded"))
    statement = select(
        runs.c.kind,
        runs.c.state,
        func.count(),
        func.coalesce(func.sum(files), 0),
        func.coalesce(func.sum(bytes_), 0),
    ).group_by(runs.c.kind, runs.c.state)
    with engine.connect().execution_options(reading=True) as connection:
        found = {(kind, state): sums for kind, state, *sums in connection.execute(statement)}
    return tuple(
        RunTotals(kind=kind, state=state, runs=int(count), files=int(files), bytes=int(bytes_))
        for kind in RunKind
        for state in _ENDED
        for count, files, bytes_ in [found.get((kind.value, state.value), (0, 0, 0))]
    )


def last_runs(mirror: Mirror) -> Sequence[Run]:
    """The newest run of each kind that has ended; none for a kind of which none has."""
    newest = select(func.max(runs.c.id)).where(runs.c.state.in_([state.value for state in _ENDED]))
    with mirror.ledger.engine.connect().execution_options(reading=True) as connection:
        ids = list(connection.scalars(newest.group_by(runs.c.kind)))
    return [mirror.ledger.runs.get(id_) for id_ in ids]


def _tallied(engine: Engine, name: str) -> ColumnElement[Any]:
    """A number of an outcome's tally."""
    if engine.dialect.name == "sqlite":
        return func.json_extract(runs.c.outcome, f"$.tally.{name}")
    return cast(cast(runs.c.outcome, JSONB)["tally"][name].astext, BigInteger)
