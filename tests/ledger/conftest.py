"""Every test of the ledger runs on SQLite and, where it asks for ``ledger`` or ``url``, on PostgreSQL."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from pypi_mirror.ledger.store import Ledger
from tests.ledger.postgres import running_postgres
from tests.ledger.samples import Hands

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def empty_postgres(postgres: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with nothing in it."""
    name = f"ledger_{next(_numbers)}"
    server = postgres.replace("+psycopg", "")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield make_url(postgres).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a ledger that does not exist yet, on either database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    found: str = request.getfixturevalue("empty_postgres")
    return found


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture(scope="session")
def upgraded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with nothing in it: copying one is faster than making one."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    with Ledger.open(f"sqlite:///{path}", Hands()):
        pass
    return path


@pytest.fixture
def ledger(url: str, clock: Hands, upgraded_sqlite: Path) -> Iterator[Ledger]:
    if url.startswith("sqlite:///"):
        shutil.copyfile(upgraded_sqlite, url.removeprefix("sqlite:///"))
    with Ledger.open(url, clock) as ledger:
        yield ledger
