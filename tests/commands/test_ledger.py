"""``pypi-mirror ledger rebuild``, and what every verb says of a ledger that is broken."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.commands import main
from tests.commands.cli import CommandLine
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
        assert f"{ledger} is damaged (file is not a database); `pypi-mirror ledger rebuild` makes" in err
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
    assert "holds       5 projects, 8 files" in capsys.readouterr().out


def test_an_empty_ledger_beside_a_full_tree_is_said(
    conf: str, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger.write_bytes(b"")
    assert main(["status", "-c", conf]) == 0
    assert "`pypi-mirror ledger rebuild` restores it" in capsys.readouterr().err


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
    assert "1 file and 0 pages were not as they should be" in capsys.readouterr().out
