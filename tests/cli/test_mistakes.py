"""Acceptance 6: a wrong mirror.conf never starts a sync, and each message leads to the mistake."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from tests.warehouse import Server, running, small

VERBS = (("sync",), ("plan",), ("status",), ("config", "check"), ("nginx", "render"))

# (text of the file; {url} is upstream's; the line of the mistake; parts of the message)
HEAD = "[mirror]\ndirectory = {home}/mirror\nmaster = {url}\n"
MISTAKES: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "unknown option": (HEAD + "worker = 3\n", 4, ("[mirror] worker", "did you mean 'workers'?")),
    "unknown section": (HEAD + "[platfrom]\n", 4, ("[platfrom]", "did you mean 'platform'?")),
    "option of another section": (HEAD + "port = 80\n", 4, ("[mirror] port", "[site]")),
    "no number": (HEAD + "workers = many\n", 4, ("[mirror] workers", "from 1 to 256")),
    "number out of range": (HEAD + "workers = 0\n", 4, ("[mirror] workers", "it goes from 1 to 256")),
    "no boolean": (HEAD + "json = ture\n", 4, ("[mirror] json", "did you mean 'true'?")),
    "no regular expression": (
        HEAD + "[platform]\nexclude-filename = win(\n",
        5,
        ("[platform] exclude-filename",),
    ),
    "no version specifier": (
        HEAD + "[allowlist]\npackages =\n    numpy>>2\n",
        6,
        ("[allowlist] packages", "numpy"),
    ),
    "no environment": (
        HEAD + "[platform]\nenvironments =\n    lunix x86_64, CPython 3.12\n",
        6,
        ("[platform] environments", "linux"),
    ),
    "clash of options": (HEAD + "timeout = 60\nglobal-timeout = 30\n", 5, ("timeout", "shorter")),
    "no address": (
        "[mirror]\ndirectory = {home}/mirror\nmaster = index\n",
        3,
        ("[mirror] master",),
    ),
    "option given twice": (HEAD + "json = true\njson = false\n", 5, ("[mirror] json", "twice")),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(small().build()) as found:
        yield found


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize(("text", "line", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_file_is_named_and_nothing_begins(
    tmp_path: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    verb: tuple[str, ...],
    text: str,
    line: int,
    parts: tuple[str, ...],
) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text(text.format(home=tmp_path, url=server.url))
    server.requests.reset()
    assert main([*verb, "-c", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{path}:{line}: " in err
    for part in parts:
        assert part in err
    assert "Traceback" not in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["mirror.conf"], "no directory was made"
    assert server.requests.count() == 0


def test_every_mistake_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text("[mirror]\ndirectory = x\nworkers = 0\njson = ture\n[sit]\n")
    assert main(["sync", "-c", str(path)]) == 2
    err = capsys.readouterr().err
    assert [f"{path}:{line}: " in err for line in (3, 4, 5)] == [True] * 3


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "-c", str(tmp_path / "none.conf")]) == 2
    assert str(tmp_path / "none.conf") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


USAGE = {
    "no verb": [],
    "unknown verb": ["snyc"],
    "no processes": ["sync", "--processes", "0"],
    "processes that are no number": ["sync", "--processes", "two"],
    "a path for a project": ["sync", "../../etc"],
    "a file for a project": ["plan", "alpha.whl/"],
    "config without an action": ["config"],
    "a file before an option": ["config", "check", "my.conf"],
    "a file for a verb": ["my.conf", "status"],
    "no file": ["status", "-c"],
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_a_wrong_command_line_is_refused_with_its_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: pypi-mirror" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["config", "check", "up/my.conf"], ["sync", "up/my.conf"]], ids=" ".join)
def test_a_file_without_its_option_is_told_the_option(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert "; a configuration is named by -c up/my.conf\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "FILE", "config", "check"],
        ["--config=FILE", "config", "check"],
        ["config", "-c", "FILE", "check"],
        ["config", "check", "-c", "FILE"],
        ["-c", "other.conf", "config", "check", "-c", "FILE"],
        ["-c", "FILE", "backlog", "list"],
        ["backlog", "-c", "FILE", "list"],
        ["ledger", "-cFILE", "upgrade"],
        ["-c", "FILE", "nginx", "render"],
        ["-c", "FILE", "status"],
    ],
    ids=" ".join,
)
def test_the_configuration_may_stand_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    path = tmp_path / "mirror.conf"
    path.write_text("[mirror]\ndirectory = x\nworkers = 0\n")
    assert main([word.replace("FILE", str(path)) for word in words]) == 2
    assert f"{path}:3: " in capsys.readouterr().err


def test_a_directory_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mirror").write_text("a file")
    path = tmp_path / "mirror.conf"
    path.write_text(f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = http://127.0.0.1:9\n")
    assert main(["sync", "-c", str(path)]) == 1
    err = capsys.readouterr().err
    assert "mirror" in err
    assert "see [mirror] directory" in err
