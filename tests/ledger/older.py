"""Ledgers as earlier programs left them: the schema of their time, with a real mirror's rows in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from unittest import mock

from alembic import command
from sqlalchemy import Engine, MetaData, insert, inspect, select

from pypi_mirror.ledger import migrations
from pypi_mirror.ledger.connection import create_engine
from pypi_mirror.ledger.tables import metadata

_VERSIONS: Final = Path(migrations.__file__).parent / "versions"
# Of every schema that there has been; none can be forgotten here.
OLDER: Final = tuple(
    sorted({path.name.partition("_")[0] for path in _VERSIONS.glob("0*.py")} - {migrations.HEAD})
)
# What earlier programs had and this one has not: their values where one is needed.
_DROPPED: Final = {"etag": '"stored by an older program"', "known_bytes": 0}


def make_older(url: str, revision: str, *, like: str) -> None:
    """At ``url``, a ledger of schema ``revision`` with all rows of the one at ``like`` that fit into it."""
    with _engine(url) as older, _engine(like) as whole:
        through = command.upgrade
        with mock.patch.object(command, "upgrade", lambda config, _head: through(config, revision)):
            migrations.upgrade(older, now=0)
        _copy(whole, older)


def _copy(source: Engine, target: Engine) -> None:
    theirs, ours = MetaData(), MetaData()
    theirs.reflect(target)
    ours.reflect(source)
    with source.connect() as reading, target.begin() as writing:
        for name in (table.name for table in metadata.sorted_tables if table.name in theirs.tables):
            wanted = [column.name for column in theirs.tables[name].columns]
            columns = [ours.tables[name].c[each] for each in wanted if each in ours.tables[name].c]
            dropped = {each: _DROPPED[each] for each in wanted if each not in ours.tables[name].c}
            rows = [{**row._mapping, **dropped} for row in reading.execute(select(*columns))]
            if rows:
                writing.execute(insert(theirs.tables[name]), rows)
        if target.dialect.name == "postgresql":
            for name in ("projects", "runs"):
                # As if its numbers had been given out one by one.
                next_ = f"(SELECT coalesce(max(id), 1) FROM {name})"
                writing.exec_driver_sql(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {next_})")


def version_at(url: str) -> str | None:
    with _engine(url) as engine:
        return migrations.version_of(engine)


def tables_at(url: str) -> set[str]:
    with _engine(url) as engine:
        return set(inspect(engine).get_table_names())


@contextmanager
def _engine(url: str) -> Iterator[Engine]:
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
