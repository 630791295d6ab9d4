"""A disk that is not the mirror's own is refused before anything is written."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.errors import WrongDisk
from pypi_mirror.facts.facts import Facts
from tests.cli.process import CommandLine
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Upload, Wheel, running, small


def everything(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def unmount(made: Bench) -> None:
    shutil.rmtree(made.settings.directory)
    made.settings.directory.mkdir()


def unmount_pool(made: Bench) -> None:
    shutil.rmtree(made.web / "packages")
    (made.web / "packages").mkdir()


def swap(made: Bench) -> None:
    (made.settings.directory / "state/identity").write_text("another mirror's")


@pytest.fixture
def made(bench: MakeBench, tmp_path: Path) -> Bench:
    """A mirror whose ledger is not on its disk."""
    made = bench(
        Upload(distribution=Wheel(name="alpha")), ledger_url=f"sqlite:///{tmp_path}/elsewhere.sqlite"
    )
    made.sync()
    return made


@pytest.mark.parametrize("happened", [unmount, unmount_pool, swap])
def test_nothing_is_written_to_another_disk(made: Bench, happened: Callable[[Bench], None]) -> None:
    happened(made)
    before, cursor_asked = everything(made.settings.directory), len(made.server.requests.of("index"))
    with pytest.raises(WrongDisk, match="adopt-disk"):
        made.sync()
    assert everything(made.settings.directory) == before
    assert len(made.server.requests.of("index")) == cursor_asked


def test_a_ledger_of_an_older_version_with_projects_does_not_take_an_empty_tree(made: Bench) -> None:
    with made.open() as mirror:
        mirror.ledger.facts.put(Facts.identity.to(None))
    unmount(made)
    with pytest.raises(WrongDisk, match="has no page"):
        made.sync()
    assert everything(made.settings.directory) == []


def test_a_mirror_of_an_older_version_is_marked(made: Bench) -> None:
    with made.open() as mirror:
        mirror.ledger.facts.put(Facts.identity.to(None))
    for path in (made.settings.directory / "state/identity", made.web / "packages/.identity"):
        path.unlink()
    made.sync()
    tree = (made.settings.directory / "state/identity").read_text()
    assert tree == (made.web / "packages/.identity").read_text() == f"{made.fact('identity')}\n"


def test_a_person_adopts_a_disk_and_a_ledger_made_anew_takes_the_disks_identity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(small().build()) as server:
        conf = str(CommandLine.of(tmp_path, server).configuration)
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        marked = tmp_path / "mirror/state/identity"
        before = marked.read_text()
        marked.unlink()
        assert main(["sync", "-c", conf, "--processes", "1"]) == 1
        assert " adopt-disk -c " in capsys.readouterr().err
        assert main(["ledger", "adopt-disk", "-c", conf]) == 0
        assert marked.read_text() == before
        assert main(["ledger", "rebuild", "-c", conf, "--force"]) == 0
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        assert marked.read_text() == before


def test_every_verb_that_looks_says_that_the_disk_is_not_mounted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(small().build()) as server:
        ledger = f"[ledger]\nurl = sqlite:///{tmp_path}/elsewhere.sqlite"
        conf = str(CommandLine.of(tmp_path, server, ledger).configuration)
        for verb in ("status", "audit", "backlog"):
            assert main([verb, "-c", conf]) == 1
            assert "no mirror is here yet" in capsys.readouterr().err
        assert not (tmp_path / "elsewhere.sqlite").exists()
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        shutil.move(tmp_path / "mirror", tmp_path / "unmounted")
        (tmp_path / "mirror").mkdir()
        for verb in ("status", "audit", "backlog", "sync"):
            assert main([verb, "-c", conf]) == 1
            assert " adopt-disk -c " in capsys.readouterr().err
        assert everything(tmp_path / "mirror") == []
