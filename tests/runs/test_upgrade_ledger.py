"""A mirror whose ledger an older program wrote goes on under this one; that of a newer one is left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from pypi_mirror.errors import LedgerError, MirrorBusy, OldLedger
from pypi_mirror.ledger.connection import back_up, create_engine
from pypi_mirror.ledger.migrations import HEAD
from pypi_mirror.ledger.upgrade import upgrade_ledger
from pypi_mirror.mirror import open_mirror
from pypi_mirror.model import RunState
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.settings.values import Schedule
from tests.ledger.older import OLDER, make_older, tables_at, version_at
from tests.ledger.postgres import running_postgres
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Fault, Upload, Wheel, many


@pytest.fixture
def mirrored(bench: MakeBench) -> Bench:
    """A whole mirror with a backlog, synced by this program."""
    made = bench(scenario=many(6, 2, 300))
    made.server.inject(Fault(path="/packages/*/project_00003-*", effect=Corrupt(), times=None))
    made.sync()
    made.server.faults.clear()
    return made


def aged(mirrored: Bench, revision: str) -> str:
    """The address of the mirror's ledger, which has become one of an older program."""
    ledger = Path(make_url(mirrored.settings.ledger).database or "")
    whole = ledger.with_name("whole.sqlite")
    back_up(mirrored.settings.ledger, whole)
    for left in ledger.parent.glob("ledger.sqlite*"):
        left.unlink()
    make_older(mirrored.settings.ledger, revision, like=f"sqlite:///{whole}")
    whole.unlink()
    return mirrored.settings.ledger


@pytest.mark.parametrize("revision", OLDER)
def test_a_mirror_goes_on_where_the_older_program_left_it(mirrored: Bench, revision: str) -> None:
    cursor, backlog = mirrored.cursor, mirrored.backlog()
    assert cursor is not None
    assert backlog
    url = aged(mirrored, revision)
    assert version_at(url) == revision
    upgraded = upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    assert (upgraded.before, upgraded.after, version_at(url)) == (revision, HEAD, HEAD)
    assert (mirrored.cursor, mirrored.backlog()) == (cursor, backlog)
    mirrored.server.requests.reset()
    assert mirrored.sync().state is RunState.SUCCESS
    assert mirrored.downloads() == [], "nothing is downloaded again"
    assert mirrored.sync(clock_step=60 * 24).state is RunState.SUCCESS
    audit(mirrored)
    compare(mirrored)


def test_what_the_older_program_made_is_read_in_parts_and_nothing_goes_meanwhile(bench: MakeBench) -> None:
    """Schema 0005 is that of the last program without a catalogue; the last run finds nothing to read."""
    made = bench(scenario=many(25, 2, 300), schedule=Schedule(projects_per_run=10))
    while made.sync().state is not RunState.SUCCESS:
        pass
    names = [f"project-{number:05}" for number in range(25)]
    pages = {name: made.page(name) for name in names}
    aged(made, "0005")
    upgrade_ledger(made.settings, clock=made.clock)
    # Other filters, which change nothing, decide over what was read and leave the rest as it is.
    made.select(exclude_filename="nothing is called so")
    read = []
    for _ in range(4):
        made.server.requests.reset()
        made.sync()
        read.append(made.server.requests.count("page"))
        assert made.downloads() == []
        assert {name: made.page(name) for name in names} == pages
        audit(made)
    assert sum(read) == 25
    with made.open() as mirror:
        assert mirror.ledger.projects.never_read(1) == []
        assert all(known.made_entry is not None for known in mirror.ledger.projects.all())
    compare(made)


def test_to_upgrade_again_changes_nothing(mirrored: Bench) -> None:
    aged(mirrored, "0001")
    upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    again = upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    assert (again.before, again.after) == (HEAD, HEAD)
    assert "nothing to upgrade" in again.described


def test_where_no_ledger_is_none_is_made(bench: MakeBench) -> None:
    settings = bench().settings
    assert upgrade_ledger(settings).before is None
    assert not Path(make_url(settings.ledger).database or "").exists()


