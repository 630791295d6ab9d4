"""Insert-or-update of many rows, which SQLite and PostgreSQL spell alike and SQLAlchemy does not, and update.

A dialect is imported where it is used: PostgreSQL's takes a tenth of what the other commands take to start.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Engine,
    Executable,
    Table,
    TableValuedAlias,
    Update,
    bindparam,
    func,
    select,
    update,
)

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

    _Insert = TypeVar("_Insert", postgresql.Insert, sqlite.Insert)


def insert(dialect: Dialect, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An INSERT that has ``on_conflict_do_update``."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def for_each(engine: Engine, statement: Executable, name: str, values: Sequence[Any]) -> None:
    """Run ``statement`` for each of ``values`` of its parameter ``name``, in one transaction."""
    if values:
        with engine.begin() as connection:
            connection.execute(statement, [{name: value} for value in values])


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    key: Sequence[str] | None = None,
    keep_existing: bool = False,
) -> None:
    """Insert ``rows``; where ``key`` (the primary key by default) is taken, update, or keep what is there.

    All rows have the same columns in the same order, among them each that has to have a value. A key may
    come twice only with ``keep_existing``.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    keys = tuple(key) if key is not None else tuple(column.name for column in table.primary_key)
    if connection.dialect.name == "postgresql":
        # One statement with an array a column: half the work of a statement a row, here and on the wire.
        connection.execute(_of_arrays(table, columns, keys, keep_existing), _arrays(rows))
    else:
        # SQLite takes the values as they are; preparing each row as SQLAlchemy does would double the work.
        connection.exec_driver_sql(
            _of_values(table, columns, keys, keep_existing), [tuple(row.values()) for row in rows]
        )


def update_each(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, key: Sequence[str]
) -> None:
    """Where ``key`` is as in a row, set the other columns to what it says; all have the same columns in the
    same order, and a key comes once.
    """
    if not rows:
        return
    columns = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        connection.execute(_update_of_arrays(table, columns, tuple(key)), _arrays(rows))
    else:
        last = itemgetter(*(name for name in columns if name not in key), *key)
        connection.exec_driver_sql(_update_of_values(table, columns, tuple(key)), list(map(last, rows)))


@lru_cache
def _update_of_arrays(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> Update:
    rows = _rows_of_arrays(table, columns)
    changed = {name: rows.c[name] for name in columns if name not in keys}
    return update(table).where(*(table.c[name] == rows.c[name] for name in keys)).values(changed)


@lru_cache
def _update_of_values(table: Table, columns: tuple[str, ...], keys: tuple[str, ...]) -> str:
    changed = ", ".join(f"{name} = ?" for name in columns if name not in keys)
    return f"UPDATE {table.name} SET {changed} WHERE {' AND '.join(f'{name} = ?' for name in keys)}"  # noqa: S608 - names of columns


def _arrays(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    return {f"{column}_": list(map(itemgetter(column), rows)) for column in rows[0]}


def _rows_of_arrays(table: Table, columns: tuple[str, ...]) -> TableValuedAlias:
    from sqlalchemy.dialects import postgresql

    arrays = [bindparam(f"{name}_", type_=postgresql.ARRAY(table.c[name].type)) for name in columns]
    return func.unnest(*arrays).table_valued(*columns).render_derived()


@lru_cache
def _of_arrays(
    table: Table, columns: tuple[str, ...], keys: tuple[str, ...], keep_existing: bool
) -> "postgresql.Insert":
    from sqlalchemy.dialects import postgresql

    rows = _rows_of_arrays(table, columns)
    statement = postgresql.insert(table).from_select(list(columns), select(rows), include_defaults=False)
    return _settled(statement, columns, keys, keep_existing)


@lru_cache
def _of_values(table: Table, columns: tuple[str, ...], keys: tuple[str, ...], keep_existing: bool) -> str:
    from sqlalchemy.dialects import sqlite

    statement = _settled(sqlite.insert(table), columns, keys, keep_existing)
    return str(statement.compile(dialect=sqlite.dialect(), column_keys=list(columns)))


def _settled(
    statement: "_Insert", columns: tuple[str, ...], keys: tuple[str, ...], keep_existing: bool
) -> "_Insert":
    """``statement``, with what it does where a key is taken."""
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    if keep_existing or not changed:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)
