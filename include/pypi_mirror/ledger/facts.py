"""Single values that the ledger keeps."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, Engine, bindparam, delete, select

from pypi_mirror.facts.fact import Change
from pypi_mirror.ledger.lease import hold
from pypi_mirror.ledger.reading import scalar
from pypi_mirror.ledger.tables import facts
from pypi_mirror.ledger.writing import upsert


class FactTable:
    """Texts by name; :class:`~pypi_mirror.facts.facts.Facts` says which there are."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, key: str) -> str | None:
        return scalar(self._engine, _VALUE, {"key_": key})

    def put(self, values: Mapping[str, str | None], held_by: int | None = None) -> None:
        """Set each key; None removes it. LeaseLost where run ``held_by`` has lost the mirror to another."""
        with self._engine.begin() as connection:
            if held_by is not None:
                hold(connection, held_by)
            put_facts(connection, values.items())

    def change(self, key: str, changed: Callable[[str | None], str | None]) -> None:
        """Set ``key`` to what ``changed`` makes of its value, None for none; nobody writes in between."""
        with self._engine.begin() as connection:
            # There has to be a row to lock; here an empty value stands for none.
            upsert(connection, facts, [{"key": key, "value": ""}], keep_existing=True)
            row = select(facts.c.value).where(facts.c.key == key).with_for_update()
            put_facts(connection, [(key, changed(connection.execute(row).scalar() or None))])


_VALUE: Final = select(facts.c.value).where(facts.c.key == bindparam("key_"))


def put_facts(connection: Connection, changes: Iterable[Change]) -> None:
    """Within another subject's transaction: set each key; None removes it."""
    values = dict(changes)
    gone = [key for key, value in values.items() if value is None]
    if gone:
        connection.execute(delete(facts).where(facts.c.key.in_(gone)))
    kept = [{"key": key, "value": value} for key, value in values.items() if value is not None]
    if kept:
        upsert(connection, facts, kept)
