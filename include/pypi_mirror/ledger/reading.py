"""Reading what may be longer than memory: a chunk at a time."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Engine, Select

_CHUNK: Final = 5_000


def stream(engine: Engine, statement: Select[Any]) -> Iterator[Any]:
    """The rows of ``statement``, tuples, as of the moment the first one is asked for.

    PostgreSQL keeps the rest in a cursor until it is asked for, which is closed when the reader stops early.
    """
    with (
        engine.connect().execution_options(reading=True, yield_per=_CHUNK) as connection,
        connection.execute(statement) as rows,
    ):
        yield from rows
