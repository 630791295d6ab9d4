"""Opening the ledger: from nothing, at once, too new, damaged, out of reach."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from pypi_mirror.errors import LedgerDamaged, LedgerError, LedgerUnavailable
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.connection import create_engine
from pypi_mirror.ledger.migrations import HEAD, upgrade
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.tables import metadata
from pypi_mirror.settings.values import Settings
from tests.ledger.samples import NOON, Hands, begin, planned, pooled, synced


def test_from_nothing_to_head(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}


@pytest.mark.parametrize("name", ["a b", "100%20", "what?", "a#b", "ünï"])
def test_the_ledger_lies_in_the_directory_whatever_its_name(tmp_path: Path, name: str) -> None:
    settings = Settings(directory=tmp_path / name, master="https://index.example")
    settings.directory.mkdir()
    with Ledger.open(settings.ledger, Hands()):
        pass
    assert (settings.directory / "ledger.sqlite").exists()


@contextmanager
def migrated(url: str) -> Iterator[Connection]:
    """A connection to a ledger that came to be step by step, from nothing."""
    engine = create_engine(url)
    try:
        upgrade(engine, now=NOON)
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def test_migrations_make_the_tables_that_the_program_declares(url: str) -> None:
    with migrated(url) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD


def test_a_sqlite_ledger_is_laid_out_alike_when_it_is_new_and_when_it_was_migrated(tmp_path: Path) -> None:
    """Alembic does not compare what SQLite alone has: tables without a rowid, partial indexes."""
    new, old = (f"sqlite:///{tmp_path}/{name}.sqlite" for name in ("new", "old"))
    with (
        Ledger.open(new, Hands()) as ledger,
        ledger.engine.connect() as one,
        migrated(old) as other,
    ):
        lists = "SELECT name, type, wr, ncol FROM pragma_table_list WHERE schema = 'main' ORDER BY name"
        indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
        for statement in (lists, indexes):
            assert list(map(tuple, one.execute(text(statement)))) == list(
                map(tuple, other.execute(text(statement)))
            )


@pytest.mark.servers
@pytest.mark.parametrize("way", ["new", "migrated"])
def test_names_sort_by_byte_on_postgresql(empty_postgres: str, way: str) -> None:
    """Alembic does not compare collations, and plans rest on this one."""
    if way == "migrated":
        with migrated(empty_postgres):
            pass
    with Ledger.open(empty_postgres, Hands()) as ledger, ledger.engine.connect() as connection:
        found = connection.execute(
            text(
                "SELECT table_name, column_name FROM information_schema.columns "
                "WHERE collation_name = 'C' AND table_schema = 'public'"
            )
        )
        assert {("projects", "name"), ("plan", "project"), ("events", "project"), ("backlog", "project")} <= {
            tuple(row) for row in found
        }


def test_opening_again_keeps_what_is_there(url: str, clock: Hands) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.facts.put(Facts.cursor.to(7))
    with Ledger.open(url, clock) as ledger:
        assert ledger.facts.cursor == 7


def test_a_newer_ledger_is_refused(url: str, clock: Hands) -> None:
    with Ledger.open(url, clock) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with (
        pytest.raises(LedgerError, match=f"schema 9999, but this pypi-mirror .* knows {HEAD}: a newer"),
        Ledger.open(url, clock),
    ):
        pass


def test_a_version_nobody_knows_is_refused(url: str, clock: Hands) -> None:
    with Ledger.open(url, clock) as ledger, ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(LedgerError, match="cannot be upgraded"), Ledger.open(url, clock):
        pass


def _open_and_count(url: str, count: int) -> int:
    with Ledger.open(url, Hands()) as ledger:
        ledger.facts.table.put({f"key {count}": "value"})
        return count


@pytest.mark.slow
def test_processes_that_create_the_ledger_at_once(url: str, clock: Hands) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        assert sorted(pool.map(_open_and_count, [url] * 4, range(4))) == [0, 1, 2, 3]
    with Ledger.open(url, clock) as ledger:
        assert [ledger.facts.table.get(f"key {count}") for count in range(4)] == ["value"] * 4


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"What is this? " * 1000)
    with (
        pytest.raises(LedgerDamaged, match=r"ledger\.sqlite is damaged .*ledger rebuild"),
        Ledger.open(f"sqlite:///{path}", Hands()),
    ):
        pass


def test_a_file_that_broke_while_it_was_in_use(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}", Hands()) as ledger:
        _, results = begin(ledger)
        results.record([synced(ledger, planned(f"p{n}"), pooled("f.whl")) for n in range(500)])
    with sqlite3.connect(path) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'projects'").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"\xff" * size)
    with (
        Ledger.open(f"sqlite:///{path}", Hands()) as ledger,
        pytest.raises(LedgerDamaged, match=r"ledger\.sqlite is damaged"),
    ):
        list(ledger.projects.all())


@pytest.mark.parametrize("place", ["missing/ledger.sqlite", "folder"])
def test_a_file_that_cannot_be_opened(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(LedgerError, match="cannot be used: unable to open database file") as caught,
        Ledger.open(f"sqlite:///{tmp_path / place}", Hands()),
    ):
        pass
    assert not caught.value.retryable


def test_a_ledger_that_may_only_be_read(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}", Hands()) as ledger:
        ledger.facts.put(Facts.cursor.to(7))
    with Ledger.open(f"sqlite:///file:{path}?mode=ro&uri=true", Hands()) as ledger:
        assert ledger.facts.cursor == 7
        with pytest.raises(LedgerError, match=r"ledger\.sqlite.*cannot be used: .*readonly"):
            ledger.facts.put(Facts.cursor.to(8))


def test_a_writer_that_never_ends_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    other = sqlite3.connect(path, isolation_level=None)
    with Ledger.open(f"sqlite:///{path}", Hands()) as ledger:
        other.execute("BEGIN IMMEDIATE")
        with ledger.engine.connect().execution_options(reading=True) as connection:
            connection.execute(text("PRAGMA busy_timeout = 1"))
        with pytest.raises(LedgerUnavailable, match="kept busy by another process") as caught:
            ledger.facts.put(Facts.cursor.to(8))
    other.close()
    assert caught.value.retryable


@pytest.mark.servers
def test_a_server_that_went_away_is_worth_a_retry(empty_postgres: str) -> None:
    with Ledger.open(empty_postgres, Hands()) as ledger, ledger.engine.connect() as connection:
        with ledger.engine.connect() as other:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            other.execute(text(f"SELECT pg_terminate_backend({pid}, 5000)"))
        with pytest.raises(LedgerUnavailable, match="cannot be reached") as caught:
            connection.execute(text("SELECT 1"))
        assert caught.value.retryable
        assert ledger.facts.cursor is None, "the next call opens another connection"


def test_a_server_that_is_not_there() -> None:
    address = "postgresql+psycopg://me:hidden-word@127.0.0.1:1/mirror"
    with pytest.raises(LedgerUnavailable, match="cannot be reached") as caught, Ledger.open(address, Hands()):
        pass
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["postgresql//me:hidden-word@there/mirror", "oracle+nothing://me:hidden-word@there/mirror", ""]
)
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(LedgerError, match=r"\[ledger\] url") as caught, Ledger.open(address, Hands()):
        pass
    assert "hidden-word" not in str(caught.value)


@pytest.mark.servers
def test_what_the_server_cannot_store_is_a_ledger_error(empty_postgres: str) -> None:
    with (
        Ledger.open(empty_postgres, Hands()) as ledger,
        pytest.raises(LedgerError, match="cannot be used") as caught,
    ):
        ledger.facts.put(Facts.selection.to("nul \0"))
    assert not caught.value.retryable


def test_a_number_that_no_database_has_is_a_ledger_error(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger.events.forget_before(10**30)


@pytest.mark.servers
@pytest.mark.parametrize("state", ["XX001", "XX002"])
def test_damage_that_postgresql_reports(empty_postgres: str, state: str) -> None:
    """data_corrupted and index_corrupted, as of a page or an index that a broken disk changed."""
    with (
        Ledger.open(empty_postgres, Hands()) as ledger,
        pytest.raises(LedgerDamaged, match=r"(?s)damaged .*`pypi-mirror ledger rebuild`"),
        ledger.engine.connect() as connection,
    ):
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE 'invalid page' USING ERRCODE = '{state}'; END $$")
