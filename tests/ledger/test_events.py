"""Upstream's events as the ledger keeps them."""

from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Event
from tests.ledger.samples import name


def event(serial: int, *, at: int = 0, action: str = "new release") -> Event:
    return Event(
        serial=serial, name="A.b", project=name("a-b"), version="1.0", timestamp=at or serial, action=action
    )


def test_events_come_back_whole_and_by_serial(ledger: Ledger) -> None:
    events = [event(2**40), event(3), event(5, action="ünï " * 300)]
    ledger.events.add(events)
    assert list(ledger.events.between(0, 2**41)) == [events[1], events[2], events[0]]


def test_after_is_left_out_and_upto_is_not(ledger: Ledger) -> None:
    ledger.events.add([event(n) for n in range(1, 8)])
    assert [e.serial for e in ledger.events.between(2, 5)] == [3, 4, 5]
    assert [e.serial for e in ledger.events.during(2, 5)] == [2, 3, 4]


def test_an_event_that_is_known_stays_as_it_is(ledger: Ledger) -> None:
    ledger.events.add([event(1)])
    ledger.events.add([event(1, action="another"), event(2)])
    assert [e.action for e in ledger.events.between(0, 9)] == ["new release", "new release"]
    ledger.events.add([])


def test_more_events_than_a_chunk_holds(ledger: Ledger) -> None:
    ledger.events.add([event(n) for n in range(1, 5_003)])
    assert [e.serial for e in ledger.events.between(0, 10**6)] == list(range(1, 5_003))


def test_old_events_are_forgotten(ledger: Ledger) -> None:
    ledger.events.add([event(n, at=100 + n) for n in range(5)])
    assert ledger.events.forget_before(103) == 3
    assert [e.serial for e in ledger.events.between(-1, 9)] == [3, 4]


def test_the_newest_is_the_one_that_happened_last(ledger: Ledger) -> None:
    assert ledger.events.newest() is None
    ledger.events.add([event(1, at=100), event(2, at=300), event(3, at=200)])
    assert ledger.events.newest() == 300
