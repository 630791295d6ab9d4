"""Single values, and their change by several hands at once."""

from concurrent.futures import ThreadPoolExecutor

from pypi_mirror.clock import SystemClock
from pypi_mirror.ledger.store import Ledger


def test_nobody_writes_between_what_a_change_reads_and_writes(url: str) -> None:
    def count(_: int) -> None:
        with Ledger.open(url, SystemClock()) as ledger:
            for _ in range(10):
                ledger.facts.table.change("counted", lambda value: str(int(value or 0) + 1))

    with Ledger.open(url, SystemClock()) as ledger, ThreadPoolExecutor(4) as hands:
        list(hands.map(count, range(4)))
        assert ledger.facts.table.get("counted") == "40"


def test_a_change_can_take_a_value_away(ledger: Ledger) -> None:
    seen = []

    def forget(value: str | None) -> None:
        seen.append(value)

    ledger.facts.table.put({"a": "1"})
    for _ in range(2):
        ledger.facts.table.change("a", forget)
    assert seen == ["1", None]
    assert ledger.facts.table.get("a") is None
