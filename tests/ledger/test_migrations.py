"""A ledger of an earlier schema, with rows in it, is brought to this one."""

import json
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from pypi_mirror.ledger import migrations
from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import NOON, Hands, name, sample


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a ledger as the first schema made it, with a project and a file."""
    from alembic import command

    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    whole = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: whole(config, "0001"))
    engine = create_engine(url)
    migrations.upgrade(engine, now=NOON)
    monkeypatch.undo()
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO projects (id, name, display_name, status, selection, files, bytes, "
                "dropped_files, dropped_bytes, synced_at) "
                "VALUES (7, 'alpha', 'alpha', 'active', 'all', 1, 3, 0, 0, 5)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO files (project_id, filename, location, sha256, size, provenance, verified_at) "
                "VALUES (7, 'a.whl', zeroblob(32), zeroblob(32), 3, 1, 5)"
            )
        )
    engine.dispose()
    return url


def test_what_a_run_in_parts_had_left_is_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import command

    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    engine = create_engine(url)
    whole = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: whole(config, "0010"))
        migrations.upgrade(engine, now=NOON)
    rest = {"run_id": 3, "serial": 9, "selection": "all", "since": 5, "etag": '"e"', "approved": True}
    with engine.begin() as connection:
        for key, value in (("left_over", json.dumps(rest)), ("comparing", "all"), ("cursor", "4")):
            connection.execute(
                text("INSERT INTO facts (key, value) VALUES (:key, :value)"), {"key": key, "value": value}
            )
        connection.execute(
            text(
                "INSERT INTO runs (id, label, kind, state, started_at, request) "
                "VALUES (3, 'a run', 'sync', 'failed', 5, '{}')"
            )
        )
        for project, state in (("a", "pending"), ("b", "done"), ("c", "failed")):
            connection.execute(
                text(
                    "INSERT INTO plan (run_id, project, batch, display_name, action, reason, serial, exact, "
                    "gone, verify, loses_files, state, files_downloaded, bytes_downloaded, files_kept, "
                    "files_dropped, bytes_dropped, removed) VALUES (3, :project, 0, :project, 'sync', 'new', "
                    "8, 1, 0, 0, 2, :state, 0, 0, 0, 0, 0, 0)"
                ),
                {"project": project, "state": state},
            )
    engine.dispose()
    with Ledger.open(url, Hands()) as ledger:
        facts = {
            key: ledger.facts.table.get(key) for key in ("left_over", "comparing", "selection", "index_etag")
        }
        assert facts == {"left_over": None, "comparing": None, "selection": "all", "index_etag": '"e"'}
        assert (ledger.facts.cursor, ledger.facts.read) == (4, 9)
        assert ledger.to_do.those_of([name(each) for each in "abc"]) == {"a", "c"}
        with ledger.engine.connect() as connection:
            allowed = connection.execute(text("SELECT approved_in, loses_files FROM to_do")).all()
        assert [tuple(row) for row in allowed] == [(3, 2)] * 2


def test_what_was_there_before_the_audit_has_its_turn_first(first: str) -> None:
    with Ledger.open(first, Hands()) as ledger:
        (audited,) = ledger.audits.due(before=1, after=None, most_files=10)
        assert audited.turn == (0, 7)
        assert audited.page_digest is None
        (row,) = audited.files
        assert (row.file.provenance, row.file.provenance_sha256, row.verified_at) == (True, None, 5)


def test_a_ledger_of_the_time_before_samples_takes_them_and_keeps_what_it_had(first: str) -> None:
    with Ledger.open(first, Hands()) as ledger:
        assert ledger.samples.newest() is None
        ledger.samples.add(sample(NOON))
        assert ledger.samples.newest() == sample(NOON)
        assert ledger.projects.totals().files == 1


@pytest.mark.parametrize("index", ["ix_plan_progress", "ix_files_tombstones"])
def test_sums_that_people_wait_for_are_those_of_an_index(first: str, index: str) -> None:
    """A migrated ledger answers from the index alone, without a look at the rows."""
    queries = {
        "ix_plan_progress": "SELECT batch, state, count(*), sum(files_downloaded), sum(bytes_downloaded), "
        "min(project), max(project) FROM plan WHERE run_id = 1 GROUP BY batch, state",
        "ix_files_tombstones": "SELECT count(*), sum(size) FROM files WHERE removed_at IS NOT NULL",
    }
    with Ledger.open(first, Hands()) as ledger, ledger.engine.connect() as connection:
        details = [row.detail for row in connection.execute(text(f"EXPLAIN QUERY PLAN {queries[index]}"))]
    assert any(f"USING COVERING INDEX {index}" in detail for detail in details)
