"""Files in cooldown as the ledger keeps them."""

from msgspec.structs import replace

from pypi_mirror.ledger.held_files import HeldRow, HeldTotals, note_seen, replace_held
from pypi_mirror.ledger.projects import KnownFile
from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import begin, failed, name, planned

FILE = KnownFile(
    filename="a-1.whl",
    location=b"1" * 32,
    sha256=b"2" * 32,
    size=3,
    metadata_sha256=b"3" * 32,
    provenance=True,
    provenance_sha256=b"4" * 32,
    uploaded_at=None,
    removed_at=None,
    stated=b"5" * 16,
)


def row(project: str, filename: str, **values: int) -> HeldRow:
    return HeldRow(project=name(project), filename=filename, since=5, **values)  # type: ignore[arg-type]


def write(ledger: Ledger, *rows: HeldRow) -> None:
    held: dict[str, list[HeldRow]] = {}
    for each in rows:
        held.setdefault(each.project, []).append(each)
    with ledger.engine.begin() as connection:
        replace_held(connection, {name(project): found for project, found in held.items()})


def test_rows_are_read_as_they_were_written_and_replaced_by_project(ledger: Ledger) -> None:
    fetched = replace(row("a", "a-1.whl", due_at=10), file=FILE)
    waiting = row("a", "a-2.whl", due_at=9)
    write(ledger, fetched, waiting, row("b", "b-1.whl", due_at=11))
    assert ledger.held_files.of([name("a"), name("none")]) == {"a": {"a-1.whl": fetched, "a-2.whl": waiting}}
    assert [each.filename for each in ledger.held_files.all()] == ["a-2.whl", "a-1.whl", "b-1.whl"]
    assert ledger.held_files.totals() == HeldTotals(files=3, projects=2, next_due=9)
    write(ledger, fetched)
    assert [each.filename for each in ledger.held_files.all()] == ["a-1.whl", "b-1.whl"]
    with ledger.engine.begin() as connection:
        replace_held(connection, {name("a"): ()})
    assert [each.filename for each in ledger.held_files.all()] == ["b-1.whl"]


def test_when_a_file_was_seen_first_stands_until_it_is_decided(ledger: Ledger) -> None:
    for since in (7, 8):
        with ledger.engine.begin() as connection:
            note_seen(connection, {name("a"): {"a-1.whl": since}})
    [found] = ledger.held_files.of([name("a")])["a"].values()
    assert (found.since, found.due_at) == (7, None)
    assert list(ledger.held_files.all()) == [], "it may never wait"
    assert ledger.held_files.due(100, 10) == []


def test_due_is_what_waited_long_enough_or_was_lifted_and_no_other_run_does(ledger: Ledger) -> None:
    run, results = begin(ledger, plan=[planned("failed")])
    results.record([failed(planned("failed"))])
    names = ("due", "failed", "later", "lifted")
    write(
        ledger,
        *(row(each, f"{each}.whl", due_at=20 if each in ("later", "lifted") else 10) for each in names),
    )
    assert ledger.held_files.due(9, 10) == []
    assert ledger.held_files.due(10, 10) == ["due"]
    ledger.held_files.lift(name("lifted"), ["lifted.whl"], at=9, by="Ada", why="a hole")
    assert ledger.held_files.due(10, 10) == ["due", "lifted"]
    assert ledger.held_files.due(10, 1) == ["due"]
    [found] = ledger.held_files.of([name("lifted")])["lifted"].values()
    assert (found.lifted_at, found.lifted_by, found.lifted_why) == (9, "Ada", "a hole")
    assert run.id
