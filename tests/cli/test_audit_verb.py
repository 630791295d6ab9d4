"""``pypi-mirror audit`` as people call it: what it prints, and its exit codes."""

import json
from pathlib import Path

import pytest

from tests.cli.process import CommandLine
from tests.warehouse import Fault, Status, Upload, Warehouse, Wheel, running

pytestmark = pytest.mark.servers

ALPHA = Wheel(name="alpha")


def damage(home: Path) -> Path:
    path = next((home / "mirror/web/packages").rglob(ALPHA.file_name))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    return path


def test_found_told_and_repaired(tmp_path: Path) -> None:
    with running(Warehouse(Upload(distribution=ALPHA))) as upstream:
        command = CommandLine.of(tmp_path, upstream)
        nothing = command.run("audit")
        assert (nothing.code, "no mirror is here yet" in nothing.err) == (1, True)
        assert command.run("sync").code == 0
        path = damage(tmp_path)
        damaged = path.read_bytes()
        told = command.run("audit", "--dry-run")
        assert told.code == 1
        assert "1  corrupt file" in told.out
        assert ALPHA.file_name in told.err
        assert path.read_bytes() == damaged
        repaired = command.run("audit", "--all", "--json")
        assert repaired.code == 0, repaired.err
        assert json.loads(repaired.out)["found"] == {"corrupt file": 1}
        assert path.read_bytes() != damaged
        again = command.run("audit", "alpha")
        assert again.code == 0
        assert "Nothing is wrong." in again.out
        assert command.run("audit", "--gigabytes", "-1").code == 2


def test_what_cannot_be_repaired_is_an_exit_code(tmp_path: Path) -> None:
    with running(Warehouse(Upload(distribution=ALPHA))) as upstream:
        command = CommandLine.of(tmp_path, upstream)
        command.run("sync")
        damage(tmp_path)
        upstream.inject(Fault(path="*.whl", effect=Status(code=403), times=None))
        said = command.run("audit", "--pages", "0")
    assert said.code == 1
    assert ALPHA.file_name not in (tmp_path / "mirror/web/simple/alpha/index.html").read_text()


def test_a_dry_run_says_that_it_does_not_count(tmp_path: Path) -> None:
    with running(Warehouse(Upload(distribution=ALPHA))) as upstream:
        command = CommandLine.of(tmp_path, upstream)
        command.run("sync")
        tried = command.run("audit", "--all", "--dry-run").out
        assert "Verified within 30 days (this dry run not counted): " in tried
        assert "\nVerified within 30 days: 100% of the projects, " in command.run("audit", "--all").out
