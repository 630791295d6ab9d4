"""Upstream's events, kept so that a backfill can say what changed in an interval."""

from collections.abc import Iterator, Sequence
from typing import Any

from packaging.utils import NormalizedName
from sqlalchemy import Engine, Row, Select, delete, func, select

from pypi_mirror.chunks import chunks
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.ledger.reading import project_names, scalar, stream
from pypi_mirror.ledger.tables import events, projects
from pypi_mirror.ledger.writing import upsert
from pypi_mirror.model import Event


class Events:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, batch: Sequence[Event]) -> None:
        """Keep the events; one that is known already stays as it is."""
        with self._engine.begin() as connection:
            for chunk in chunks(batch):
                upsert(connection, events, [_row(event) for event in chunk], keep_existing=True)

    def between(self, after: int, upto: int) -> Iterator[Event]:
        """The events with ``after < serial <= upto``, by serial."""
        yield from self._read(
            select(events).where(events.c.serial > after, events.c.serial <= upto).order_by(events.c.serial)
        )

    def during(self, start: int, end: int) -> Iterator[Event]:
        """The events with ``start <= timestamp < end`` (seconds), by serial."""
        yield from self._read(
            select(events)
            .where(events.c.timestamp >= start, events.c.timestamp < end)
            .order_by(events.c.serial)
        )

    def of(self, projects: Sequence[NormalizedName]) -> Iterator[Event]:
        """The events of ``projects``, in no order."""
        for chunk in chunks(projects):
            yield from self._read(select(events).where(events.c.project.in_(chunk)))

    def past_pages(self, upto: int) -> list[NormalizedName]:
        """The projects with an event up to serial ``upto`` that is newer than the mirror's page; by name."""
        statement = (
            select(events.c.project)
            .join(projects, projects.c.name == events.c.project)
            .where(
                projects.c.status.not_in((REMOVING, REMOVED)),
                events.c.serial > projects.c.serial,
                events.c.serial <= upto,
            )
            .distinct()
        )
        return sorted(project_names(self._engine, statement))

    def last_before(self, timestamp: int) -> int | None:
        """The serial of the last event before ``timestamp`` (seconds); None when there is none."""
        statement = select(func.max(events.c.serial)).where(events.c.timestamp < timestamp)
        return scalar(self._engine, statement)

    def newest(self) -> int | None:
        """When the newest event happened, by upstream's clock; None when there is none."""
        return scalar(self._engine, select(func.max(events.c.timestamp)))

    def forget_before(self, timestamp: int) -> int:
        """Delete events older than ``timestamp``; returns how many."""
        with self._engine.begin() as connection:
            return connection.execute(delete(events).where(events.c.timestamp < timestamp)).rowcount

    def _read(self, statement: Select[Any]) -> Iterator[Event]:
        return map(_event, stream(self._engine, statement))


def _row(event: Event) -> dict[str, Any]:
    return {
        "serial": event.serial,
        "project": event.project,
        "display_name": event.name,
        "version": event.version,
        "timestamp": event.timestamp,
        "action": event.action,
    }


def _event(row: Row[Any]) -> Event:
    return Event(
        serial=row.serial,
        name=row.display_name,
        project=NormalizedName(row.project),
        version=row.version,
        timestamp=row.timestamp,
        action=row.action,
    )
