"""A ledger to plan with reads the mirror's, and leaves no trace in it."""

from pathlib import Path

import pytest
from sqlalchemy import inspect

from pypi_mirror.errors import MirrorBusy
from pypi_mirror.ledger.connection import create_engine
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import Hands


def schemas(url: str) -> list[str]:
    engine = create_engine(url)
    found = inspect(engine).get_schema_names()
    engine.dispose()
    return [name for name in found if name.startswith("pypi_mirror_plan")]


def test_what_is_noted_in_it_is_lost_and_what_is_in_the_ledger_is_read(
    ledger: Ledger, url: str, clock: Hands, tmp_path: Path
) -> None:
    ledger.facts.put({"selection": "theirs"})
    ledger.lease.take("a run")
    ledger.runs.begin(RunRequest(label="a run"))
    (folder := tmp_path / "scratch").mkdir()
    with Ledger.to_plan_with(url, clock, folder) as scratch:
        assert scratch.facts.get("selection") == "theirs"
        assert scratch.projects.totals().projects == 0
        scratch.lease.take("a plan")
        run = scratch.runs.begin(RunRequest(label="a plan"))
        scratch.plan.write(run.id, ())
        scratch.facts.put({"selection": "ours"})
        # Nobody waits for it meanwhile.
        ledger.facts.put({"comparing": "theirs"})
        ledger.lease.renew("a run")
    assert ledger.facts.get("selection") == "theirs"
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
