"""``pypi-mirror plan --add``: what projects would bring, and that asking changes nothing."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.cli import main
from tests.cli.process import CommandLine
from tests.warehouse import Fault, Server, Upload, Warehouse, Wheel, running
from tests.warehouse.faults import Instead

FOLLOW = """
[allowlist]
packages = app
[dependencies]
follow = yes
[platform]
environments = linux x86_64, CPython 3.11 to 3.12, glibc 2.28
[blocklist]
packages = banned
"""


def wheel(name: str, *requires: str, version: str = "1.0", size: int = 2000) -> Upload:
    return Upload(distribution=Wheel(name=name, version=version, requires_dist=requires, size=size))


UPLOADS = (
    wheel("app", "lib<2"),
    wheel("lib"),
    wheel("lib", "deep", version="2.0"),
    wheel("deep", size=10_000),
    wheel("web", "lib>=2", "banned; extra == 'all'", "winonly; sys_platform == 'win32'"),
    wheel("web", "missing>=3", version="1.1"),
    wheel("banned"),
    wheel("winonly"),
)


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Warehouse(*UPLOADS)) as found:
        yield found


def asked(conf: str, capsys: pytest.CaptureFixture[str], *packages: str) -> dict[str, Any]:
    main(["plan", "-c", conf, "--json", *(f"--add={each}" for each in packages)])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def everything(directory: Path) -> dict[str, str]:
    """All files but what SQLite makes to be read."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def test_what_is_new_beside_what_is_here(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    before = everything(tmp_path)
    capsys.readouterr()
    found = asked(conf, capsys, "web[all]")
    assert everything(tmp_path) == before
    assert found["follows"] is True
    assert [(each["project"], each["named"], each["here"]) for each in found["projects"]] == [
        ("deep", False, False),
        ("lib", False, True),
        ("web", True, False),
    ]
    assert [each["new_files"] for each in found["projects"]] == [1, 1, 2]
    totals = found["totals"]
    assert (totals["projects"], totals["new_projects"], totals["new_files"]) == (3, 2, 4)
    assert totals["new_bytes"] == sum(each["new_bytes"] for each in found["projects"]) > 10_000
    assert [(each["project"], each["reason"]) for each in found["unmet"]] == [
        ("banned", "[blocklist] packages lists banned"),
        ("missing", "upstream has no project missing"),
    ]
    # What was asked for is what a sync brings.
    text = Path(conf).read_text().replace("packages = app", "packages =\n    app\n    web[all]")
    Path(conf).write_text(text)
    main(["sync", "-c", conf, "--processes", "1", "--json"])
    assert json.loads(capsys.readouterr().out)["tally"]["files_downloaded"] == 4


