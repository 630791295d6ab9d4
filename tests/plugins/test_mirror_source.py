"""The mirror that the page shows follows its configuration and its ledger, and makes neither."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pypi_mirror.clock import SystemClock
from pypi_mirror.errors import ConfigurationError, LedgerDamaged, LedgerError, OldLedger
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.migrations import HEAD
from pypi_mirror.ledger.replacement import replacing
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from pypi_mirror_page.mirror_source import MirrorSource, NoMirrorYet
from tests.ledger.older import OLDER, make_older
from tests.ledger.postgres import running_postgres

CONF = "[mirror]\ndirectory = {directory}\nmaster = https://index.example\nworkers = {workers}\n{more}"


def configure(conf: Path, *, directory: str = "data", workers: int = 3, more: str = "") -> None:
    conf.write_text(CONF.format(directory=directory, workers=workers, more=more))


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The configuration of a mirror that has an empty ledger."""
    path = tmp_path / "mirror.conf"
    configure(path)
    with open_mirror(read_settings(path)):
        pass
    return path


@pytest.fixture
def source(conf: Path) -> Iterator[MirrorSource]:
    made = MirrorSource(lambda: conf)
    yield made
    made.close()


def cursor(source: MirrorSource) -> int | None:
    with source.mirror() as mirror:
        return mirror.ledger.facts.cursor


def note_cursor(conf: Path, value: int) -> None:
    with open_mirror(read_settings(conf)) as mirror:
        mirror.ledger.facts.put(Facts.cursor.to(value))


def open_files() -> set[tuple[int, int]]:
    """What this process has open, by device and inode."""
    found = set()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 (names of numbers)
        with suppress(OSError):
            status = os.fstat(int(number))
            found.add((status.st_dev, status.st_ino))
    return found


def test_one_mirror_serves_many_requests(source: MirrorSource) -> None:
    with source.mirror() as first, source.mirror() as second:
        assert first is second


def test_a_changed_configuration_is_read_again(source: MirrorSource, conf: Path) -> None:
    with source.mirror() as before:
        configure(conf, workers=5)
        with source.mirror() as after:
            assert (before.settings.workers, after.settings.workers) == (3, 5)
        # Whoever was at it goes on with what it has.
        assert before.ledger.facts.cursor is None


def test_another_directory_is_another_ledger(source: MirrorSource, conf: Path) -> None:
    note_cursor(conf, 1)
    assert cursor(source) == 1
    configure(conf, directory="other")
    note_cursor(conf, 2)
    assert cursor(source) == 2


def test_a_mistake_is_told_and_forgotten_once_it_is_mended(source: MirrorSource, conf: Path) -> None:
    cursor(source)
    configure(conf, workers=0)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="workers"), source.mirror():
            pass
    configure(conf)
    assert cursor(source) is None


def test_a_configuration_that_is_gone(source: MirrorSource, conf: Path) -> None:
    cursor(source)
    conf.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"), source.mirror():
        pass


def test_nothing_is_made_where_nothing_is(source: MirrorSource, conf: Path) -> None:
    configure(conf, directory="nowhere")
    nowhere = conf.parent / "nowhere"
    with pytest.raises(NoMirrorYet, match=f"no ledger at {nowhere}"), source.mirror():
        pass
    assert not nowhere.exists()
    note_cursor(conf, 7)
    assert cursor(source) == 7


def test_a_ledger_that_was_made_anew_is_the_one_that_is_read(source: MirrorSource, conf: Path) -> None:
    note_cursor(conf, 1)
    with source.mirror() as mirror:
        assert mirror.ledger.facts.cursor == 1
        with (
            replacing(mirror.settings.ledger, stamp="old") as place,
            Ledger.open(place.url, SystemClock()) as new,
        ):
            new.facts.put(Facts.cursor.to(2))
    assert cursor(source) == 2


def test_between_requests_nobody_has_the_ledger_open(source: MirrorSource, conf: Path) -> None:
    """Closed later, it would take the log of a ledger along that was put in its place."""
    note_cursor(conf, 1)
    assert cursor(source) == 1
    ledger = (conf.parent / "data/ledger.sqlite").stat()
    assert (ledger.st_dev, ledger.st_ino) not in open_files()


def test_a_lost_ledger_is_told_while_the_server_runs(source: MirrorSource, conf: Path) -> None:
    cursor(source)
    (conf.parent / "data/ledger.sqlite").unlink()
    with pytest.raises(NoMirrorYet, match="ledger rebuild"), source.mirror():
        pass


def test_a_damaged_ledger(source: MirrorSource, conf: Path) -> None:
    ledger = conf.parent / "data/ledger.sqlite"
    for companion in conf.parent.glob("data/ledger.sqlite-*"):
        companion.unlink()
    ledger.write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerDamaged, match="ledger rebuild"), source.mirror():
        pass


def test_an_empty_file_is_no_ledger(source: MirrorSource, conf: Path) -> None:
    ledger = conf.parent / "data/ledger.sqlite"
    ledger.write_bytes(b"")
    with pytest.raises(NoMirrorYet), source.mirror():
        pass


def test_an_older_ledger_is_left_as_it_is(source: MirrorSource, conf: Path) -> None:
    ledger = conf.parent / "data/ledger.sqlite"
    older = ledger.with_name("older")
    make_older(f"sqlite:///{older}", OLDER[-1], like=f"sqlite:///{ledger}")
    older.replace(ledger)
    before = ledger.read_bytes()
    with pytest.raises(OldLedger, match="ledger upgrade"), source.mirror():
        pass
    source.close()
    assert ledger.read_bytes() == before


def test_a_ledger_that_a_newer_program_upgraded_under_us(source: MirrorSource, conf: Path) -> None:
    cursor(source)
    with sqlite3.connect(conf.parent / "data/ledger.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match=f"has schema 9999.*knows {HEAD}"), source.mirror():
        pass


@pytest.mark.servers
def test_a_database_without_a_ledger_stays_empty(source: MirrorSource, conf: Path) -> None:
    with running_postgres() as url:
        configure(conf, more=f"[ledger]\nurl = {url}\n")
        for _ in range(2):
            with pytest.raises(NoMirrorYet, match="no ledger at postgresql"), source.mirror():
                pass
        note_cursor(conf, 3)
        assert cursor(source) == 3
        source.close()
