"""Many values in one statement: as a list that a column is compared with, and as rows that others become."""

from typing import Any

import pytest
from sqlalchemy import delete, func, select

from pypi_mirror.ledger.among import among
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.tables import facts, samples
from pypi_mirror.ledger.writing import update_each, upsert

KEYS = ("a", "A", "b'", 'c"', "d\\", "ünï", "%s", "", "[1]", "x" * 64)


@pytest.mark.parametrize("wanted", [(), KEYS[:1], KEYS[1:], ("none of them", *KEYS[3:5]), KEYS[2:4] * 2])
def test_among_finds_what_a_list_of_parameters_finds(ledger: Ledger, wanted: tuple[str, ...]) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(delete(facts))
        upsert(connection, facts, [{"key": key, "value": "1"} for key in KEYS])
        found = connection.scalars(select(facts.c.key).where(among(facts.c.key, wanted))).all()
        named = select(facts.c.key).where(among(facts.c.key, "keys"))
        assert set(connection.scalars(named, {"keys": wanted})) == set(found) == set(wanted) & set(KEYS)
        others = select(func.count()).select_from(facts).where(~among(facts.c.key, wanted))
        assert connection.scalar(others) == len(KEYS) - len(found)


def test_among_compares_numbers_and_takes_more_than_a_statement_has_parameters(ledger: Ledger) -> None:
    wanted = range(3, 100_000)
    with ledger.engine.begin() as connection:
        rows = [_sample(at) for at in (1, 2, 3, 99_999, 100_000)]
        upsert(connection, samples, rows)
        found = connection.scalars(select(samples.c.at).where(among(samples.c.at, wanted)))
        assert sorted(found) == [3, 99_999]


def test_among_finds_by_the_index(ledger: Ledger) -> None:
    compiled = select(facts.c.value).where(among(facts.c.key, KEYS)).compile(ledger.engine)
    with ledger.engine.begin() as connection:
        if ledger.engine.dialect.name == "postgresql":
            # Of a small table it would read all.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = str(connection.exec_driver_sql(f"EXPLAIN {compiled}", compiled.params).all())
            assert "Index" in plan, plan
        else:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("[]",)).all())
            assert "SEARCH facts" in plan, plan


def test_each_row_becomes_what_is_said_of_it(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(delete(facts))
        upsert(connection, facts, [{"key": key, "value": "before"} for key in KEYS])
        update_each(connection, facts, [], key=("key",))
        update_each(connection, facts, [{"value": f"of {key}", "key": key} for key in KEYS[2:]], key=("key",))
        update_each(connection, facts, [{"key": "not there", "value": "x"}], key=("key",))
        found = dict(connection.execute(select(facts.c.key, facts.c.value)).all())
    assert found == dict.fromkeys(KEYS[:2], "before") | {key: f"of {key}" for key in KEYS[2:]}


def _sample(at: int) -> dict[str, Any]:
    return {column.name: at if column.name == "at" else 0 for column in samples.columns}
