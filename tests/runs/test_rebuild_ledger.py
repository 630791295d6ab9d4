"""A ledger rebuilt from the tree: what it knows of what the lost one knew, and what the next run does."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from packaging.utils import NormalizedName
from sqlalchemy import select

from pypi_mirror.errors import LeaseLost, LedgerDamaged, LedgerError, MirrorBusy
from pypi_mirror.ledger.tables import files, projects
from pypi_mirror.model import RunState
from pypi_mirror.runs.rebuild_ledger import RebuiltLedger, rebuild_ledger
from tests.ledger.postgres import running_postgres
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    Archive,
    BackfillProvenance,
    ClearQuarantine,
    Quarantine,
    RemoveProject,
    Sdist,
    Upload,
    Wheel,
    Yank,
)

EVENTS = [
    Upload(distribution=Wheel(name="Alpha.One", version="1.0")),
    Upload(distribution=Sdist(name="Alpha.One", version="1.0")),
    Upload(distribution=Wheel(name="Alpha.One", version="2.0", tags="cp311-cp311-win_amd64")),
    Upload(distribution=Wheel(name="beta", version="1.0")),
    Yank(project="beta", version="1.0", reason="broken"),
    Upload(distribution=Wheel(name="gamma", version="1.0")),
    Archive(project="gamma"),
    Upload(distribution=Wheel(name="delta", version="1.0")),
    Upload(distribution=Wheel(name="e", version="1.0")),
    BackfillProvenance(project="beta", filename="beta-1.0-py3-none-any.whl"),
]
ALPHA = "alpha_one-1.0-py3-none-any.whl"
# What no tree tells, and what stands in its place.
UNKNOWN_OF_PROJECTS = {
    "made_entry": None, "made_decision": None,
    "selection": "", "dropped_files": 0, "dropped_bytes": 0, "page_digest": None,
}  # fmt: skip
UNKNOWN_OF_FILES = {"verified_at": 0, "provenance_sha256": None}

Rows = dict[Any, dict[str, Any]]


def rows(bench: Bench) -> tuple[Rows, Rows]:
    """The rows of projects and listed files by name, but for the ids and what a clock or an audit says.

    Tombstones are lost: nothing tells whose a file is that no page lists. The audit finds it.
    """
    with bench.open() as mirror, mirror.ledger.engine.connect() as connection:
        named = {row.id: dict(row._mapping) for row in connection.execute(select(projects))}
        held = {
            (named[row.project_id]["name"], row.filename): dict(row._mapping)
            for row in connection.execute(select(files).where(files.c.removed_at.is_(None)))
        }
    for row in [*named.values(), *held.values()]:
        for column in ("id", "project_id", "synced_at", "audited_at"):
            row.pop(column, None)
    return {row["name"]: row for row in named.values()}, held


def tree(bench: Bench) -> dict[Path, bytes]:
    """All that readers see, but for what says when a run was."""
    return {
        path: path.read_bytes()
        for part in ("simple", "packages", "pypi")
        for path in (bench.web / part).rglob("*")
        if path.is_file()
    }


def ledger_file(bench: Bench) -> Path:
    return bench.settings.directory / "ledger.sqlite"


def lose(bench: Bench) -> None:
    ledger_file(bench).unlink()


def rebuild(bench: Bench, **options: Any) -> RebuiltLedger:
    bench.clock.advance(minutes=1)
    return rebuild_ledger(bench.settings, clock=bench.clock, **options)


@contextmanager
def _database(kind: str) -> Iterator[str | None]:
    if kind == "sqlite":
        yield None
        return
    with running_postgres() as url:
        yield url


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("sqlite", {}),
        ("sqlite", {"simple_format": "JSON", "hash_index": True, "json": True}),
        ("sqlite", {"simple_format": "HTML"}),
        pytest.param("postgresql", {}, marks=pytest.mark.servers),
    ],
    ids=["sqlite", "hashed", "html", "postgresql"],
)
def test_a_lost_ledger_comes_back(bench: MakeBench, kind: str, settings: dict[str, Any]) -> None:
    with _database(kind) as url:
        made = bench(*EVENTS, ledger_url=url, **settings)
        assert made.sync().state is RunState.SUCCESS
        made.server.apply(Quarantine(project="delta"))
        assert made.sync().state is RunState.SUCCESS
        before, was = rows(made), tree(made)
        if url is None:
            lose(made)
        else:
            with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("DROP SCHEMA public CASCADE")
                connection.execute("CREATE SCHEMA public")
        rebuilt = rebuild(made)
        assert (rebuilt.missing, rebuilt.unreadable, rebuilt.aside) == (0, 0, None)
        assert (rebuilt.projects, rebuilt.files) == (len(before[0]), len(before[1]))

        unknown_of_files = dict(UNKNOWN_OF_FILES)
        if settings.get("simple_format") == "HTML":
            # That format has no place for it.
            unknown_of_files["uploaded_at"] = None
        wanted_projects = {name: row | UNKNOWN_OF_PROJECTS for name, row in before[0].items()}
        for row in wanted_projects.values():
            # Upstream may have shown a higher one than the page's.
            row["seen_serial"] = row["serial"]
        wanted_files = {key: row | unknown_of_files for key, row in before[1].items()}
        found = rows(made)
        assert found[0] == wanted_projects
        assert found[1] == wanted_files
        assert made.cursor is None, "the lost backlog may have held what no cursor may pass"

        made.server.requests.reset()
        assert made.sync().state is RunState.SUCCESS
        assert made.downloads() == []
        assert tree(made) == was
        assert drop_times(rows(made)) == drop_times(before)
        made.server.apply(ClearQuarantine(project="delta"))
        assert made.sync().state is RunState.SUCCESS
        assert made.downloads() == [], "the quarantined project's file was still there"
        audit(made)


def drop_times(found: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    for row in found[1].values():
        row.pop("verified_at")
    for row in found[0].values():
        row.pop("made_entry")
    return found


def test_under_the_same_filters_only_what_changed_is_downloaded_and_each_page_is_read_once(
    bench: MakeBench,
) -> None:
    made = bench(*EVENTS)
    made.sync()
    lose(made)
    rebuild(made, same_filters=True)
    made.server.apply(Upload(distribution=Wheel(name="gamma", version="2.0")))
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == ["gamma-2.0-py3-none-any.whl"]
    # The catalogue is lost with the ledger.
    asked = [request.path for request in made.server.requests.of("page")]
    assert len(asked) == len(set(asked)) == 5
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.server.requests.count("page") == 0
    audit(made)
    compare(made)


def test_what_went_meanwhile_goes_from_the_mirror(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    lose(made)
    made.server.apply(RemoveProject(project="gamma"))
    rebuild(made, same_filters=True)
    made.sync()
    assert not made.page_directory("gamma").exists()
    audit(made)


@pytest.mark.parametrize("damage", ["garbage", "truncated", "first page", "a page"])
def test_a_damaged_ledger_is_recognized_and_replaced(bench: MakeBench, damage: str) -> None:
    made = bench(*EVENTS)
    made.sync()
    was = tree(made)
    path = ledger_file(made)
    spoil(path, damage)
    spoiled = path.read_bytes()
    log = Path(f"{path}-journal")
    log.write_bytes(b"of another database")
    with pytest.raises(LedgerDamaged, match=r"ledger\.sqlite is damaged .*`pypi-mirror ledger rebuild`"):
        made.sync()
    rebuilt = rebuild(made)
    assert rebuilt.aside is not None
    assert rebuilt.aside.startswith(f"{path}.2")
    assert Path(rebuilt.aside).read_bytes() == spoiled
    assert not log.exists(), "beside the new ledger it would be replayed into it"
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == []
    assert tree(made) == was
    audit(made)


def spoil(path: Path, damage: str) -> None:
    if damage == "garbage":
        path.write_bytes(b"What is this? " * 1000)
    elif damage == "truncated":
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2 + 100)
    elif damage == "first page":
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 1000)
    else:
        with sqlite3.connect(path) as connection:
            (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'lease'").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        connection.close()
        with path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)


def test_a_whole_ledger_is_kept_unless_forced(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    before = rows(made)
    with pytest.raises(LedgerError, match=r"whole and holds 5 projects.*--force"):
        rebuild(made)
    assert rows(made) == before
    with made.open() as mirror:
        mirror.ledger.lease.take("somebody")
        with pytest.raises(MirrorBusy, match="somebody"):
            rebuild(made, force=True)
        mirror.ledger.lease.release("somebody")
    rebuilt = rebuild(made, force=True)
    assert rebuilt.aside is not None
    made.change(ledger_url=f"sqlite:///{rebuilt.aside}")
    assert rows(made) == before, "the old one can be put back"


@pytest.mark.servers
def test_a_whole_ledger_on_postgresql_goes_to_a_schema_of_its_own(bench: MakeBench) -> None:
    with running_postgres() as url:
        made = bench(*EVENTS, ledger_url=url)
        made.sync()
        before = rows(made)
        aside = rebuild(made, force=True).aside
        assert aside is not None
        assert aside.startswith("schema pypi_mirror_2")
        made.change(ledger_url=f"{url}?options=-csearch_path%3D{aside.removeprefix('schema ')}")
        assert rows(made) == before
        made.change(ledger_url=url)
        made.server.requests.reset()
        assert made.sync().state is RunState.SUCCESS
        assert made.downloads() == []


def test_a_rebuild_that_dies_changes_nothing(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    before = rows(made)

    def die(_: RebuiltLedger) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild_ledger(made.settings, force=True, on_progress=die, clock=made.clock)
    assert rows(made) == before
    made.clock.advance(minutes=1)
    assert rebuild(made, force=True).projects == 5
    audit_after_sync(made)
    assert not list(made.settings.directory.glob("*rebuilding*"))


def test_a_ledger_that_a_run_made_meanwhile_is_left_alone(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    lose(made)

    def meanwhile(_: RebuiltLedger) -> None:
        made.sync()

    with pytest.raises(LedgerError, match="another process has made a ledger meanwhile"):
        rebuild_ledger(made.settings, on_progress=meanwhile, clock=made.clock)
    audit(made)


def test_files_that_are_not_what_their_page_says(bench: MakeBench) -> None:
    made = bench(*EVENTS, compare_method="stat")
    made.sync()
    rotten, short, gone = (
        made.pooled(name) for name in (ALPHA, "beta-1.0-py3-none-any.whl", "alpha_one-1.0.tar.gz")
    )
    assert rotten is not None
    assert short is not None
    assert gone is not None
    content = rotten.read_bytes()
    rotten.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    short.write_bytes(short.read_bytes()[:-1])
    gone.unlink()
    lose(made)
    assert rebuild(made, same_filters=True).missing == 2, "a size tells, a digest only when it is read"
    rebuilt = rebuild(made, force=True, same_filters=True, verify=True)
    assert rebuilt.missing == 3
    assert not rotten.exists()
    assert all(row["verified_at"] == int(made.clock()) for row in rows(made)[1].values())
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == sorted([ALPHA, short.name, gone.name])
    assert rotten.read_bytes() == content
    audit(made)


def test_metadata_that_is_gone_comes_back(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    pooled = made.pooled(f"{ALPHA}.metadata")
    assert pooled is not None
    pooled.unlink()
    lose(made)
    rebuild(made, same_filters=True)
    assert rows(made)[1][("alpha-one", ALPHA)]["metadata_sha256"] is None
    made.sync()
    assert pooled.exists()
    audit(made)


def test_pages_that_cannot_be_read(bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    made = bench(*EVENTS)
    made.sync()
    was = tree(made)
    (made.page_directory("beta") / "index.v1_json").write_text("{")
    for name in ("index.v1_json", "index.html"):
        (made.page_directory("gamma") / name).write_text("{")
    (made.web / "simple" / "index.v1_json").write_text("{")
    lose(made)
    rebuilt = rebuild(made)
    assert rebuilt.unreadable == 1
    assert sorted(rows(made)[0]) == ["alpha-one", "beta", "delta", "e"]
    assert "simple/gamma/index.v1_json: cannot be read" in caplog.text
    made.sync()
    assert tree(made) == was
    audit(made)


def test_pages_in_the_layout_of_an_earlier_setting(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()
    lose(made)
    made.change(hash_index=True)
    rebuild(made, same_filters=True)
    assert made.fact("layout") == "flat", "its pages go once the web server serves the other"
    made.sync()
    assert made.page_directory("e").joinpath("index.html").exists()
    compare(made)


def test_a_mirror_without_files_of_its_own(bench: MakeBench) -> None:
    made = bench(*EVENTS, release_files=False, root_uri="https://files.example")
    made.sync()
    before = rows(made)[1]
    lose(made)
    assert rebuild(made).missing == 0
    found = rows(made)[1]
    assert found == {key: row | UNKNOWN_OF_FILES for key, row in before.items()}


def test_no_mirror_no_ledger(bench: MakeBench) -> None:
    made = bench()
    with pytest.raises(Exception, match="no mirror is here to make a ledger from"):
        rebuild(made)
    assert not made.settings.directory.exists()


def test_a_directory_where_the_ledger_should_be(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.allow(NormalizedName("e"))
    made.sync()
    lose(made)
    ledger_file(made).mkdir()
    with pytest.raises(LedgerError, match="a directory is where the ledger's file should be"):
        rebuild(made)
    with pytest.raises(LedgerError, match="it has to be a file that the mirror's user may write"):
        made.sync()


def audit_after_sync(made: Bench) -> None:
    made.sync()
    audit(made)


def test_a_run_that_came_and_went_meanwhile_is_not_forgotten(bench: MakeBench) -> None:
    made = bench(*EVENTS)
    made.sync()

    def meanwhile(_: RebuiltLedger) -> None:
        made.sync(clock_step=60)

    with pytest.raises(LeaseLost, match="lost it to run 2"):
        rebuild_ledger(made.settings, force=True, on_progress=meanwhile, clock=made.clock)
    with made.open() as mirror:
        assert [run.request.label for run in mirror.ledger.runs.latest(5)] == ["run 2", "run 1"]
