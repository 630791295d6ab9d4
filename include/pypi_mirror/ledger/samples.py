"""Samples of the mirror's size, disk and lag, ever fewer the older they are."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select

from pypi_mirror.ledger.reading import fetch_as
from pypi_mirror.ledger.tables import samples
from pypi_mirror.ledger.writing import upsert

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
# Each sample of a week, one an hour of 90 days, one a day of what is older.
_ALL: Final = 7 * _DAY
_HOURLY: Final = 90 * _DAY
# Seconds between two samples.
EVERY: Final = 60


class Sample(Struct, frozen=True, kw_only=True):
    """The mirror at ``at``, in seconds since 1970. ``disk_used`` and ``disk_free`` are of the pool's file
    system, whoever fills it. ``lag_seconds`` is None where it could not be told.

    ``run_projects`` and ``run_bytes`` are what the run ``run_id`` had done by then; None without a run.
    """

    at: int
    projects: int
    files: int
    bytes: int
    disk_used: int
    disk_free: int
    lag_seconds: int | None
    backlog: int
    run_id: int | None = None
    run_projects: int | None = None
    run_bytes: int | None = None


class Samples:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def is_due(self, now: int) -> bool:
        """Whether the newest sample is older than a minute; one from the future is no reason to wait."""
        newest = self.newest()
        return newest is None or not now - EVERY < newest.at <= now

    def add(self, sample: Sample) -> None:
        """Keep ``sample``, and thin out those that have become old since the last one of an earlier hour."""
        with self._engine.begin() as connection:
            newest = connection.execute(select(func.max(samples.c.at))).scalar()
            upsert(connection, samples, [asdict(sample)])
            if newest is None or newest // _HOUR != sample.at // _HOUR:
                _thin(connection, before=_begin(sample.at - _ALL, _HOUR), every=_HOUR)
                _thin(connection, before=_begin(sample.at - _HOURLY, _DAY), every=_DAY)

    def newest(self) -> Sample | None:
        found = self._read(samples.c.at == select(func.max(samples.c.at)).scalar_subquery())
        return found[0] if found else None

    def between(self, start: int, end: int, most: int) -> Sequence[Sample]:
        """Up to ``most`` samples with ``start <= at <= end``, oldest first: the last of each stretch."""
        span = max(1, end - start + 1)
        width = -(-span // most)
        stretch = (samples.c.at - start) // width
        inside = (samples.c.at >= start) & (samples.c.at <= end)
        chosen = select(func.max(samples.c.at)).where(inside).group_by(stretch)
        return self._read(samples.c.at.in_(chosen))

    def of_run(self, run_id: int, since: int) -> Sequence[Sample]:
        """The samples taken during the run from ``since`` on, oldest first."""
        return self._read((samples.c.run_id == run_id) & (samples.c.at >= since))

    def _read(self, condition: ColumnElement[bool]) -> Sequence[Sample]:
        statement = select(samples).where(condition).order_by(samples.c.at)
        return fetch_as(self._engine, statement, Sample)


def _begin(at: int, every: int) -> int:
    """When the stretch of ``every`` seconds began that ``at`` is in."""
    return at // every * every


def _thin(connection: Connection, *, before: int, every: int) -> None:
    """Of each ``every`` seconds of the time before ``before`` the last sample stays."""
    old = samples.c.at < before
    kept = select(func.max(samples.c.at)).where(old).group_by(samples.c.at // every)
    connection.execute(delete(samples).where(old, samples.c.at.not_in(kept)))
