"""The catalogue's rows: written, confirmed, announced, and dropped long after nobody selects them."""

from packaging.utils import NormalizedName

from pypi_mirror.catalogue import Entry, EntryState
from pypi_mirror.ledger.catalogue import (
    KEEP_UNSELECTED,
    Confirmed,
    confirm_entries,
    note_selection,
    write_entries,
)
from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import NOON

ALPHA, BETA = NormalizedName("alpha"), NormalizedName("beta")


def page(name: NormalizedName = ALPHA, **changes: object) -> Entry:
    values = {
        "project": name,
        "state": EntryState.PAGE,
        "serial": 5,
        "announced": 5,
        "checked_at": NOON,
        "etag": '"five"',
        "digest": b"d" * 16,
        "encoding": 1,
        "body": b"page",
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def write(ledger: Ledger, *entries: Entry) -> None:
    with ledger.engine.begin() as connection:
        write_entries(connection, entries)


def test_an_entry_comes_back_as_it_was_and_a_later_one_takes_its_place(ledger: Ledger) -> None:
    write(ledger, page(), page(BETA, serial=None, announced=None, etag=None))
    assert ledger.catalogue.entries([ALPHA])[ALPHA] == page()
    later = page(serial=6, announced=7, body=b"another", digest=b"e" * 16)
    write(ledger, later)
    assert ledger.catalogue.entries([ALPHA, BETA]) == {
        ALPHA: later,
        BETA: page(BETA, serial=None, announced=None, etag=None),
    }


def test_a_project_that_is_gone_has_no_page(ledger: Ledger) -> None:
    write(ledger, page())
    gone = page(state=EntryState.GONE, body=b"", digest=b"\0" * 16, etag=None)
    write(ledger, gone)
    assert ledger.catalogue.entries([ALPHA])[ALPHA] == gone


def test_serials_only_go_up(ledger: Ledger) -> None:
    write(ledger, page(), page(BETA, serial=None, announced=None))
    with ledger.engine.begin() as connection:
        confirm_entries(
            connection,
            [
                Confirmed(project=ALPHA, serial=4, announced=9),
                Confirmed(project=BETA, serial=3, announced=3),
            ],
            now=NOON + 50,
        )
        confirm_entries(connection, [Confirmed(project=ALPHA, serial=None, announced=2)], now=NOON + 60)
    found = ledger.catalogue.entries([ALPHA, BETA])
    assert (found[ALPHA].serial, found[ALPHA].announced, found[ALPHA].checked_at) == (5, 9, NOON + 60)
    assert (found[BETA].serial, found[BETA].announced) == (3, 3)


def test_what_nobody_selects_goes_after_its_time_and_not_when_it_is_selected_again(ledger: Ledger) -> None:
    write(ledger, page(), page(BETA))
    with ledger.engine.begin() as connection:
        note_selection(connection, out=[ALPHA, BETA], back=[], now=NOON)
        note_selection(connection, out=[ALPHA], back=[BETA], now=NOON + 50)
    assert ledger.catalogue.forget_unselected(now=NOON + KEEP_UNSELECTED) == 0
    assert ledger.catalogue.forget_unselected(now=NOON + KEEP_UNSELECTED + 1) == 1
    assert set(ledger.catalogue.entries([ALPHA, BETA])) == {BETA}