def test_before_there_is_a_mirror(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
    assert main(["plan", "-c", conf, "--add", "web<1.1", "--add", "app"]) == 0
    said = capsys.readouterr().out
    assert "web<1.1, app: 4 projects, 4 of them new.\nTo download: 5 files, " in said
    assert said.startswith("new deep (1 file, ")
    assert not (tmp_path / "mirror").exists()


def test_without_following_they_are_counted_alone(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = str(CommandLine.of(tmp_path, server, "[allowlist]\npackages = app").configuration)
    assert main(["plan", "-c", conf, "--add", "web"]) == 0
    said = capsys.readouterr().out
    assert "web: 1 project, 1 of them new.\nTo download: 2 files, " in said
    assert "[dependencies] follow is no" in said


def test_a_run_at_work_goes_on(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    command = CommandLine.of(tmp_path, server, FOLLOW)
    assert main(["sync", "-c", str(command.configuration), "--processes", "1"]) == 0
    server.inject(Fault(path="/simple/deep/*", effect=Instead(body="{"), times=None))
    assert main(["plan", "-c", str(command.configuration), "--add", "web"]) == 1
    said = capsys.readouterr().err
    assert "failed: deep: " in said
    assert main(["status", "-c", str(command.configuration), "--check"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--add", "nowhere"], "upstream has no project nowhere"),
        (["--add", "banned"], "[blocklist] packages"),
        (["--add", "we*"], "is a pattern; name one project at a time"),
        (["--add", "app==99", "--add", "web"], "upstream has no release that app==99 admits"),
        (
            ["--add", "winonly; sys_platform == 'win32'"],
            "no environment of [platform] environments needs winonly",
        ),
    ],
)
def test_what_cannot_be_added_is_said(
    arguments: list[str], said: str, tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
    try:
        code = main(["plan", "-c", conf, *arguments])
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--add", "=="], "is not a project name"),
        (["--add", "web,app"], "is more than one project; write --add for each"),
        (["--add", "web app"], "is more than one project; write --add for each"),
        (["--add", "web>="], "lacks a version"),
        (["--add", "web", "app"], "--add takes one package; write --add app, too"),
        (["--add", "web", "--recheck"], "--add asks upstream in any case; leave out --recheck"),
    ],
)
def test_a_wrong_command_line_is_wrong_usage(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "-c", str(tmp_path / "mirror.conf"), *arguments])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_here_already_is_said_with_its_reason(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    capsys.readouterr()
    assert main(["plan", "-c", conf, "--add", "lib<2"]) == 0
    said = capsys.readouterr().out
    assert "All of lib that this asks for is here already: what [allowlist] names requires lib." in said
    assert said.endswith("Nothing was changed.\n")
    assert main(["plan", "-c", conf, "--add", "lib"]) == 0
    assert "more of lib (1 file, " in capsys.readouterr().out


def test_an_upstream_that_is_down_is_said_once(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = CommandLine.of(tmp_path, server, FOLLOW).configuration
    assert main(["sync", "-c", str(conf), "--processes", "1"]) == 0
    conf.write_text(conf.read_text().replace(server.url, "http://127.0.0.1:9"))
    capsys.readouterr()
    assert main(["plan", "-c", str(conf), "--add", "web"]) == 1
    said = capsys.readouterr().err
    assert said.count("could not be asked") == 1
    assert "What was finished is kept" not in said
    assert "nothing else was answered" not in said


def test_before_dependencies_were_followed_nobody_knows_who_is_required(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """What looks left out may turn out to be required: to say no before that would be wrong."""
    conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
    assert main(["explain", "-c", conf, "--online", "lib"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "lib: not known yet ([allowlist] packages does not list lib; whether others require"
    )
    assert "`pypi-mirror sync -c " in said
    assert "open      lib-1.0-" in said
    assert "left out" not in said
    assert "0 of 2 files mirrored, 0 bytes; open: 2, " in said
    assert main(["sync", "-c", conf, "lib"]) == 1
    assert "whether others require it is not known until a sync" in capsys.readouterr().err
    # What another filter says holds in any case.
    assert main(["explain", "-c", conf, "banned"]) == 0
    assert capsys.readouterr().out == "banned: left out ([blocklist] packages lists banned).\n"
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    capsys.readouterr()
    assert main(["explain", "-c", conf, "lib"]) == 0
    assert capsys.readouterr().out.startswith("lib: selected (what [allowlist] names requires lib).")
    assert main(["explain", "-c", conf, "web"]) == 0
    assert capsys.readouterr().out == "web: left out ([allowlist] packages does not list web).\n"


def test_the_summary_of_a_required_project_names_what_left_its_files_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    platforms = ("linux_x86_64", "macosx_10_9_universal2", "win_amd64")
    files = (
        Upload(distribution=Wheel(name="lib", version=version, tags=f"cp311-cp311-{platform}"))
        for version in ("1.0", "2.0")
        for platform in platforms
    )
    with running(Warehouse(wheel("app", "lib<2"), *files)) as server:
        conf = str(CommandLine.of(tmp_path, server, FOLLOW).configuration)
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        capsys.readouterr()
        assert main(["explain", "-c", conf, "lib"]) == 0
    said = capsys.readouterr().out
    assert "left out: 3 by [dependencies] follow, 2 by [platform] environments, " in said
    (line,) = [each for each in said.splitlines() if "lib-1.0-cp311-cp311-win" in each]
    assert line.endswith("): no environment of [platform] environments can install cp311-cp311-win_amd64")
