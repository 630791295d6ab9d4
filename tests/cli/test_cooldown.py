"""``pypi-mirror cooldown``: what waits, lifting it, and listing what is due."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine
from tests.warehouse import Upload, Warehouse, Wheel, running


def test_files_wait_are_lifted_with_a_reason_and_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now(UTC)
    uploads = (
        Upload(distribution=Wheel(name="alpha", version="1.0"), at=now - timedelta(days=30)),
        Upload(distribution=Wheel(name="alpha", version="2.0"), at=now - timedelta(days=1)),
        Upload(distribution=Wheel(name="alpha", version="3.0"), at=now - timedelta(hours=1)),
    )
    with running(Warehouse(*uploads)) as server:
        path = CommandLine.of(tmp_path, server).configuration
        with path.open("a") as file:
            file.write("[cooldown]\nexclude-newer = 7 days\n")
        conf = str(path)
        page = tmp_path / "mirror/web/simple/alpha/index.v1_json"

        def listed() -> list[str]:
            return [each["filename"].split("-")[1] for each in json.loads(page.read_bytes())["files"]]

        def said(*words: str) -> tuple[int, str]:
            capsys.readouterr()
            code = main([*words, "-c", conf])
            return code, "".join(capsys.readouterr())

        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        assert listed() == ["1.0"]
        assert "In cooldown: 2 files of 1 project." in said("sync", "--processes", "1")[1]
        code, out = said("cooldown")
        assert code == 0
        assert "alpha-2.0-py3-none-any.whl: listed from 2" in out
        assert "2 files of 1 project in cooldown." in out
        assert "in cooldown     2 files of 1 project, the next is due at 2" in said("status")[1]
        out = said("explain", "alpha")[1]
        assert "held      alpha-3.0-py3-none-any.whl" in out
        assert "1 of 3 files mirrored" in out
        assert "in cooldown: 2" in out
        assert said("cooldown", "publish") == (0, "No file is due.\n")
        with pytest.raises(SystemExit):
            said("cooldown", "lift", "alpha", "--why", " ")
        assert "argument --why: empty: say why" in capsys.readouterr().err
        code, out = said("cooldown", "lift", "beta", "--why", "no such")
        assert code == 1
        assert "none of these files is in cooldown" in out
        code, out = said("cooldown", "lift", "alpha>=3", "--why", "fixes a hole")
        assert (code, out.splitlines()[0]) == (0, "alpha-3.0-py3-none-any.whl: cooldown lifted")
        rows = {row["filename"]: row for row in json.loads(said("cooldown", "list", "--json")[1])}
        assert rows["alpha-3.0-py3-none-any.whl"]["reason"] == "fixes a hole"
        assert rows["alpha-2.0-py3-none-any.whl"]["lifted_by"] is None
        out = said("plan")[1]
        assert "sync alpha: the cooldown of files is over\n" in out
        assert "To download: nothing.\nTo list: 1 file whose cooldown is over.\n" in out
        code, out = said("cooldown", "publish")
        assert code == 0
        assert "1 project synced" in out
        assert listed() == ["1.0", "3.0"]


def test_many_files_are_listed_by_several_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p{number}" for number in range(6)]
    uploads = [Upload(distribution=Wheel(name=name, version="1.0"), at=datetime.now(UTC)) for name in names]
    with running(Warehouse(*uploads)) as server:
        path = CommandLine.of(tmp_path, server).configuration
        with path.open("a") as file:
            file.write("[cooldown]\nexclude-newer = 7 days\n")
        assert main(["sync", "-c", str(path), "--processes", "1"]) == 0
        assert main(["cooldown", "lift", "-c", str(path), *names, "--why", "reviewed"]) == 0
        monkeypatch.setattr("pypi_mirror.runs.publish_due._PROJECTS_A_PROCESS", 1)
        monkeypatch.setattr("os.cpu_count", lambda: 3)
        capsys.readouterr()
        assert main(["cooldown", "publish", "-c", str(path)]) == 0
    assert "6 projects synced" in capsys.readouterr().out
    with open_mirror(read_settings(path), must_exist=True) as mirror:
        batches = mirror.ledger.plan.batches(mirror.ledger.runs.latest()[0].id)
        assert [batch.projects for batch in batches] == [2, 2, 2]
        assert list(mirror.ledger.held_files.all()) == []
    for name in names:
        page = json.loads((tmp_path / f"mirror/web/simple/{name}/index.v1_json").read_bytes())
        assert [each["filename"] for each in page["files"]] == [f"{name}-1.0-py3-none-any.whl"]