def test_a_look_leaves_an_older_ledger_as_it_is(mirrored: Bench) -> None:
    url = aged(mirrored, "0003")
    with (
        pytest.raises(
            OldLedger, match=f"has schema 0003, this program needs schema {HEAD}: `pypi-mirror ledger up"
        ),
        open_mirror(mirrored.settings, must_exist=True) as mirror,
    ):
        mirror_status(mirror)
    assert version_at(url) == "0003"


def test_a_sync_upgrades_it_by_itself(mirrored: Bench) -> None:
    url = aged(mirrored, "0002")
    assert mirrored.sync().state is RunState.SUCCESS
    assert version_at(url) == HEAD


def test_a_ledger_that_a_run_is_at_work_with_is_not_upgraded_beneath_it(mirrored: Bench) -> None:
    with mirrored.open() as mirror:
        mirror.ledger.lease.take("a run of the older program")
    url = aged(mirrored, "0003")
    with pytest.raises(MirrorBusy, match="in use by a run of the older program"):
        upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    with pytest.raises(MirrorBusy, match="in use by a run of the older program"), mirrored.open():
        pass
    assert version_at(url) == "0003"
    dead = upgrade_ledger(
        mirrored.settings, is_dead="a run of the older program".__eq__, clock=mirrored.clock
    )
    assert dead.before == "0003"
    assert version_at(url) == HEAD


def test_the_lease_of_a_run_that_ended_without_a_word_ends_by_itself(mirrored: Bench) -> None:
    with mirrored.open() as mirror:
        mirror.ledger.lease.take("a run of the older program")
    url = aged(mirrored, "0003")
    mirrored.clock.advance(minutes=16)
    upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    assert version_at(url) == HEAD


def test_a_newer_ledger_is_not_touched(mirrored: Bench) -> None:
    engine = create_engine(mirrored.settings.ledger)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(text("CREATE TABLE of_the_future (answer INTEGER)"))
    before = dump(mirrored.settings.ledger)
    for use in (upgrade_ledger, lambda settings: open_mirror(settings).__enter__()):
        with pytest.raises(LedgerError, match=f"9999.*knows {HEAD}.*Nothing was changed.*backup"):
            use(mirrored.settings)
    assert dump(mirrored.settings.ledger) == before
    engine.dispose()


def dump(url: str) -> list[str]:
    engine = create_engine(url)
    raw = engine.raw_connection()
    try:
        return list(raw.driver_connection.iterdump())  # type: ignore[union-attr]
    finally:
        raw.close()
        engine.dispose()


def test_an_upgrade_that_fails_half_way_has_changed_nothing(
    mirrored: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    url = aged(mirrored, "0001")
    before = tables_at(url)
    whole = op.create_table

    def fail_at_orphans(name: str, *rest: object, **options: object) -> object:
        made = whole(name, *rest, **options)  # type: ignore[arg-type]
        raise RuntimeError(f"{made}: the power is gone")

    monkeypatch.setattr(op, "create_table", fail_at_orphans)
    with pytest.raises(RuntimeError, match="orphans: the power is gone"):
        upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    assert (version_at(url), tables_at(url)) == ("0001", before)


@pytest.fixture
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@pytest.mark.servers
def test_on_postgresql(mirrored: Bench, postgres: str) -> None:
    cursor = mirrored.cursor
    with mirrored.open() as mirror:
        mirror.ledger.lease.take("a run of the older program")
    make_older(postgres, "0001", like=mirrored.settings.ledger)
    mirrored.change(ledger_url=postgres)
    with pytest.raises(MirrorBusy, match="in use by a run of the older program"):
        upgrade_ledger(mirrored.settings, clock=mirrored.clock)
    assert version_at(postgres) == "0001"
    mirrored.clock.advance(minutes=16)
    assert upgrade_ledger(mirrored.settings, clock=mirrored.clock).before == "0001"
    assert (version_at(postgres), mirrored.cursor) == (HEAD, cursor)
    mirrored.server.apply(Upload(distribution=Wheel(name="project-00001", version="9.9")))
    assert mirrored.sync().state is RunState.SUCCESS
    audit(mirrored)
