"""Upstream's project pages as last read: rows of one project each, with the page itself in a table beside."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from packaging.utils import NormalizedName
from sqlalchemy import Connection, Engine, bindparam, case, delete, func, null, select, update

from pypi_mirror.catalogue import Entry, EntryState
from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.tables import catalogue, catalogue_bodies
from pypi_mirror.ledger.writing import upsert

# Seconds that the entry of a project stays which no rule selects any more.
KEEP_UNSELECTED: Final = 90 * 86_400
# A larger page is read by itself: one of ten thousand files has a megabyte.
SMALL: Final = 64 * 1024


class Confirmed(Struct, frozen=True, kw_only=True):
    """Upstream said that the page is still the one we have (304); serials are those that it showed."""

    project: NormalizedName
    serial: int | None
    announced: int | None
    as_of: int | None = None


class Catalogue:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def entries(
        self, names: Sequence[NormalizedName], *, with_pages: bool = True
    ) -> dict[NormalizedName, Entry]:
        """Those of ``names`` that have an entry, with their pages up to ``SMALL`` bytes; of a few hundred."""
        statement = _ENTRIES if with_pages else _HEADS
        with self._engine.connect().execution_options(reading=True) as connection:
            return {
                entry.project: entry for entry in map(_entry, connection.execute(statement, {"names": names}))
            }

    def body(self, name: NormalizedName) -> bytes:
        """The page of an entry whatever its size, empty where it has none."""
        with self._engine.connect().execution_options(reading=True) as connection:
            return connection.execute(_BODY, {"name_": name}).scalar() or b""

    def gone(self, names: Sequence[NormalizedName]) -> set[NormalizedName]:
        """Those of ``names`` that upstream has no page of, as was last read."""
        statement = select(catalogue.c.name).where(
            catalogue.c.name.in_(names), catalogue.c.state == EntryState.GONE.value
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return {NormalizedName(name) for name in connection.scalars(statement)}

    def with_page(self, prefix: str, limit: int) -> list[NormalizedName]:
        """Projects that upstream has a page of, as was last read, whose names begin with ``prefix``."""
        statement = (
            select(catalogue.c.name)
            # Names are of ASCII, and this sorts behind all that begin with the prefix.
            .where(catalogue.c.name >= prefix, catalogue.c.name < f"{prefix}\x7f")
            .where(catalogue.c.state == EntryState.PAGE.value)
            .order_by(catalogue.c.name)
            .limit(limit)
        )
        with self._engine.connect().execution_options(reading=True) as connection:
            return [NormalizedName(name) for name in connection.scalars(statement)]

    def forget(self, names: Sequence[NormalizedName]) -> None:
        """Drop the entries of ``names``: their pages have to be read again."""
        with self._engine.begin() as connection:
            for table in (catalogue_bodies, catalogue):
                connection.execute(delete(table).where(table.c.name.in_(names)))

    def forget_unselected(self, *, now: int) -> int:
        """Drop the entries of projects that no rule has selected for long; return how many."""
        old = select(catalogue.c.name).where(now - KEEP_UNSELECTED > _UNSELECTED)
        with self._engine.begin() as connection:
            connection.execute(delete(catalogue_bodies).where(catalogue_bodies.c.name.in_(old)))
            return connection.execute(delete(catalogue).where(now - KEEP_UNSELECTED > _UNSELECTED)).rowcount


def write_entries(connection: Connection, entries: Sequence[Entry]) -> None:
    """Within another subject's transaction: put each entry in place of what was there."""
    upsert(connection, catalogue, [_row(entry) for entry in entries])
    bodies = [{"name": e.project, "body": e.body} for e in entries if e.state is EntryState.PAGE]
    upsert(connection, catalogue_bodies, bodies)
    gone = [entry.project for entry in entries if entry.state is EntryState.GONE]
    if gone:
        connection.execute(delete(catalogue_bodies).where(among(catalogue_bodies.c.name, gone)))


def note_selection(
    connection: Connection,
    *,
    out: Sequence[NormalizedName],
    back: Sequence[NormalizedName],
    now: int,
) -> None:
    """Within another subject's transaction: no rule selects ``out`` any more, and one selects ``back``."""
    for names, value in ((out, now), (back, None)):
        changes = _UNSELECTED.is_(None) if value is not None else _UNSELECTED.is_not(None)
        if names:
            connection.execute(
                update(catalogue)
                .where(among(catalogue.c.name, names), changes)
                .values(unselected_since=value)
            )


def confirm_entries(connection: Connection, confirmed: Sequence[Confirmed], *, now: int) -> None:
    """Within another subject's transaction: upstream has confirmed these entries at ``now``."""
    if confirmed:
        rows = [
            {
                "name_": each.project,
                "serial_": each.serial,
                "announced_": each.announced,
                "now_": now,
                "as_of_": each.as_of,
            }
            for each in confirmed
        ]
        connection.execute(_CONFIRM, rows)


_BODY: Final = select(catalogue_bodies.c.body).where(catalogue_bodies.c.name == bindparam("name_"))
_HEAD: Final = (
    catalogue.c.name,
    catalogue.c.state,
    catalogue.c.serial,
    catalogue.c.announced,
    catalogue.c.checked_at,
    catalogue.c.etag,
    catalogue.c.digest,
    catalogue.c.encoding,
    catalogue.c.as_of,
)
_NAMED: Final = among(catalogue.c.name, "names")
_HEADS: Final = select(*_HEAD, null()).where(_NAMED)
_ENTRIES: Final = (
    select(*_HEAD, case((func.length(catalogue_bodies.c.body) <= SMALL, catalogue_bodies.c.body)))
    .join(catalogue_bodies, catalogue_bodies.c.name == catalogue.c.name, isouter=True)
    .where(_NAMED)
)
_UNSELECTED: Final = catalogue.c.unselected_since


def _highest(column: Any, parameter: str) -> Any:
    """The higher of a column and a parameter, of which either may be NULL."""
    value = bindparam(parameter, type_=column.type)
    return case((column.is_(None), value), (value.is_(None), column), (value > column, value), else_=column)


_CONFIRM: Final = (
    update(catalogue)
    .where(catalogue.c.name == bindparam("name_"))
    .values(
        serial=_highest(catalogue.c.serial, "serial_"),
        announced=_highest(catalogue.c.announced, "announced_"),
        checked_at=bindparam("now_"),
        as_of=bindparam("as_of_"),
    )
)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.project,
        "state": entry.state.value,
        "serial": entry.serial,
        "announced": entry.announced,
        "checked_at": entry.checked_at,
        "etag": entry.etag,
        "digest": entry.digest,
        "encoding": entry.encoding,
        "as_of": entry.as_of,
        "unselected_since": None,
    }


def _entry(row: Sequence[Any]) -> Entry:
    name, state, serial, announced, checked_at, etag, digest, encoding, as_of, body = row
    return Entry(
        project=NormalizedName(name),
        state=EntryState(state),
        serial=serial,
        announced=announced,
        checked_at=checked_at,
        etag=etag,
        digest=digest,
        encoding=encoding,
        as_of=as_of,
        body=body or b"",
    )
