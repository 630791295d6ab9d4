"""What a new administrator types, and what monitors and scripts go by: codes, JSON, files, messages."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings
from tests.cli.process import CommandLine, finish, wait_until
from tests.warehouse import (
    Corrupt,
    Delay,
    Fault,
    RemoveProject,
    Status,
    Upload,
    Wheel,
    many,
    running,
    small,
)

pytestmark = pytest.mark.servers

ONE = ("--processes", "1")


def bare(line: CommandLine, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The program without ``-c``, with its environment but for ``environ``."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYPI_MIRROR_CONF"}
    return subprocess.run(
        [*line.command, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**inherited, "PYTHONPATH": "include", **environ},
    )


@pytest.mark.skipif(Path("/etc/pypi-mirror/mirror.conf").exists(), reason="this host has a mirror")
@pytest.mark.parametrize(
    "verb", ["plan", "sync", "status", "audit", "backlog", "config check", "nginx serve"]
)
def test_without_a_configuration_no_verb_means_the_example(tmp_path: Path, verb: str) -> None:
    said = bare(CommandLine(configuration=tmp_path / "none"), *verb.split())
    assert said.returncode == 2
    for way in ("/etc/pypi-mirror/mirror.conf", "-c FILE", "PYPI_MIRROR_CONF"):
        assert way in said.stderr


def test_the_environment_names_the_configuration_and_c_goes_before_it(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        (other := tmp_path / "other").mkdir()
        unused = CommandLine.of(other, server)
        assert bare(line, "sync", *ONE, PYPI_MIRROR_CONF=str(line.configuration)).returncode == 0
        said = bare(line, "status", "-c", str(unused.configuration), PYPI_MIRROR_CONF=str(line.configuration))
        assert said.returncode == 1
        assert f"`pypi-mirror sync -c {unused.configuration}` makes it" in said.stderr


def test_plan_makes_and_changes_nothing_and_takes_no_lease(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        first = line.run("plan", "--json")
        assert first.code == 0, first.err
        assert [path.name for path in tmp_path.iterdir()] == ["mirror.conf"]
        document = json.loads(first.out)
        assert document["totals"]["projects"] == len(document["projects"]) == 5
        assert (document["totals"]["unread"], document["totals"]["new_files"]) == (5, 0)
        assert {each["action"] for each in document["projects"]} == {"sync"}
        assert line.run("sync", *ONE).code == 0
        server.apply(Upload(distribution=Wheel(name="alpha", version="9.0")))
        settings = read_settings(line.configuration, {})
        with open_mirror(settings) as mirror:
            mirror.ledger.lease.take("somebody else")
            runs = len(mirror.ledger.runs.latest(50))
        said = json.loads(line.run("plan", "--json").out)
        assert (said["source"], said["events"]) == ("changelog", 2)
        (alpha,) = said["projects"]
        assert (alpha["project"], alpha["action"], alpha["unread"]) == ("alpha", "sync", True)
        assert said["removals"]["needs_approval"] is False
        with open_mirror(settings) as mirror:
            holder = mirror.ledger.lease.holder()
            assert holder is not None
            assert holder.owner == "somebody else"
            assert len(mirror.ledger.runs.latest(50)) == runs
            mirror.ledger.lease.release("somebody else")
        assert "1 project synced" in line.run("sync", *ONE).out


def test_verbs_that_look_beside_a_plan_that_waits_leave_it_waiting_and_plan_gives_the_same_id(
    tmp_path: Path,
) -> None:
    with running(many(30, 1, 200).build()) as server:
        line = CommandLine.of(tmp_path, server)
        assert line.run("sync", *ONE).code == 0
        server.apply(*(RemoveProject(project=f"project-{number:05}") for number in range(20)))
        held = line.run("sync", "--json", *ONE)
        assert held.code == 3
        assert json.loads(held.out)["state"] == "held"
        plan = json.loads(line.run("plan", "--json").out)
        assert plan["removals"]["needs_approval"] is True
        assert plan["plan"] in held.err
        assert line.run("explain", "project-00025").code == 0
        assert f"plan {plan['plan']}, awaiting approval, would remove" in line.run("status").out
        done = line.run("sync", "--approve", plan["plan"], *ONE)
        assert done.code == 0, done.err
        assert [text for text in done.out.splitlines() if text.startswith("removed: ")] == [
            f"removed: project-{number:05}" for number in range(20)
        ]


def test_sync_as_json(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        said = line.run("sync", "--json", *ONE)
        document = json.loads(said.out)
        assert (said.code, document["complete"], document["state"]) == (0, True, "success")
        assert document["tally"]["files_downloaded"] == 8
        assert document["removed"] == []
        server.inject(Fault(path="/*", effect=Status(code=403), times=None))
        failed = line.run("sync", "--json", *ONE)
        document = json.loads(failed.out)
        assert (failed.code, document["complete"], document["state"]) == (1, False, "failed")
        assert "403" in document["reason"]


NAMES = {
    "sync": "upstream has no project alhpa (did you mean alpha?)",
    "plan": "upstream has no project alhpa (did you mean alpha?)",
    "explain": "upstream has no project alhpa (did you mean alpha?)",
    "audit": "the mirror holds no project alhpa (did you mean alpha?)",
    "backlog retry": "alhpa: not on the backlog",
    "backlog forget": "alhpa: not on the backlog",
    "backlog list": "alhpa: not on the backlog",
}


def test_a_name_that_is_not_there_is_an_error_of_every_verb(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        assert line.run("sync", *ONE).code == 0
        for verb, message in NAMES.items():
            words = [*verb.split(), "-c", str(line.configuration), "alhpa"]
            with line.popen([*line.command, *words]) as process:
                said = finish(process)
            assert said.code == 1, (verb, said)
            assert message in said.err, verb
            assert "Nothing is wrong" not in said.out
            assert "1 project synced" not in said.out
            if verb == "sync":
                # What is remembered of the run says the same as its exit code.
                status = line.run("status")
                assert "last run        failed: upstream has no project alhpa\n" in status.out


def test_a_dry_audit_beside_a_first_sync_finds_no_damage(tmp_path: Path) -> None:
    faults = (Fault(path="/packages/*", effect=Delay(seconds=0.05), times=None),)
    with running(many(200, 1, 200).build(), faults=faults) as server:
        line = CommandLine.of(tmp_path, server, workers=2)
        with line.start("sync", *ONE) as process:
            for files in (5, 40, 90):
                wait_until(lambda at=files: server.requests.count("file") >= at)  # type: ignore[misc]
                # It stands still wherever it is, however long the audit takes.
                process.send_signal(signal.SIGSTOP)
                said = line.run("audit", "--dry-run", "--all")
                process.send_signal(signal.SIGCONT)
                assert said.code == 0, said.out + said.err
                assert "A run is under way (command line, " in said.out
            server.faults.clear()
            assert finish(process).code == 0
        after = line.run("audit", "--dry-run", "--all")
        assert (after.code, "under way" in after.out) == (0, False)


def test_status_check_is_for_monitors(tmp_path: Path) -> None:
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        none = line.run("status", "--check")
        assert (none.code, "no mirror is here yet" in none.err) == (1, True)
        assert line.run("sync", *ONE).code == 0
        fine = line.run("status", "--check")
        assert (fine.code, fine.out) == (0, "Nothing is wrong.\n")
        server.inject(Fault(path="/packages/*/alpha-9.0-*", effect=Corrupt(), times=None))
        server.apply(Upload(distribution=Wheel(name="alpha", version="9.0")))
        assert line.run("sync", *ONE).code == 1
        failed = line.run("status", "--check")
        assert failed.code == 1
        assert failed.out.startswith("the last run failed: ")
        assert line.run("status").code == 0, "without --check it informs"
        checked = line.run("status", "--check", "--json")
        assert (checked.code, json.loads(checked.out)["last_run"]) == (1, "failed")
        assert line.run("status", "--chekc").code == 2


def test_a_piped_sync_says_how_far_it_is(tmp_path: Path) -> None:
    faults = (Fault(path="/packages/*", effect=Delay(seconds=0.1), times=None),)
    for processes in ("1", "2"):
        with running(many(60, 1, 200).build(), faults=faults) as server:
            (home := tmp_path / processes).mkdir()
            line = CommandLine.of(home, server, workers=2)
            said = line.run("sync", "--processes", processes)
        assert said.code == 0
        lines = [text for text in said.err.splitlines() if " of 60 projects done; " in text]
        assert 1 <= len(lines) <= 10, said.err
    with running(small().build()) as server:
        (home := tmp_path / "short").mkdir()
        assert CommandLine.of(home, server).run("sync", *ONE).err == "", "a short run says nothing more"


def test_a_reader_that_leaves_ends_nothing_and_is_not_spoken_of(tmp_path: Path) -> None:
    with running(many(300, 1, 200).build()) as server:
        line = CommandLine.of(tmp_path, server)
        for words in (
            ("plan",),
            ("sync", *ONE),
            ("status",),
            ("audit", "--all"),
            ("config", "check", "--all"),
        ):
            end, begin = os.pipe()
            os.close(end)
            process = subprocess.Popen(
                [*line.command, *words, "-c", str(line.configuration)],
                stdout=begin,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": "include"},
            )
            os.close(begin)
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, (words, err)
            assert "roken pipe" not in err, words
            assert "Traceback" not in err, words


@pytest.mark.parametrize(
    "words",
    [
        "plan",
        "sync",
        "status",
        "explain six",
        "backlog",
        "backlog retry",
        "audit",
        "config check",
        "nginx reload",
        "ledger rebuild",
    ],
)
def test_an_unknown_option_shows_the_usage_of_its_verb(tmp_path: Path, words: str) -> None:
    line = CommandLine(configuration=tmp_path / "none")
    said = bare(line, *words.split(), "--bogus")
    verb = words.removesuffix(" six")
    assert said.returncode == 2
    assert said.stderr.startswith(f"usage: pypi-mirror {verb} ["), said.stderr
    assert "--bogus" in said.stderr


@pytest.mark.parametrize("place", ["file/mirror", "/proc/mirror", "file"])
def test_config_check_refuses_a_directory_that_cannot_be_made(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "mirror.conf"
    path.write_text(f"[mirror]\ndirectory = {place}\nmaster = https://index.example\n")
    line = CommandLine(configuration=path)
    said = bare(line, "config", "check", "-c", str(path))
    assert said.returncode == 2
    assert f"{path}:2: [mirror] directory: " in said.stderr
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "mirror.conf"]


def test_plan_warns_of_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with running(small().build()) as server:
        line = CommandLine.of(tmp_path, server)
        assert "warning" not in line.run("plan").err
        text = line.configuration.read_text()
        line.configuration.write_text(re.sub(r"(?m)^directory = .*", "directory = file/mirror", text))
        said = line.run("plan")
    assert said.code == 0
    assert (
        f"warning: as this user a sync would fail: [mirror] directory: {tmp_path}/file/mirror cannot"
        in said.err
    )
    assert "5 projects, 0 of them to remove" in said.out


def test_config_check_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text("[mirror]\ndirectory = a/b/mirror\nmaster = https://index.example\n")
    assert bare(CommandLine(configuration=path), "config", "check", "-c", str(path)).returncode == 0
    assert [each.name for each in tmp_path.iterdir()] == ["mirror.conf"]
