"""Reading from the ledger: whole, or a chunk at a time what may be longer than memory."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from packaging.utils import NormalizedName
from sqlalchemy import BigInteger, ColumnElement, Engine, Select, case, func
from sqlalchemy import cast as sql_cast

T = TypeVar("T")

_CHUNK: Final = 5_000


def fetch(engine: Engine, statement: Select[*tuple[Any, ...]]) -> Sequence[Any]:
    """All rows of ``statement``."""
    with engine.connect().execution_options(reading=True) as connection:
        return connection.execute(statement).all()


def scalar(engine: Engine, statement: Select[T], parameters: Mapping[str, Any] | None = None) -> T | None:
    """The first value of its first row, None without one."""
    with engine.connect().execution_options(reading=True) as connection:
        return connection.execute(statement, parameters).scalar()


def fetch_as(engine: Engine, statement: Select[*tuple[Any, ...]], kind: type[T]) -> list[T]:
    """All rows of ``statement`` as values of ``kind``, whose fields its columns are named for."""
    return [kind(**row._mapping) for row in fetch(engine, statement)]  # noqa: SLF001


def total(column: ColumnElement[Any]) -> ColumnElement[int]:
    """The sum of ``column``, 0 of no rows; PostgreSQL's own sum of large numbers is no integer."""
    return sql_cast(func.coalesce(func.sum(column), 0), BigInteger)


def count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows meet ``condition``."""
    return total(case((condition, 1), else_=0))


def project_names(engine: Engine, statement: Select[*tuple[Any, ...]]) -> list[NormalizedName]:
    """The first value of each row, a project's name."""
    with engine.connect().execution_options(reading=True) as connection:
        return [NormalizedName(name) for name in connection.execute(statement).scalars()]


def stream(engine: Engine, statement: Select[Any]) -> Iterator[Any]:
    """The rows of ``statement``, tuples, as of the moment the first one is asked for.

    PostgreSQL keeps the rest in a cursor until it is asked for, which is closed when the reader stops early.
    """
    with (
        engine.connect().execution_options(reading=True, yield_per=_CHUNK) as connection,
        connection.execute(statement) as rows,
    ):
        yield from rows
