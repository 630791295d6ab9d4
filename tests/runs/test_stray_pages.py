"""Pages of projects that the ledger does not hold: which go after a takeover or a lost ledger, which stay."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.errors import ApprovalRequired
from pypi_mirror.model import RunState
from pypi_mirror.pages.page_store import PageStore
from pypi_mirror.planning import stray_pages
from pypi_mirror.runs.approve_removals import approve_removals
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import Rebuilt, rebuild_index
from pypi_mirror.runs.report import Report, report
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import STATIC, Corrupt, Fault, RemoveProject, Upload, Wheel

EVENTS = [Upload(distribution=Wheel(name=name)) for name in ("alpha", "blocked", "bad", "deleted", "d")]
BROKEN = Fault(path="/packages/*/bad-*.whl", effect=Corrupt(), times=None)
OLD = "what bandersnatch wrote"


def taken_over(bench: MakeBench, *, hash_index: bool) -> Bench:
    """A bandersnatch tree of five projects: upstream has lost two, the filters leave out one, one fails."""
    made = bench(*EVENTS, faults=[BROKEN], hash_index=hash_index)
    for name in ("alpha", "blocked", "bad", "deleted", "d"):
        write_page(made, name)
    made.server.apply(RemoveProject(project="deleted"), RemoveProject(project="d"))
    made.select(blocked_projects=frozenset({NormalizedName("blocked")}))
    return made


def write_page(made: Bench, name: str) -> None:
    """As bandersnatch does: three files, and legacy JSON by way of a link."""
    page = made.page_directory(name)
    page.mkdir(parents=True)
    for file in ("index.html", "index.v1_html", "index.v1_json"):
        (page / file).write_text(OLD)
    (made.web / "json").mkdir(exist_ok=True)
    (made.web / "json" / name).write_text("{}")
    (made.web / "pypi" / name).mkdir(parents=True)
    (made.web / "pypi" / name / "json").symlink_to(f"../../json/{name}")


def rebuilt(made: Bench) -> Rebuilt:
    """What the fourth step of a whole run says."""
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        partition = partition_projects(mirror, run_id)
        approve_removals(mirror, run_id, approved=partition.weighed.plan)
        for batch in partition.batches:
            download_projects(mirror, run_id, batch.number)
        result = rebuild_index(mirror, run_id)
        report(mirror, run_id)
    return result


def approved_sync(made: Bench) -> Report:
    """A run whose plan a person approves: what another tool left goes with nothing less."""
    with pytest.raises(ApprovalRequired) as required:
        made.sync()
    return made.sync(approved=required.value.plan)


def pages(made: Bench) -> set[str]:
    return {path.parent.name for path in (made.web / "simple").glob("*/**/index.html")}


def legacy(made: Bench) -> set[str]:
    """The projects with anything of legacy JSON, read without following links."""
    return {path.name for folder in ("json", "pypi") for path in (made.web / folder).iterdir()}


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_a_takeover_leaves_no_page_that_nothing_keeps_current(bench: MakeBench, hash_index: bool) -> None:
    made = taken_over(bench, hash_index=hash_index)
    result = approved_sync(made)
    assert [failure.project for failure in result.new_failures] == ["bad"]
    assert pages(made) == {"alpha", "bad"}
    assert legacy(made) == {"bad"}
    assert not made.page_directory("deleted").exists()
    assert (made.page_directory("bad") / "index.v1_json").read_text() == OLD
    made.server.faults.clear()
    made.clock.advance(days=1)
    assert made.sync().state is RunState.SUCCESS
    audit(made)
    compare(made)


def test_what_was_removed_is_counted_and_logged(bench: MakeBench, caplog: pytest.LogCaptureFixture) -> None:
    made = taken_over(bench, hash_index=False)
    with caplog.at_level(logging.INFO, logger=stray_pages.__name__):
        assert rebuilt(made).strays == 3
    told = [record.getMessage() for record in caplog.records if record.name == stray_pages.__name__]
    assert [message.partition(":")[0] for message in told] == ["blocked", "d", "deleted"]


def test_what_is_on_the_backlog_keeps_its_page_until_upstream_says_that_it_is_gone(bench: MakeBench) -> None:
    made = taken_over(bench, hash_index=False)
    approved_sync(made)
    made.server.apply(RemoveProject(project="bad"))
    assert pages(made) == {"alpha", "bad"}
    said = made.sync(recheck=True)
    assert (said.source, said.tally.projects_failed, pages(made)) == ("index", 0, {"alpha"})
    assert made.backlog() == {}
    audit(made)


def test_what_is_on_the_backlog_loses_its_page_when_the_filters_leave_it_out(bench: MakeBench) -> None:
    made = taken_over(bench, hash_index=False)
    approved_sync(made)
    made.select(blocked_projects=frozenset({NormalizedName("blocked"), NormalizedName("bad")}))
    made.sync()
    assert made.backlog() == {}
    assert pages(made) == {"alpha"}


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_a_lost_ledger_and_another_layout_leave_no_stray_pages(bench: MakeBench, hash_index: bool) -> None:
    made = bench(*EVENTS, hash_index=not hash_index)
    made.sync()
    made.change(hash_index=hash_index)
    made.sync()
    for path in made.settings.directory.glob("ledger.sqlite*"):
        path.unlink()
    made.server.apply(RemoveProject(project="deleted"), RemoveProject(project="d"))
    assert rebuilt(made).strays == 2
    assert not list((made.web / "simple").rglob("deleted"))
    assert not (made.web / "simple/d/index.html").exists()
    assert not (made.web / "simple/d/d/index.html").exists()
    assert made.pooled("deleted-1.0-py3-none-any.whl") is not None
    assert pages(made) == {"alpha", "blocked", "bad"}
    compare(made)


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_directories_of_others_are_left_alone(bench: MakeBench, tmp_path: Path, hash_index: bool) -> None:
    made = bench(*EVENTS, hash_index=hash_index)
    simple, outside = made.web / "simple", tmp_path / "outside"
    for directory in (
        simple / "notes",
        simple / "n/notes",
        simple / "Upper",
        simple / "a--b",
        outside / "linked",
    ):
        directory.mkdir(parents=True)
        (directory / "index.html").write_text("mine")
    for directory in (simple / "notes", simple / "n/notes"):
        (directory / "todo.txt").write_text("mine")
    (simple / "shelf/book").mkdir(parents=True)
    (simple / "linked").symlink_to(outside / "linked")
    (simple / "l").symlink_to(outside)
    before = {*simple.rglob("*"), *outside.rglob("*")}
    assert rebuilt(made).strays == 0
    assert before <= {*simple.rglob("*"), *outside.rglob("*")}


@pytest.mark.parametrize("hash_index", [False, True], ids=["flat", "hashed"])
def test_pages_are_looked_for_in_chunks_and_after_the_root_index(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, hash_index: bool
) -> None:
    made = taken_over(bench, hash_index=hash_index)
    # A page is gone before the next name is asked for.
    monkeypatch.setattr(stray_pages, "_CHUNK", 1)
    remove = PageStore.remove_stray

    def checked(self: PageStore, name: NormalizedName) -> bool:
        assert "alpha" in (made.web / "simple/index.html").read_text()
        return remove(self, name)

    monkeypatch.setattr(PageStore, "remove_stray", checked)
    assert rebuilt(made).strays == 3
    assert pages(made) == {"alpha", "bad"}


def test_only_a_run_that_knows_all_of_upstream_looks_for_pages(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(*EVENTS)
    made.sync()
    looked: list[str] = []
    names = PageStore.names

    def noted(self: PageStore) -> Iterator[NormalizedName]:
        looked.append("looked")
        return names(self)

    monkeypatch.setattr(PageStore, "names", noted)
    write_page(made, "stray")
    made.server.apply(Upload(distribution=Wheel(name="newcomer")))
    assert made.sync().source == "changelog"
    made.selected("alpha")
    assert (looked, "stray" in pages(made)) == ([], True)
    assert made.sync(recheck=True).source == "index"
    assert (looked, "stray" in pages(made)) == (["looked"], False)
    audit(made)


def test_an_unchanged_root_index_is_no_reason_to_look(bench: MakeBench) -> None:
    made = bench(*EVENTS, behaviour=STATIC)
    made.sync()
    write_page(made, "stray")
    assert made.sync().source == "ledger"
    assert "stray" in pages(made)
    made.server.apply(Upload(distribution=Wheel(name="newcomer")))
    assert made.sync().source == "index"
    assert "stray" not in pages(made)
    audit(made)
