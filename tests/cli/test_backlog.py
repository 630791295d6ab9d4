"""``pypi-mirror backlog``, and what ``sync`` and ``plan`` say of a plan that needs approval."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from pypi_mirror.cli import main
from pypi_mirror.ledger.tables import backlog
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine
from tests.warehouse import Corrupt, Fault, RemoveProject, Server, Upload, Warehouse, Wheel, running

NAMES = [f"p{number:02}" for number in range(12)]
BROKEN = Fault(path="/packages/*/p0[01]-1.0-*", effect=Corrupt(), times=None)


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Warehouse(*(Upload(distribution=Wheel(name=name)) for name in NAMES))) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server) -> str:
    """The configuration of a mirror that has everything but p00 and p01, which are parked and waiting."""
    path = str(CommandLine.of(tmp_path, server).configuration)
    server.inject(BROKEN)
    assert main(["sync", "-c", path, "--processes", "1"]) == 1
    with open_mirror(read_settings(Path(path), {})) as mirror, mirror.ledger.engine.begin() as connection:
        connection.execute(update(backlog).where(backlog.c.project == "p00").values(parked=True))
    server.faults.clear()
    return path


def has_page(conf: str, name: str) -> bool:
    return (Path(conf).parent / f"mirror/web/simple/{name}/index.html").exists()


def test_list_says_why_and_when(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["backlog", "-c", conf]) == 0
    lines = capsys.readouterr().out.splitlines()
    when = r"next try at 2\d{3}-\d\d-\d\d \d\d:\d\d UTC\)"
    assert re.fullmatch(rf"p00: http.* sha256 is .* \(1 attempt, parked, {when}", lines[0])
    assert re.fullmatch(rf"p01: http.* sha256 is .* \(1 attempt, {when}", lines[1])
    assert lines[2:] == [
        "2 projects failed, 1 of them parked; 0 pages older than upstream's list of projects says."
    ]
    assert main(["backlog", "list", "P01", "--json", "-c", conf]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["project"], entry["attempts"], entry["parked"], entry["lagging"]) == (
        "p01",
        1,
        False,
        False,
    )
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["next_try_at"])


def test_retry_makes_the_next_sync_try_what_is_named(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backlog", "retry", "p00", "-c", conf]) == 0
    assert "p00: will be retried in the next sync, no longer parked" in capsys.readouterr().out
    assert main(["sync", "-c", conf, "--processes", "1"]) == 1, "p01 still waits"
    assert (has_page(conf, "p00"), has_page(conf, "p01")) == (True, False)
    assert main(["backlog", "retry", "--all", "-c", conf]) == 0
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert has_page(conf, "p01")


def test_forget_refuses_what_is_selected_and_then_says_what_the_mirror_has(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backlog", "forget", "p00", "-c", conf]) == 1
    assert "p00: selected by the filters and behind upstream" in capsys.readouterr().err
    assert main(["backlog", "forget", "--force", "p00", "-c", conf]) == 0
    assert capsys.readouterr().out == (
        "p00: forgotten; the mirror has nothing of it; it stays so until upstream changes it or a sync with "
        "--recheck\n"
    )
    Path(conf).write_text(Path(conf).read_text() + "[blocklist]\npackages = p01\n")
    assert main(["backlog", "forget", "--all", "-c", conf]) == 0
    assert capsys.readouterr().out == "p01: forgotten; the mirror has nothing of it\n"
    main(["backlog", "-c", conf])
    assert capsys.readouterr().out.startswith("0 projects failed")


@pytest.mark.parametrize("action", ["retry", "forget"])
def test_a_name_that_is_not_there_changes_nothing(
    conf: str, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backlog", "-c", conf, action, "p00", "p07"]) == 1
    assert "p07: not on the backlog" in capsys.readouterr().err
    main(["backlog", "-c", conf])
    assert "2 projects failed, 1 of them parked" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["retry"], ["forget"], ["retry", "p00", "--all"]])
def test_who_means_all_has_to_say_so(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["backlog", *arguments])
    assert ended.value.code == 2
    assert "or say --all" in capsys.readouterr().err


def test_a_plan_that_removes_much_ends_with_code_3_and_runs_once_it_is_approved(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.apply(*(RemoveProject(project=name) for name in NAMES[2:8]))
    assert main(["sync", "-c", conf, "--processes", "1"]) == 3
    err = capsys.readouterr().err
    found = re.search(r"`pypi-mirror sync -c \S+ --approve ([0-9a-f]{12})`", err)
    assert found is not None
    assert "60% of the mirror's projects" in err
    assert has_page(conf, "p02")
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert re.search(
        rf"\napproval        plan {found[1]}, awaiting approval, would remove 6 projects, 6 files \(.* 60%",
        out,
    )
    assert f"`pypi-mirror sync -c {conf} --approve {found[1]}` runs it" in out
    assert "last run        ended before it changed anything: its plan awaits approval\n" in out
    assert main(["status", "-c", conf, "--check"]) == 1
    said = capsys.readouterr().out
    assert "a plan is awaiting approval to remove 6 projects" in said
    assert "the last run failed" not in said, "nothing has failed: it is a person's turn"
    published = json.loads((Path(conf).parent / "mirror/web/mirror.json").read_bytes())["waiting"]
    assert (published["plan"], published["projects"], published["files"]) == (found[1], 6, 6)
    assert published["exceeded"][0].startswith("60% of the mirror's projects")
    assert main(["plan", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^remove p02: upstream: remove project \(loses its page, 1 file, ", out, re.MULTILINE)
    assert f"\nPlan {found[1]} would remove 6 projects, 6 files (" in out
    assert f"\n`pypi-mirror sync -c {conf} --approve {found[1]}` runs it.\n" in out
    assert main(["sync", "-c", conf, "--approve", "0123456789ab", "--processes", "1"]) == 3
    assert "0123456789ab was approved, but that is another plan" in capsys.readouterr().err
    assert main(["sync", "-c", conf, "--approve", found[1], "--processes", "1"]) == 1, "the backlog waits"
    out, err = capsys.readouterr()
    assert "0 projects synced, 6 removed" in out
    assert "no plan" not in err
    assert not has_page(conf, "p02")
    assert main(["status", "-c", conf, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"] is None, "approved, it waits no longer"
    main(["sync", "-c", conf, "--approve", found[1], "--processes", "1"])
    assert f"warning: no plan {found[1]} awaits approval; this sync needs none\n" in capsys.readouterr().err


def test_status_says_why_the_last_run_failed(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["status", "-c", conf]) == 0
    assert "last run        failed: 2 of 12 projects failed for the first time\n" in capsys.readouterr().out
