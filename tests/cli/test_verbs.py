"""The verbs in this process: what they print, and which code they end with."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from pypi_mirror import mirror as mirror_module
from pypi_mirror.cli import label, main
from pypi_mirror.ledger.tables import backlog
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine
from tests.runs.audit import audit, compare
from tests.runs.bench import PATIENCE, Bench
from tests.warehouse import SERIAL_LESS, AddRole, Corrupt, Fault, Server, Status, many, running, small


@pytest.fixture
def server() -> Iterator[Server]:
    with running(small().build()) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server) -> str:
    return str(CommandLine.of(tmp_path, server).configuration)


def test_sync_twice(conf: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    out = capsys.readouterr().out
    assert "5 projects synced, 0 removed; 8 files downloaded (" in out
    assert "The mirror holds 5 projects, 8 files, " in out
    bench = Bench(server=server, settings=read_settings(Path(conf), {}))
    audit(bench)
    compare(bench)
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert (
        f"Nothing changed upstream; the mirror is at serial {server.warehouse.serial}."
        in capsys.readouterr().out
    )


def test_sync_of_named_projects(conf: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "-c", conf, "--processes", "1", "Beta_Lib", "alpha"]) == 0
    assert "2 projects synced" in capsys.readouterr().out
    assert {each.path for each in server.requests.of("page")} == {"/simple/alpha/", "/simple/beta-lib/"}


def test_a_name_that_upstream_does_not_have_is_said(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "-c", conf, "--processes", "1", "alpha", "alhpa"]) == 1
    out, err = capsys.readouterr()
    assert "0 removed" in out
    assert "upstream has no project alhpa" in err
    assert "no project alpha" not in err


def test_an_upstream_without_serials_is_not_said_to_be_at_serial_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(small().build(), behaviour=SERIAL_LESS) as server:
        conf = str(CommandLine.of(tmp_path, server).configuration)
        assert main(["plan", "-c", conf]) == 0
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert "None" not in out
    assert "by comparison with upstream's list of all projects." in out
    assert "serial          none yet" in out


def test_an_upstream_that_is_away(conf: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.inject(Fault(path="/*", effect=Status(code=403), times=None))
    assert main(["sync", "-c", conf]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"pypi-mirror: {server.url}/simple/: answered 403")
    assert "Traceback" not in err
    # The failed run is over: nobody has to wait for its lease.
    server.faults.clear()
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0


def test_an_upstream_that_goes_away_in_mid_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror_module, "Patience", lambda: PATIENCE)
    with running(many(40, 1, 200).build()) as server:
        conf = str(CommandLine.of(tmp_path, server).configuration)
        server.inject(Fault(path="/*", effect=Status(code=503), skip=60, times=None))
        assert main(["sync", "-c", conf, "--processes", "1"]) == 1
        err = capsys.readouterr().err
        assert f"pypi-mirror: upstream is down: {server.url}/" in err
        assert "answered 503; nothing else was answered for " in err
        assert "run it again once upstream answers" in err
        assert "Traceback" not in err
        # Its lease is released, nothing is on the backlog, and all that was planned comes now.
        server.faults.clear()
        assert main(["sync", "-c", conf, "--processes", "1"]) == 0
        bench = Bench(server=server, settings=read_settings(Path(conf), {}))
        audit(bench)
        compare(bench)


def test_more_failures_than_are_tolerated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(many(40, 1, 200).build()) as server:
        conf = str(CommandLine.of(tmp_path, server, max_failures="5%%").configuration)
        server.inject(Fault(path="/packages/*/project_0000*", effect=Status(code=404), times=None))
        assert main(["sync", "-c", conf, "--processes", "1"]) == 1
        err = capsys.readouterr().err
        assert "pypi-mirror: max-failures = 5%: " in err
        assert "projects of this run have failed, 2 are tolerated; nothing is published" in err
        assert not (tmp_path / "mirror/status").exists()


def test_status_of_no_mirror_makes_none(
    conf: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = read_settings(Path(conf), {}).directory
    assert main(["status", "-c", conf]) == 1
    assert f"{directory}: no mirror is here yet" in capsys.readouterr().err
    assert not directory.exists()


def test_status(conf: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with open_mirror(read_settings(Path(conf), {})):
        pass
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert f"directory       {Path(conf).parent / 'mirror'}\n" in out
    assert "last run        none yet" in out
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    capsys.readouterr()
    assert main(["status", "-c", conf, "--json"]) == 0
    said = capsys.readouterr().out
    document = json.loads(said)
    assert (document["cursor"], document["projects"], document["files"]) == (server.warehouse.serial, 5, 8)
    assert (document["last_run"], document["backlog"]) == ("success", 0)
    assert document["dropped_files"] == 2
    published = json.loads((Path(conf).parent / "mirror/web/mirror.json").read_bytes())
    # Others write to the disk meanwhile.
    assert published.pop("disk_free") > 0
    assert document.pop("disk_free") > 0
    assert published == document


def test_a_plan_does_not_make_the_mirror_look_fresh(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_mirror(read_settings(Path(conf), {})):
        pass
    assert main(["plan", "-c", conf]) == 0
    assert "5 projects, 0 of them to remove" in capsys.readouterr().out
    assert main(["status", "-c", conf, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["last_run"], document["updated_at"], document["cursor"]) == (None, None, None)


def test_config_check(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "-c", conf]) == 0
    all_of_it = "[allowlist] names no projects: all that upstream has are mirrored\n"
    assert capsys.readouterr() == (f"{all_of_it}no mistakes in {conf}\n", "")
    assert main(["config", "check", "--all", "-c", conf]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[mirror]\n")
    assert "exclude-filename = macosx|win32|win_amd64" in out
    assert err == f"{all_of_it}no mistakes in {conf}\n"


def test_config_check_says_how_much_everything_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = tmp_path / "mirror.conf"
    conf.write_text("[mirror]\ndirectory = mirror\nmaster = pypi\n")
    assert main(["config", "check", "-c", str(conf)]) == 0
    assert "all that upstream has are mirrored (PyPI has some 100 TB)" in capsys.readouterr().out
    with conf.open("a") as file:
        file.write("[allowlist]\npackages = example\n")
    assert main(["config", "check", "-c", str(conf)]) == 0
    assert capsys.readouterr().out == f"no mistakes in {conf}\n"


def test_config_check_warns_of_what_has_no_effect(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Path(conf).open("a") as file:
        file.write("\n[plugins]\nenabled = regex_project\n[blocklist]\npackages = example\n")
    assert main(["config", "check", "--all", "-c", conf]) == 0
    out, err = capsys.readouterr()
    assert "packages = example" not in out
    assert "[blocklist] packages no effect ignored, as bandersnatch does" in " ".join(err.split())


def test_config_check_says_what_each_option_of_bandersnatch_comes_to(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "[mirror]\nverifiers = 10\nworkers = 7\n[plugins]\nenabled = blacklist_project\n"
    conf = _with(CommandLine.of(tmp_path, server).configuration, text)
    assert main(["config", "check", "-c", str(conf)]) == 0
    rows = [line.split(maxsplit=3) for line in capsys.readouterr().out.split("\n") if " [" in line[:9]]
    verdicts = {key: rest for _, section, key, rest in rows if section == "[mirror]"}
    assert verdicts["directory"] == "same"
    assert verdicts["workers"].startswith("better ")
    assert verdicts["verifiers"].startswith("no effect ")


@pytest.mark.parametrize("verb", ["sync", "plan"])
def test_warnings_of_the_configuration_are_shown_by_what_works_with_it(
    tmp_path: Path, server: Server, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = _with(CommandLine.of(tmp_path, server).configuration, "[mirror]\nverifiers = 10\n")
    assert main([verb, "-c", str(conf)]) == 0
    [warning] = [line for line in capsys.readouterr().err.split("\n") if line.startswith("warning: ")]
    assert warning.startswith(f"warning: {conf}:")
    assert "[mirror] verifiers: has no effect (in bandersnatch: " in warning


def _with(configuration: Path, text: str) -> Path:
    """The configuration with more lines: those of a section that it has stand behind the section's head."""
    written = configuration.read_text()
    for part in text.split("["):
        head, _, lines = part.partition("]\n")
        if lines and f"[{head}]\n" in written:
            keys = {line.partition(" =")[0] for line in lines.splitlines()}
            written = "".join(
                line for line in written.splitlines(keepends=True) if line.partition(" =")[0] not in keys
            ).replace(f"[{head}]\n", f"[{head}]\n{lines}")
        elif lines:
            written += f"\n[{head}]\n{lines}"
    configuration.write_text(written)
    return configuration


