"""Rows by the place of their files: a pass through the table in slices."""

import pytest

from pypi_mirror.ledger import locations
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.tables import files, projects
from pypi_mirror.model import path_of

COUNT = 7


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locations, "_SLICE", 2)
    monkeypatch.setattr(locations, "_NAMES_AT_ONCE", 2)


def location(number: int) -> bytes:
    return bytes([number * 32]) + bytes(31)


def path(number: int) -> str:
    return path_of(location(number), f"p{number}.whl")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:
    """Projects 1 to 7, each with one file; that of 3 is a tombstone, and 7 has the place of 5, too."""
    with ledger.engine.begin() as connection:
        for number in range(1, COUNT + 1):
            connection.execute(
                projects.insert().values(
                    id=number, name=f"p{number}", display_name=f"p{number}", status="active", selection="",
                    files=1, bytes=1, dropped_files=0, dropped_bytes=0, synced_at=0,
                )
            )  # fmt: skip
            for place in (number, 5) if number == COUNT else (number,):
                connection.execute(
                    files.insert().values(
                        project_id=number, filename=f"p{place}.whl", location=location(place),
                        sha256=bytes([number]) * 32, size=1, provenance=number == 2, verified_at=0,
                        metadata_sha256=bytes(32) if number == 4 else None,
                        removed_at=1 if number == 3 else None,
                    )
                )  # fmt: skip
    return ledger


def test_the_rows_of_a_range_of_places(filled: Ledger) -> None:
    found = [(file.filename, project) for file, project in filled.locations.within(b"\x40", b"\xa1")]
    assert found == [("p2.whl", "p2"), ("p3.whl", "p3"), ("p4.whl", "p4"), ("p5.whl", "p5"), ("p5.whl", "p7")]
    assert [project for _, project in filled.locations.within(b"\xc0", None)] == ["p6", "p7"]


def test_an_empty_table(ledger: Ledger) -> None:
    assert list(ledger.locations.within(b"\x00", None)) == []
    assert ledger.locations.claimed([path(1)]) == set()


def test_who_lists_a_place(filled: Ledger) -> None:
    found = filled.locations.claimants([path(5), path(3), path(2), path_of(location(1), "p6.whl")])
    assert {where: [each.project for each in claimants] for where, claimants in found.items()} == {
        path(5): ["p5", "p7"],
        path(2): ["p2"],
    }


def test_what_rows_account_for(filled: Ledger) -> None:
    paths = [path(n) + suffix for n in range(1, COUNT) for suffix in ("", ".metadata", ".provenance")]
    strange = path_of(location(1), "p6.whl")
    assert filled.locations.claimed([*paths, strange]) == {
        *map(path, range(1, COUNT)), f"{path(4)}.metadata", f"{path(2)}.provenance",
    }  # fmt: skip
