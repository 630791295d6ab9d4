"""A ledger to plan with reads the mirror's, and leaves no trace in it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from packaging.utils import NormalizedName
from sqlalchemy import insert, inspect

from pypi_mirror.demands.core_metadata import parse_core_metadata
from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.backlog import add_failure
from pypi_mirror.ledger.connection import create_engine
from pypi_mirror.ledger.dependencies import FollowedProject
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger, reset_upstream
from pypi_mirror.ledger.tables import catalogue, metadata, projects
from tests.ledger.samples import Hands


def schemas(url: str) -> list[str]:
    engine = create_engine(url)
    found = inspect(engine).get_schema_names()
    engine.dispose()
    return [name for name in found if name.startswith("pypi_mirror_plan")]


def test_what_is_noted_in_it_is_lost_and_what_is_in_the_ledger_is_read(
    ledger: Ledger, url: str, clock: Hands, tmp_path: Path
) -> None:
    ledger.facts.table.put({"selection": "theirs"})
    ledger.lease.take("a run")
    ledger.runs.begin(RunRequest(label="a run"))
    (folder := tmp_path / "scratch").mkdir()
    with Ledger.to_plan_with(url, clock, folder) as scratch:
        assert scratch.facts.table.get("selection") == "theirs"
        assert scratch.projects.totals().projects == 0
        scratch.lease.take("a plan")
        run = scratch.runs.begin(RunRequest(label="a plan"))
        scratch.plan.write(run.id, ())
        scratch.facts.table.put({"selection": "ours"})
        # Nobody waits for it meanwhile.
        ledger.facts.table.put({"comparing": "theirs"})
        ledger.lease.renew("a run")
    assert ledger.facts.table.get("selection") == "theirs"
    assert ledger.runs.labelled("a plan") is None
    running = ledger.runs.labelled("a run")
    assert running is not None
    assert running.state.value == "running"
    with pytest.raises(MirrorBusy):
        ledger.lease.take("another run")
    assert schemas(url) == []


def test_where_there_is_no_ledger_none_is_made(url: str, clock: Hands, tmp_path: Path) -> None:
    (folder := tmp_path / "scratch").mkdir()
    with Ledger.to_plan_with(url, clock, folder) as scratch:
        scratch.runs.begin(RunRequest(label="a plan"))
        assert scratch.projects.totals().projects == 0
    if url.startswith("sqlite"):
        assert not (tmp_path / "ledger.sqlite").exists()
    else:
        engine = create_engine(url)
        assert inspect(engine).get_table_names() == []
        engine.dispose()
    assert schemas(url) == []


PLANNING = """
import sys
from pathlib import Path
from pypi_mirror.ledger.store import Ledger
with Ledger.to_plan_with(sys.argv[1], lambda: 0.0, Path(sys.argv[2])):
    print("planning", flush=True)
    sys.stdin.read()
"""


@pytest.mark.servers
def test_the_schema_of_a_plan_that_was_killed_is_dropped_by_the_next(
    empty_postgres: str, clock: Hands, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PLANNING, empty_postgres, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"planning\n"
        (theirs,) = schemas(empty_postgres)
        with Ledger.to_plan_with(empty_postgres, clock, tmp_path):
            assert theirs in schemas(empty_postgres), "it is under way"
        process.kill()
    assert schemas(empty_postgres) == [theirs]
    wait_until_no_session_plans(empty_postgres)
    with Ledger.to_plan_with(empty_postgres, clock, tmp_path):
        assert theirs not in schemas(empty_postgres)
    assert schemas(empty_postgres) == []


def wait_until_no_session_plans(url: str) -> None:
    """The server notices by itself that a client is gone."""
    engine = create_engine(url)
    while True:
        with engine.connect() as connection:
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            if not connection.exec_driver_sql(locks).scalar_one():
                break
        time.sleep(0.05)
    engine.dispose()


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in the ledger."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


def test_that_upstream_is_another_one_is_forgotten_with_the_plan(
    ledger: Ledger, url: str, clock: Hands, tmp_path: Path
) -> None:
    fill(ledger)
    before = rows(url)
    assert before["projects"]
    assert before["catalogue"]
    assert before["backlog"]
    (folder := tmp_path / "scratch").mkdir()
    with Ledger.to_plan_with(url, clock, folder) as scratch:
        reset_upstream(scratch.engine)
        scratch.backlog.add_unread(NormalizedName("beta"), "beta", 1, "an absurd event")
        assert [project.serial for project in scratch.projects.all()] == [None]
        assert [entry.serial for entry in scratch.backlog.all()] == [None, None]
    assert rows(url) == before


def fill(ledger: Ledger) -> None:
    """A project, one that failed, upstream's page of it, and where upstream was."""
    with ledger.engine.begin() as connection:
        connection.execute(
            insert(projects).values(
                name="alpha", display_name="alpha", serial=7, seen_serial=7, status="active", selection="",
                files=0, bytes=0, dropped_files=0, dropped_bytes=0, synced_at=1,
            )
        )  # fmt: skip
        connection.execute(
            insert(catalogue).values(
                name="alpha", state="page", serial=7, checked_at=1, digest=bytes(16), encoding=1
            )
        )
        add_failure(
            connection, run_id=1, now=1, project=NormalizedName("alpha"), display_name="alpha", serial=7,
            exact=True, gone=False, error="CutOff", reason="cut off",
        )  # fmt: skip
    ledger.facts.table.put({"cursor": "7"})


def test_what_is_followed_in_it_begins_with_nothing_but_what_metadata_say(
    ledger: Ledger, url: str, clock: Hands, tmp_path: Path
) -> None:
    fill(ledger)
    known, other = NormalizedName("known"), NormalizedName("other")
    ledger.lease.take("a run")
    run = ledger.runs.begin(RunRequest(label="a run"))
    ledger.dependencies.name(run.id, {known: b"r" * 16})
    stated = {b"k" * 32: parse_core_metadata(b"Metadata-Version: 2.1\nRequires-Dist: example>=2\n")}
    (followed,) = ledger.dependencies.look_up([known]).values()
    ledger.dependencies.record(
        run.id,
        [FollowedProject(followed=followed, entry=b"", edges={}, lacks=(), metadata=stated)],
        now=0,
    )
    before = rows(url)
    (folder := tmp_path / "scratch").mkdir()
    with Ledger.to_plan_with(url, clock, folder) as scratch:
        scratch.lease.take("a plan")
        run = scratch.runs.begin(RunRequest(label="a plan"))
        scratch.dependencies.begin_apart()
        assert scratch.dependencies.named() == {}
        assert scratch.dependencies.metadata(stated) == stated
        scratch.dependencies.name(run.id, {other: b"s" * 16})
        assert scratch.dependencies.to_follow() == [other]
    assert rows(url) == before
    assert ledger.dependencies.named() == {known: b"r" * 16}
