"""Other bytes under a known file name cost only themselves; they are refused, or followed, and alerted."""

import hashlib
from typing import Any

import pytest

from pypi_mirror.audit.findings import AuditReport
from pypi_mirror.model import RunState
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.runs.audit import audit
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_raise_alerts import watch
from tests.warehouse import (
    STATIC,
    Behaviour,
    Redeploy,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Upload,
    Warehouse,
    Wheel,
    Yank,
    running,
)

NAME = "alpha-1.0-py3-none-any.whl"
OTHER = Wheel(name="alpha", summary="other bytes", requires_python=">=3.9")


def entry(made: Bench, filename: str = NAME) -> dict[str, Any]:
    (found,) = [file for file in made.page("alpha")["files"] if file["filename"] == filename]
    return found


def served(made: Bench) -> str:
    """SHA-256 of the bytes that our page leads to."""
    url = entry(made)["url"].removeprefix("../../")
    return hashlib.sha256((made.web / url).read_bytes()).hexdigest()


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    """A mirror of ``alpha`` 1.0, 1.1 and 1.2, and of ``beta``."""
    made = bench(
        *(Upload(distribution=Wheel(name="alpha", version=v)) for v in ("1.0", "1.1", "1.2")),
        Upload(distribution=Wheel(name="beta")),
    )
    made.sync()
    return made


def test_all_else_of_the_page_is_published(made: Bench) -> None:
    before = entry(made)
    made.server.apply(
        Redeploy(distribution=OTHER),
        Yank(project="alpha", version="1.0", reason="tampered"),
        Yank(project="alpha", version="1.2", reason="slow"),
        RemoveRelease(project="alpha", version="1.1"),
        Upload(distribution=Wheel(name="alpha", version="2.0")),
        Upload(distribution=Wheel(name="beta", version="2.0")),
    )
    report = made.sync()
    assert report.state is RunState.FAILED
    assert [(each.project, each.error) for each in report.new_failures] == [("alpha", "FileReplaced")]
    assert report.cursor == made.server.warehouse.serial
    assert made.listed("alpha") == [f"alpha-{v}-py3-none-any.whl" for v in ("1.0", "1.2", "2.0")]
    assert len(made.listed("beta")) == 2
    # What is said of the old bytes stays true of them; that nobody should take them is upstream's word.
    assert entry(made) == before | {"yanked": "tampered"}
    assert entry(made, "alpha-1.2-py3-none-any.whl")["yanked"] == "slow"
    assert served(made) == before["hashes"]["sha256"]
    assert NAME in made.backlog()["alpha"]
    audit(made)


@pytest.mark.parametrize("behaviour", [Behaviour(), STATIC], ids=["changelog", "root index"])
def test_no_304_makes_it_forgotten(bench: MakeBench, behaviour: Behaviour) -> None:
    warehouse = Warehouse(Upload(distribution=Wheel(name="alpha")), Upload(distribution=Wheel(name="beta")))
    with running(warehouse, behaviour=behaviour) as server:
        made = bench()
        made.change(master=server.master)
        made.sync()
        before = entry(made)
        server.apply(Redeploy(distribution=OTHER))
        made.sync()
        for step in (20, 60, 600):
            assert made.sync(clock_step=step, recheck=step == 600).state is RunState.SUCCESS
            assert list(made.backlog()) == ["alpha"]
            assert entry(made) == before
        made.selected("alpha")
        assert list(made.backlog()) == ["alpha"]
        assert entry(made) == before


def test_a_name_whose_file_is_gone_from_our_page_brings_no_other_bytes(made: Bench) -> None:
    made.server.apply(RemoveFile(project="alpha", filename=NAME))
    made.sync()
    made.server.warehouse.filenames.discard(NAME)
    made.server.apply(Upload(distribution=OTHER))
    made.sync()
    assert made.listed("alpha") == [f"alpha-{v}-py3-none-any.whl" for v in ("1.1", "1.2")]
    assert NAME in made.backlog()["alpha"]
    audit(made)


def test_a_project_that_is_there_again_with_other_bytes_is_not_listed(made: Bench) -> None:
    made.server.apply(RemoveProject(project="beta"))
    made.sync()
    other = Wheel(name="beta", summary="other bytes")
    made.server.warehouse.filenames.discard(other.file_name)
    made.server.apply(Upload(distribution=other))
    made.sync()
    assert not made.page_directory("beta").exists()
    assert other.file_name in made.backlog()["beta"]
    assert "files-replaced started mail+hook" in watch(made)


def test_follow_takes_the_new_bytes_and_ends_it(made: Bench) -> None:
    old = served(made)
    made.server.apply(Redeploy(distribution=OTHER))
    made.sync()
    made.change(replaced_files="follow")
    assert made.sync(clock_step=20).state is RunState.SUCCESS
    assert made.backlog() == {}
    assert served(made) == entry(made)["hashes"]["sha256"] != old
    assert entry(made)["requires-python"] == ">=3.9"


def test_what_was_replaced_goes_after_the_grace_period_and_is_no_finding(made: Bench) -> None:
    old = made.web / entry(made)["url"].removeprefix("../../")
    metadata = old.with_name(f"{old.name}.metadata")
    assert metadata.exists()
    made.change(replaced_files="follow")
    made.server.apply(Redeploy(distribution=OTHER))
    assert made.sync().state is RunState.SUCCESS
    report = audited(made)
    assert (report.found, report.swept) == ({}, 0)
    assert old.exists()
    assert metadata.exists(), "readers may have the old page"
    made.clock.advance(days=made.settings.grace_days + 1)
    assert audited(made).swept == 2
    assert not old.parent.exists()
    assert audited(made).found == {}
    audit(made)


def audited(made: Bench) -> AuditReport:
    made.runs += 1
    with made.open() as mirror:
        return run_audit(mirror, AuditRequest(label=f"audit {made.runs}", everything=True))


@pytest.mark.parametrize("how", ["followed", "gone"])
def test_it_is_told_once_and_that_it_ended(made: Bench, how: str) -> None:
    assert watch(made) == []
    made.server.apply(Redeploy(distribution=OTHER))
    made.sync()
    assert watch(made) == ["files-replaced started mail+hook"]
    made.sync(clock_step=20)
    assert watch(made) == []
    made.server.apply(Redeploy(distribution=Wheel(name="alpha", version="1.1", summary="other bytes")))
    made.sync()
    assert watch(made) == ["files-replaced started mail+hook"], "it is another file"
    made.clock.advance(days=3)
    made.sync()
    assert not [told for told in watch(made) if told.startswith("files-replaced")]
    if how == "followed":
        made.change(replaced_files="follow")
    else:
        made.server.apply(
            RemoveRelease(project="alpha", version="1.0"), RemoveRelease(project="alpha", version="1.1")
        )
    made.clock.advance(days=3)
    made.sync()
    assert made.backlog() == {}
    assert "files-replaced ended mail+hook" in watch(made)
