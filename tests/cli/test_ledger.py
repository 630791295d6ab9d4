"""``pypi-mirror ledger rebuild|upgrade|backup``, and what every verb says of a ledger that is broken."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.cli.label import new_label
from pypi_mirror.ledger.migrations import HEAD
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine
from tests.ledger.older import make_older, version_at
from tests.warehouse import Server, running, small

VERBS = (["sync", "--processes", "1"], ["plan"], ["status"])


@pytest.fixture
def server() -> Iterator[Server]:
    with running(small().build()) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> str:
    """Of a mirror that is there."""
    path = str(CommandLine.of(tmp_path, server).configuration)
    assert main(["sync", "-c", path, "--processes", "1"]) == 0
    capsys.readouterr()
    return path


@pytest.fixture
def ledger(conf: str) -> Path:
    return Path(conf).parent / "mirror" / "ledger.sqlite"


def test_a_broken_ledger_is_named_with_the_way_out(
    conf: str, ledger: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.write_bytes(b"no database" * 1000)
    for verb in VERBS:
        assert main([*verb, "-c", conf]) == 1, verb
        err = capsys.readouterr().err
        assert f"{ledger} is damaged (file is not a database); `pypi-mirror ledger rebuild -c {conf}`" in err
    assert main(["ledger", "rebuild", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert "The ledger holds 5 projects, 8 files, " in out
    assert f"The old one was kept: {ledger}.2" in out
    server.requests.reset()
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert "0 files downloaded" in capsys.readouterr().out
    assert server.requests.of("file") == ()


def test_a_whole_ledger_is_refused_without_force(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ledger", "rebuild", "-c", conf]) == 1
    assert "is whole and holds 5 projects; with --force" in capsys.readouterr().err
    assert main(["ledger", "rebuild", "-c", conf, "--force", "--verify", "--same-filters"]) == 0
    assert main(["status", "-c", conf]) == 0
    assert "content         5 projects, 8 files" in capsys.readouterr().out


def test_an_empty_ledger_beside_a_full_tree_is_said(
    conf: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.write_bytes(b"")
    assert main(["status", "-c", conf]) == 0
    assert f"`pypi-mirror ledger rebuild -c {conf}` restores it" in capsys.readouterr().err


def test_a_new_mirror_is_not_told_of_a_lost_ledger(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(CommandLine.of(tmp_path, server).configuration)
    (tmp_path / "mirror" / "web" / "simple").mkdir(parents=True)
    assert main(["status", "-c", path]) == 0
    assert "rebuild" not in capsys.readouterr().err


def test_what_is_missing_is_counted(conf: str, ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    web = ledger.parent / "web"
    wheel = next(path for path in (web / "packages").rglob("*.whl") if path.is_file())
    wheel.unlink()
    ledger.unlink()
    assert main(["ledger", "rebuild", "-c", conf]) == 0
    assert "1 file missing, 0 pages unreadable" in capsys.readouterr().out


def test_an_older_ledger_is_upgraded_once_and_only_looked_at_until_then(
    conf: str, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.sqlite"
    assert main(["ledger", "backup", "-c", conf, str(copy)]) == 0
    assert f"{copy}: " in capsys.readouterr().out
    for left in ledger.parent.glob("ledger.sqlite*"):
        left.unlink()
    make_older(f"sqlite:///{ledger}", "0002", like=f"sqlite:///{copy}")
    for verb in (["status"], ["backlog"], ["audit", "--dry-run"]):
        assert main([*verb, "-c", conf]) == 1, verb
        err = capsys.readouterr().err
        assert (
            f"{ledger} has schema 0002, this program needs schema {HEAD}: "
            f"`pypi-mirror ledger upgrade -c {conf}`" in err
        )
    assert main(["ledger", "upgrade", "-c", conf]) == 0
    assert f"{ledger} was upgraded from schema 0002 to {HEAD}." in capsys.readouterr().out
    assert main(["ledger", "upgrade", "-c", conf]) == 0
    assert f"has schema {HEAD}; nothing to upgrade." in capsys.readouterr().out
    assert main(["status", "-c", conf]) == 0
    assert "content         5 projects, 8 files" in capsys.readouterr().out


def test_an_older_ledger_whose_run_was_killed_is_upgraded_at_once(
    conf: str, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.sqlite"
    with open_mirror(read_settings(Path(conf), {})) as mirror:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        dead = new_label().replace(f"process {os.getpid()}", f"process {child}")
        mirror.ledger.lease.take(dead)
    assert main(["ledger", "backup", "-c", conf, str(copy)]) == 0
    for left in ledger.parent.glob("ledger.sqlite*"):
        left.unlink()
    make_older(f"sqlite:///{ledger}", "0002", like=f"sqlite:///{copy}")
    assert main(["ledger", "upgrade", "-c", conf]) == 0
    assert version_at(f"sqlite:///{ledger}") == HEAD


def test_a_backup_is_the_ledger_and_replaces_nothing(
    conf: str, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.sqlite"
    assert main(["ledger", "backup", "-c", conf, str(copy)]) == 0
    assert main(["ledger", "backup", "-c", conf, str(copy)]) == 1
    assert f"{copy}: is there already" in capsys.readouterr().err
    assert main(["ledger", "backup", "-c", conf, str(tmp_path / "no/copy.sqlite")]) == 1
    assert f"{tmp_path / 'no'}: no such directory" in capsys.readouterr().err
    for left in ledger.parent.glob("ledger.sqlite*"):
        left.unlink()
    assert main(["ledger", "backup", "-c", conf, str(tmp_path / "other")]) == 1
    assert f"{ledger}: no ledger is here" in capsys.readouterr().err
    copy.rename(ledger)
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert "Nothing changed upstream; the mirror is at serial" in capsys.readouterr().out


def test_a_copy_that_fails_half_way_is_not_taken_for_one(
    conf: str, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.write_bytes(b"no database" * 1000)
    assert main(["ledger", "backup", "-c", conf, str(tmp_path / "copy")]) == 1
    assert "could not be copied to" in capsys.readouterr().err
    assert not list(tmp_path.glob("copy*"))
