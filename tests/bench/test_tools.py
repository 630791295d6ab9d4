"""Every tool is given the same job, and what is installed already is not installed again."""

from pathlib import Path

import pytest

from bench import tools
from bench.catalogue import Catalogue, StaticTree
from bench.tools import Bandersnatch, Floor, Job, Ours, find_python, install_celery
from pypi_mirror.settings.read import read_settings


def _job(tmp_path: Path, *, release_files: bool = True) -> Job:
    tree = StaticTree(tmp_path / "tree", Catalogue(projects=2, files=1, filler=10))
    tree.write()
    return Job(
        directory=tmp_path / "mirror", master="http://127.0.0.1:1", tree=tree, release_files=release_files
    )


@pytest.mark.parametrize("release_files", [True, False])
def test_ours_runs_with_its_defaults(tmp_path: Path, release_files: bool) -> None:
    job = _job(tmp_path, release_files=release_files)
    settings = read_settings(Path(Ours().command(job)[-1]))
    assert settings.release_files is release_files
    text = (tmp_path / "mirror.conf").read_text()
    assert "workers" not in text
    assert "processes" not in text


def test_bandersnatch_has_as_many_workers_as_it_allows(tmp_path: Path) -> None:
    command = Bandersnatch(tmp_path / "environment").command(_job(tmp_path))
    assert command[0] == str(tmp_path / "environment/bin/bandersnatch")
    assert "workers = 10\n" in (tmp_path / "mirror.conf").read_text()


@pytest.mark.parametrize(("release_files", "addresses"), [(True, 2 + 2 * 2), (False, 2)])
def test_the_floor_is_given_every_address(tmp_path: Path, release_files: bool, addresses: int) -> None:
    Floor().command(_job(tmp_path, release_files=release_files))
    assert (tmp_path / "mirror.curl").read_text().count("url = ") == addresses


def test_what_was_installed_from_the_same_pins_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements = tmp_path / "pins.txt"
    requirements.write_text("one==1\n")
    monkeypatch.setattr(tools, "CELERY_REQUIREMENTS", requirements)
    started: list[list[str]] = []

    def run(command: list[str], **_: object) -> None:
        started.append(command)
        (tmp_path / "celery").mkdir(exist_ok=True)

    monkeypatch.setattr("subprocess.run", run)
    for pins in ("one==1\n", "one==1\n", "one==2\n"):
        requirements.write_text(pins)
        assert install_celery(tmp_path) == tmp_path / "celery"
    assert len(started) == 2
    assert all("--require-hashes" in command for command in started)


def test_a_python_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PYTHON", "false")
    with pytest.raises(SystemExit, match="BENCH_PYTHON"):
        find_python()


def test_a_python_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_PYTHON", "true")
    assert find_python() == "true"
