"""``diff-file``: what a run has brought, for those who carry it to another place."""

import shutil
import time
from pathlib import Path

import pytest

from pypi_mirror.model import RunState
from pypi_mirror.runs.download_projects import download_projects
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.runs.report import fail_run, report
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Sdist, Upload, small

NEW = Upload(distribution=Sdist(name="alpha", version="9.0"))


@pytest.fixture
def made(bench: MakeBench, tmp_path: Path) -> Bench:
    return bench(scenario=small(), diff_file=tmp_path / "lists" / "new")


def listed(made: Bench) -> list[str]:
    """What the list has, relative to the mirror."""
    assert made.settings.diff_file is not None
    text = made.settings.diff_file.read_text()
    assert not text.endswith("\n")
    paths = [Path(line) for line in text.split("\n") if line]
    assert all(path.is_absolute() and path.is_file() for path in paths)
    assert len(set(paths)) == len(paths)
    return [str(path.relative_to(made.settings.directory)) for path in paths]


def served(directory: Path) -> dict[str, bytes]:
    """All that clients of the index can ask for."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for part in ("simple", "packages", "pypi")
        for path in (directory / "web" / part).rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_first_run_lists_all_that_is_served(made: Bench) -> None:
    assert made.sync().state is RunState.SUCCESS

    assert set(listed(made)) == set(served(made.settings.directory))


def test_files_come_before_pages_and_pages_before_the_list_of_them(made: Bench) -> None:
    made.sync()

    def rank(path: str) -> int:
        return 0 if path.startswith("web/packages/") else 2 if path.count("/") == 2 else 1

    ranks = [rank(path) for path in listed(made)]
    assert ranks == sorted(ranks)
    assert set(ranks) == {0, 1, 2}


def test_a_later_run_lists_what_it_has_brought_alone(made: Bench) -> None:
    """Carried to where the mirror was before, it makes that mirror whole."""
    made.sync()
    there = made.settings.directory.with_name("there")
    shutil.copytree(made.settings.directory, there)
    time.sleep(0.05)
    made.server.apply(NEW)

    assert made.sync().state is RunState.SUCCESS

    new = listed(made)
    assert [Path(path).name for path in new if "packages" in path] == ["alpha-9.0.tar.gz"]
    assert all("/alpha/" in path or path.startswith("web/simple/index.") for path in new[1:])
    assert "web/simple/alpha/index.html.gz" in new
    for path in new:
        (there / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made.settings.directory / path, there / path)
    assert served(there) == served(made.settings.directory)


def test_a_run_without_news_lists_nothing(made: Bench) -> None:
    made.sync()
    time.sleep(0.05)
    made.sync()

    assert listed(made) == []


def test_what_a_run_that_died_has_brought_is_in_the_next_list(made: Bench) -> None:
    made.sync()
    time.sleep(0.05)
    made.server.apply(NEW)
    with made.open() as mirror:
        run = fetch_changelog(mirror, made.request()).run_id
        for batch in partition_projects(mirror, run).batches:
            download_projects(mirror, run, batch.number)
        fail_run(mirror, mirror.ledger.runs.get(run).request.label, "it died")
    assert "alpha-9.0" not in "".join(listed(made))
    time.sleep(0.05)
    made.sync()

    assert "alpha-9.0.tar.gz" in [Path(path).name for path in listed(made)]
    assert "web/simple/alpha/index.v1_json" in listed(made)


def test_asked_again_of_a_run_that_has_ended_the_list_stays(made: Bench) -> None:
    run = made.sync().run_id
    before = listed(made)
    with made.open() as mirror:
        report(mirror, run)

    assert listed(made) == before


def test_switched_on_later_it_begins_then(bench: MakeBench, tmp_path: Path) -> None:
    made = bench(scenario=small())
    made.sync()
    time.sleep(0.05)
    made.change(diff_file=tmp_path / "new")
    made.server.apply(NEW)
    made.sync()

    assert [Path(path).name for path in listed(made) if "packages" in path] == ["alpha-9.0.tar.gz"]


def test_switched_off_it_forgets(made: Bench) -> None:
    made.sync()
    assert made.fact("listed") is not None
    made.change(diff_file=None)
    made.sync()

    assert made.fact("listed") is None


def test_in_a_directory_it_has_bandersnatchs_name(made: Bench, tmp_path: Path) -> None:
    made.change(diff_file=tmp_path)
    made.sync()

    assert (tmp_path / "mirrored-files").read_text()


def test_with_the_time_in_its_name_earlier_lists_stay(made: Bench, tmp_path: Path) -> None:
    made.change(diff_append_epoch=True)
    made.sync()
    made.sync()

    lists = sorted((tmp_path / "lists").iterdir())
    assert [path.name.rpartition("-")[0] for path in lists] == ["new", "new"]
    assert all(path.name.rpartition("-")[2].isdecimal() for path in lists)


def test_a_list_that_cannot_be_written_fails_the_run_and_loses_nothing(made: Bench, tmp_path: Path) -> None:
    (tmp_path / "lists").write_text("in the way")

    failed = made.sync()

    assert failed.state is RunState.FAILED
    assert "diff-file cannot be written" in (failed.reason or "")
    (tmp_path / "lists").unlink()
    assert made.sync().state is RunState.SUCCESS
    assert set(listed(made)) == set(served(made.settings.directory))
