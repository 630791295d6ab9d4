"""Insert-or-update, which SQLite and PostgreSQL spell alike and SQLAlchemy does not."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that has ``on_conflict_do_update``."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    *,
    key: Sequence[str] | None = None,
    keep_existing: bool = False,
) -> None:
    """Insert ``rows``; where ``key`` (the primary key by default) is taken, update, or keep what is there.

    All rows have the same columns.
    """
    if not rows:
        return
    statement = insert(connection.dialect, table)
    keys = list(key) if key is not None else [column.name for column in table.primary_key]
    changed = {c: statement.excluded[c] for c in rows[0] if c not in keys}
    if keep_existing or not changed:
        connection.execute(statement.on_conflict_do_nothing(index_elements=keys), rows)
    else:
        connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
