"""That pages changed is remembered until somebody is notified of it, and nothing else is."""

import shutil

from packaging.utils import NormalizedName

from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.model import RunKind
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import RemoveProject, Upload, Wheel


def changed(on: Bench) -> bool:
    """Whether pages changed since this was asked before."""
    with on.open() as mirror:
        found = mirror.ledger.facts.changed_pages is not None
        mirror.ledger.facts.put(Facts.changed_pages.to(None))
    return found


def test_new_files_and_removed_projects_change_pages_and_nothing_else_does(
    bench: MakeBench,
) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")), Upload(distribution=Wheel(name="beta")))
    on.sync()
    assert changed(on)
    on.sync()
    assert not changed(on)
    on.sync(RunRequest(label="by name", kind=RunKind.SELECTED, projects=(NormalizedName("alpha"),)))
    assert not changed(on), "it was read and verified, and is as it was"
    on.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    on.sync()
    assert changed(on)
    on.server.apply(RemoveProject(project="beta"))
    on.sync()
    assert changed(on)
    assert not changed(on)


def test_the_page_of_a_project_that_the_mirror_does_not_hold_changes_pages_as_it_goes(
    bench: MakeBench,
) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    assert changed(on)
    stray = on.page_directory("stray")
    shutil.copytree(on.page_directory("alpha"), stray)
    with on.open() as mirror:
        # So that the run compares the ledger with all of upstream.
        mirror.ledger.facts.put(Facts.cursor.to(None))
    on.sync()
    assert not stray.exists()
    assert changed(on)