def test_what_config_check_shows_can_be_read_again(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """A list has an item a line, indented: as the second line of a value, not as a key of its own."""
    text = "[allowlist]\npackages =\n    alpha\n    beta-lib>=1\n"
    conf = CommandLine.of(tmp_path, server, text).configuration
    assert main(["config", "check", "--all", "-c", str(conf)]) == 0
    shown = capsys.readouterr().out
    assert "packages =\n    alpha\n    beta-lib>=1\n" in shown
    again = tmp_path / "again.conf"
    again.write_text(shown)
    first, second = (read_settings(path, {}) for path in (conf, again))
    assert replace(first, path=None) == replace(second, path=None)


def test_two_labels_of_one_process_differ() -> None:
    assert label.new_label() != label.new_label()


def test_a_label_tells_whether_its_process_is_dead() -> None:
    own = label.new_label()
    assert not label.is_dead(own)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    dead = own.replace(f"process {os.getpid()}", f"process {child}")
    assert label.is_dead(dead)
    assert not label.is_dead(dead.replace(os.uname().nodename, "other.example"))
    assert not label.is_dead("scheduled__2026-11-22T13:00:00")


def test_a_process_with_the_number_of_a_dead_one_is_not_taken_for_it() -> None:
    """As after a restart, or when the numbers have come round; a container has numbers of its own."""
    own = label.new_label()
    before, place = own.rsplit(", ", 1)
    boot, space, start, unique = place.split("-")

    def dead(*parts: str) -> bool:
        return label.is_dead(f"{before}, {'-'.join(parts)}")

    assert not dead(boot, space, start, unique)
    assert dead(boot, space, str(int(start) - 1), unique)
    assert dead("0" * len(boot), space, start, unique)
    assert not dead(boot, str(int(space) + 1), str(int(start) - 1), unique)
    assert not dead("", "", "", unique)


BROKEN = Fault(path="/packages/*/old-1.0-*", effect=Corrupt(), times=None)


def park(conf: str, project: str) -> None:
    with open_mirror(read_settings(Path(conf), {})) as mirror, mirror.ledger.engine.begin() as connection:
        connection.execute(update(backlog).where(backlog.c.project == project).values(parked=True))


def test_a_project_that_failed_before_keeps_the_mirror_incomplete(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.inject(BROKEN)
    assert main(["sync", "-c", conf, "--processes", "1"]) == 1
    err = capsys.readouterr().err
    assert "failed: old: http" in err
    assert "failed before" not in err, "it is named once"
    server.requests.reset()
    assert main(["sync", "-c", conf, "--processes", "1"]) == 1
    assert re.search(
        r"^failed before: old: http.* sha256 is .*, next try at 2\d{3}-\d\d-\d\d \d\d:\d\d UTC$",
        capsys.readouterr().err,
        re.MULTILINE,
    )
    assert server.requests.of("page") == (), "it was not due"
    # A project that is fine does not make up for it.
    assert main(["sync", "-c", conf, "--processes", "1", "alpha"]) == 1
    capsys.readouterr()
    server.faults.clear()
    assert main(["sync", "-c", conf, "--processes", "1", "old"]) == 0
    assert "old" not in capsys.readouterr().err


def test_a_parked_project_is_named_and_does_not_make_the_mirror_incomplete(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.inject(BROKEN)
    main(["sync", "-c", conf, "--processes", "1"])
    park(conf, "old")
    capsys.readouterr()
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    err = capsys.readouterr().err
    assert re.search(r"^parked: old: http.*, next try at ", err, re.MULTILINE)
    assert "failed" not in err
    assert main(["sync", "-c", conf, "--processes", "1", "old"]) == 1, "it failed in this run"


def test_status_says_what_is_parked_and_when_the_next_try_is(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.inject(BROKEN)
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^backlog         1 project$", out, re.MULTILINE)
    assert re.search(r"^  old: http.* \(1 attempt, next try at 2.* UTC\)$", out, re.MULTILINE)
    park(conf, "old")
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^backlog         1 project, 1 of them parked$", out, re.MULTILINE)
    assert re.search(r"^  old: http.* \(1 attempt, parked, next try at 2.* UTC\)$", out, re.MULTILINE)
    assert main(["status", "-c", conf, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["backlog"], document["parked"]) == (1, 1)


@pytest.mark.parametrize("verb", ["sync", "status"])
def test_a_lagging_project_is_not_spoken_of(
    conf: str, server: Server, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    server.apply(AddRole(project="alpha", user="mallory"))
    assert main(["sync", "-c", conf, "--processes", "1"]) == 0
    assert main([verb, "-c", conf]) == 0
    out, err = capsys.readouterr()
    assert "alpha" not in out + err
    assert "in the backlog" not in out
    assert json.loads((Path(conf).parent / "mirror/web/mirror.json").read_bytes())["backlog"] == 0


def test_a_sync_outside_the_download_window_waits_and_is_no_failure(
    tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = datetime.now(UTC) + timedelta(days=2)
    text = f"[schedule]\ndownload-window = {closed:%a %H:%M}-{closed + timedelta(minutes=1):%H:%M}"
    conf = str(CommandLine.of(tmp_path, server, text).configuration)
    for processes in ("1", "2"):
        assert main(["sync", "-c", conf, "--processes", processes]) == 0
        out = capsys.readouterr().out
        assert f"It is paused until {closed:%Y-%m-%d %H:%M} UTC ([schedule] download-window): 0 of 5" in out
    assert server.requests.count("file") == 0
    assert main(["status", "-c", conf]) == 0
    out = capsys.readouterr().out
    assert "last run        paused" in out
    now = f"`pypi-mirror sync -c {conf} --now` does not wait"
    assert f"paused          until {closed:%Y-%m-%d %H:%M} UTC; {now}" in out
    assert main(["sync", "-c", conf, "--now", "--processes", "2"]) == 0
    assert "5 projects synced" in capsys.readouterr().out
    assert main(["status", "-c", conf]) == 0
    assert "paused" not in capsys.readouterr().out


def test_a_tree_that_was_handed_over_is_left_alone(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "-c", conf]) == 0
    directory = read_settings(Path(conf), {}).directory
    capsys.readouterr()

    assert main(["handover", "-c", conf]) == 0

    said = capsys.readouterr().out
    assert "pages handed over; removed" in said
    assert f"ledger rebuild -c {conf} --force" in said
    assert (directory / "generation").read_text() == "5"
    assert (directory / "status").read_text().isdecimal()
    assert not list((directory / "web/simple").rglob("*.gz"))
    left = {path.name for path in (directory / "web").iterdir()}
    assert left <= {"simple", "packages", "pypi", "json", "last-modified"}
    assert main(["sync", "-c", conf]) == 1
    assert "was handed over to bandersnatch" in capsys.readouterr().err
    assert main(["handover", "-c", conf]) == 0, "after a crash it can be done again"
