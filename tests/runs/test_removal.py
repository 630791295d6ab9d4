"""Removal: off the pages at once, off the disk after the grace period, back without a download until then."""

import pytest

from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.rebuild_index import rebuild_index
from pypi_mirror.runs.report import report
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    ClearQuarantine,
    Declared,
    Quarantine,
    RemoveFile,
    RemoveProject,
    RemoveRelease,
    Upload,
    Wheel,
)

ONE = Wheel(name="alpha", version="1.0")
TWO = Wheel(name="alpha", version="2.0")


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(Upload(distribution=ONE), Upload(distribution=TWO), Upload(distribution=Wheel(name="other")))
    made.sync()
    made.server.requests.reset()
    return made


def test_a_removed_file_is_swept_with_its_metadata_and_its_directories(synced: Bench) -> None:
    path = synced.pooled(TWO.file_name)
    assert path is not None
    synced.server.apply(RemoveFile(project="alpha", filename=TWO.file_name))
    synced.sync()
    assert synced.listed("alpha") == [ONE.file_name]
    assert path.exists()
    audit(synced)
    synced.clock.advance(days=6.9)
    synced.sync()
    assert path.exists()
    synced.clock.advance(days=0.2)
    synced.sync()
    assert not path.parent.exists()
    audit(synced)
    compare(synced)


def test_without_delete_packages_the_disk_keeps_what_the_pages_lose(bench: MakeBench) -> None:
    made = bench(Upload(distribution=ONE), Upload(distribution=TWO), delete_packages=False)
    made.sync()
    made.server.apply(RemoveRelease(project="alpha", version="2.0"))
    made.clock.advance(days=100)
    made.sync()
    made.clock.advance(days=100)
    made.sync()
    assert made.listed("alpha") == [ONE.file_name]
    assert made.pooled(TWO.file_name) is not None
    audit(made)
    compare(made)


def test_no_grace_at_all(bench: MakeBench) -> None:
    made = bench(Upload(distribution=ONE), Upload(distribution=TWO), grace_days=0.0)
    made.sync()
    made.server.apply(RemoveFile(project="alpha", filename=TWO.file_name))
    made.sync()
    made.sync()
    assert made.pooled(TWO.file_name) is None
    audit(made)


def test_a_removed_project_goes_from_the_index_and_its_files_in_time(synced: Bench) -> None:
    synced.server.apply(RemoveProject(project="alpha"))
    result = synced.sync()
    assert result.tally.projects_removed == 1
    assert not synced.page_directory("alpha").exists()
    assert synced.pooled(ONE.file_name) is not None
    audit(synced)
    compare(synced)
    synced.clock.advance(days=8)
    synced.sync()
    assert synced.pooled(ONE.file_name) is None
    with synced.open() as mirror:
        assert [project.project for project in mirror.ledger.projects.all()] == ["other"]
    audit(synced)


def test_a_quarantine_that_outlasts_the_grace_period_costs_a_download(synced: Bench) -> None:
    synced.server.apply(Quarantine(project="alpha"))
    synced.sync()
    synced.clock.advance(days=8)
    synced.sync()
    assert synced.pooled(ONE.file_name) is None
    audit(synced)
    synced.server.apply(ClearQuarantine(project="alpha"))
    synced.sync()
    assert synced.downloads() == [ONE.file_name, TWO.file_name]
    audit(synced)
    compare(synced)


def test_a_project_that_the_filters_take_back_within_the_grace_period_is_not_downloaded(
    synced: Bench,
) -> None:
    synced.allow("other")
    synced.sync()
    assert not synced.page_directory("alpha").exists()
    synced.allow("other", "alpha")
    synced.sync()
    assert synced.downloads() == []
    assert synced.listed("alpha") == [ONE.file_name, TWO.file_name]
    audit(synced)
    compare(synced)


SHARED = "shared-1.0.tar.gz"


def sharing(bench: MakeBench) -> Bench:
    """Two projects that list one file at one address, as only odd or hostile indexes have it.

    Each has the file at a place of its own, so that neither can take it from the other.
    """
    owner, guest = (
        Upload(distribution=Declared(name=name, version="1.0", filename=SHARED, data=b"one content"))
        for name in ("owner", "guest")
    )
    made = bench(owner)
    made.server.warehouse.filenames.clear()
    made.server.apply(guest)
    made.sync()
    assert made.listed("owner") == made.listed("guest") == [SHARED]
    assert len(list((made.web / "packages").rglob(SHARED))) == 2
    return made


@pytest.mark.parametrize(
    "event", [RemoveFile(project="owner", filename=SHARED), RemoveProject(project="owner")]
)
def test_a_file_that_another_project_lists_outlives_its_tombstone(
    bench: MakeBench, event: RemoveFile | RemoveProject
) -> None:
    made = sharing(bench)
    made.server.apply(event)
    made.sync()
    made.clock.advance(days=8)
    assert swept(made) == 1
    assert len(list((made.web / "packages").rglob(SHARED))) == 1
    with made.open() as mirror:
        assert mirror.ledger.projects.tombstones(1 << 40, 10) == []
    audit(made)
    compare(made)
    made.server.apply(RemoveFile(project="guest", filename=SHARED))
    made.sync()
    made.clock.advance(days=8)
    assert swept(made) == 1
    assert [path.name for path in (made.web / "packages").iterdir()] == [".identity"]
    audit(made)


def test_a_file_that_both_projects_lose_is_swept_for_both(bench: MakeBench) -> None:
    made = sharing(bench)
    made.server.apply(RemoveFile(project="owner", filename=SHARED), RemoveProject(project="guest"))
    made.sync()
    made.clock.advance(days=8)
    assert swept(made) == 2
    assert [path.name for path in (made.web / "packages").iterdir()] == [".identity"]
    audit(made)


def swept(made: Bench) -> int:
    """How many files a run deletes in which nothing changed."""
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        assert partition_projects(mirror, run_id).batches == ()
        rebuilt = rebuild_index(mirror, run_id)
        report(mirror, run_id)
    return rebuilt.swept
