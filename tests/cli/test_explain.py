"""``pypi-mirror explain``, and what plan, sync and status say of names that upstream does not list."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.cli import main
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine
from tests.warehouse import Fault, Server, Status, running, small

SELECTION = """
[allowlist]
packages =
    alpha
    alhpa
    beta-lib>=1.1
    compiled
[blocklist]
platforms = windows
[platform]
exclude-filename = macosx|win_amd64
"""


@pytest.fixture
def server() -> Iterator[Server]:
    with running(small().build()) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server) -> str:
    return str(CommandLine.of(tmp_path, server, SELECTION).configuration)


def explained(conf: str, project: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    main(["explain", "--online", "--json", "-c", conf, project])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_filters_can_be_tried_before_anything_was_synced(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--online", "-c", conf, "Compiled"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("compiled: selected ([allowlist] packages lists compiled).\n")
    (windows,) = [line for line in out.splitlines() if "win_amd64.whl" in line]
    assert windows.startswith("left out  compiled-1.0-cp311-cp311-win_amd64.whl (")
    assert (
        "is win_amd64; [platform] exclude-filename = macosx|win_amd64 finds 'win_amd64' in the filename"
        in windows
    )
    assert "mirrored  compiled-1.0.tar.gz (" in out
    assert ", not downloaded yet)" in out
    assert "2 of 4 files mirrored, " in out
    assert "; left out: 1 by [platform] exclude-filename, 1 by [blocklist] platforms, " in out
    assert err == ""


def test_the_rule_that_asks_for_a_release_is_named(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    assert main(["explain", "-c", conf, "beta.lib"]) == 0
    out = capsys.readouterr().out
    (newer,) = [line for line in out.splitlines() if "beta_lib-1.1-" in line]
    (older,) = [line for line in out.splitlines() if "beta_lib-1.0-" in line]
    assert newer.startswith("mirrored ")
    assert newer.endswith(", listed): [allowlist] packages asks for beta-lib>=1.1")
    assert older.endswith("): no rule for beta-lib in [allowlist] packages admits version 1.0")


def test_a_project_that_is_left_out_says_by_which_setting(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "--online", "-c", conf, "old"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("old: left out ([allowlist] packages does not list old).\n")
    assert "Its status upstream is archived." in out
    assert "left out  old-1.0-py3-none-any.whl" in out
    assert "0 of 1 file mirrored, 0 bytes." in out


def test_a_project_that_upstream_does_not_have(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--online", "-c", conf, "alhpa"]) == 1
    out, err = capsys.readouterr()
    assert out == "alhpa: selected ([allowlist] packages lists alhpa).\n"
    assert err == "upstream has no project alhpa (did you mean alpha?)\n"


@pytest.mark.parametrize(("name", "hint"), [("compield", " (did you mean compiled?)"), ("zzz", "")])
def test_a_name_of_which_nothing_is_known_gets_the_nearest_one(
    conf: str, capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    assert main(["explain", "-c", conf, name]) == 0, "why it is left out was said"
    assert capsys.readouterr().err.endswith(f"explain -c {conf} {name} --online` asks for it{hint}\n")


def test_what_the_allowlist_names_is_no_misspelling_of_its_own_typos(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "-c", conf, "alpha"]) == 0
    assert "did you mean" not in capsys.readouterr().err
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    # Upstream has neither; the nearest name is one that it was found not to have.
    assert main(["explain", "-c", conf, "alhpaa"]) == 0
    assert "did you mean alpha?" in capsys.readouterr().err


def test_an_upstream_that_refuses_is_said_and_what_is_here_is_shown(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["sync", "-c", conf, "--processes", "1"])
    server.inject(Fault(path="/*", effect=Status(code=403), times=None))
    capsys.readouterr()
    assert main(["explain", "--online", "-c", conf, "alpha"]) == 1
    out, err = capsys.readouterr()
    assert err.startswith("upstream could not be asked: ")
    assert "did you mean" not in err, "alpha is held: it is not misspelt"
    assert "403" in err
    assert "alpha-1.0-py3-none-any.whl" in out


def test_without_asking_it_is_the_page_last_read(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", "-c", conf, "alpha"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("alpha: selected (")
    assert err.startswith("no sync has read upstream's page; `pypi-mirror explain -c ")
    main(["sync", "-c", conf, "--processes", "1"])
    server.inject(Fault(path="/*", effect=Status(code=403), times=None))
    server.requests.reset()
    capsys.readouterr()
    assert main(["explain", "-c", conf, "alpha"]) == 0
    out, err = capsys.readouterr()
    assert "mirrored  alpha-1.0-py3-none-any.whl" in out
    assert "Upstream's page as of " in out
    assert (err, server.requests.count()) == ("", 0)


def test_json_has_every_verdict(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    document = explained(conf, "compiled", capsys)
    assert document["selected"] is True
    assert document["found"] is True
    verdicts = {file["filename"].rpartition("-")[2]: file["mirrored"] for file in document["files"]}
    assert verdicts["win_amd64.whl"] is False
    assert verdicts["1.0.tar.gz"] is True
    refused = next(file for file in document["files"] if "win_amd64" in file["filename"])
    assert [each["setting"] for each in refused["refusals"]] == [
        "[blocklist] platforms",
        "[platform] exclude-filename",
    ]


def test_a_name_that_upstream_does_not_list_is_said_by_plan_sync_and_status(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "upstream does not list alhpa ([allowlist] packages): mistyped, removed, or quarantined"
    assert main(["plan", "-c", conf]) == 0
    assert said in capsys.readouterr().err
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert said in capsys.readouterr().err
    # From cron it is not said each hour.
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert said not in capsys.readouterr().err
    assert main(["status", "-c", conf]) == 0
    assert said in capsys.readouterr().out
    # Upstream has no such project, so the mirror is complete.
    assert main(["status", "--check", "-c", conf]) == 0
    assert capsys.readouterr().out == f"warning: {said}\n"
    assert main(["status", "--json", "-c", conf]) == 0
    assert json.loads(capsys.readouterr().out)["unknown_names"] == ["alhpa"]


def test_a_plan_says_of_which_projects_the_filters_leave_out_every_file(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["sync", "-c", conf, "--processes", "1"])
    path = Path(conf)
    path.write_text(path.read_text().replace("macosx|win_amd64", "compiled"))
    capsys.readouterr()
    assert main(["plan", "-c", conf]) == 0
    assert "The filters leave out every file of compiled; `pypi-mirror explain -c " in capsys.readouterr().out


def test_status_says_how_far_behind_the_mirror_is(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "-c", conf, "alpha"])
    assert not (Path(conf).parent / "mirror").exists(), "who only looks makes no mirror"
    with open_mirror(read_settings(Path(conf), {})):
        pass
    capsys.readouterr()
    assert main(["status", "-c", conf]) == 0
    assert "freshness       unknown" in capsys.readouterr().out
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert "freshness       up to date" in out
    assert " free" in out
