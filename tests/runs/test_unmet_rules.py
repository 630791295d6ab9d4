"""Releases that the allowlist asks for and upstream lacks are kept for people to see."""

import json
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.planning.unmet_rules import described, unmet_rules
from pypi_mirror.policy import Policy
from pypi_mirror.policy.filters.allowlist_packages import AllowedPackages
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import RemoveFile, Upload, Warehouse, Wheel, running

ONE, TWO = (Wheel(name="alpha", version=version) for version in ("1.0", "2.0"))


@pytest.fixture
def made(bench: MakeBench, tmp_path: Path) -> Bench:
    path = tmp_path / "requirements.txt"
    path.write_text("alpha==1.0\nalpha==7.0\nbeta>=2\n")
    return bench(
        *(Upload(distribution=each) for each in (ONE, TWO, Wheel(name="beta"))),
        policy=Policy(AllowedPackages(requirements=(path.name,), requirements_path=tmp_path)),
    )


def unmet(made: Bench) -> list[str]:
    with made.open() as mirror:
        return [each.rule for each in unmet_rules(mirror)]


def test_they_are_named_until_upstream_has_them(made: Bench) -> None:
    made.sync()
    assert unmet(made) == ["alpha==7.0", "beta>=2"]
    with made.open() as mirror:
        said = described(unmet_rules(mirror))
    assert "requirements.txt:2" in said
    made.server.apply(Upload(distribution=Wheel(name="beta", version="2.0")))
    made.sync()
    assert unmet(made) == ["alpha==7.0"]
    made.server.apply(RemoveFile(project="alpha", filename=ONE.file_name))
    made.sync()
    assert unmet(made) == ["alpha==1.0", "alpha==7.0"]


def test_a_corrected_file_is_known_at_once(made: Bench, tmp_path: Path) -> None:
    made.sync()
    (tmp_path / "requirements.txt").write_text("alpha==1.0\nbeta>=2\n")
    assert unmet(made) == []
    made.sync()
    assert unmet(made) == ["beta>=2"]


@pytest.mark.servers
def test_plan_and_status_name_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(Warehouse(Upload(distribution=ONE))) as server:
        (tmp_path / "requirements.txt").write_text("alpha==1.0\nalpha==7.0\n")
        conf = tmp_path / "mirror.conf"
        conf.write_text(
            f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = {server.master}\n"
            "[allowlist]\nrequirements = requirements.txt\n[site]\nenabled = false\n"
        )
        assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
        capsys.readouterr()
        who = f"alpha==7.0 ({tmp_path}/requirements.txt:2)"
        assert main(["plan", "-c", str(conf)]) == 0
        assert who in capsys.readouterr().err
        assert main(["plan", "--json", "-c", str(conf)]) == 0
        assert [each["rule"] for each in json.loads(capsys.readouterr().out)["unmet_rules"]] == ["alpha==7.0"]
        assert main(["status", "-c", str(conf)]) == 0
        assert who in capsys.readouterr().out
        public = (tmp_path / "mirror/web/mirror.json").read_text()
        assert json.loads(public)["unmet_rules"] == ["alpha==7.0"]
        assert str(tmp_path) not in public
