"""What sync, status, backlog, explain, audit and mirror.json say of a part of a project that is missing."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from pypi_mirror.cli import main
from tests.cli.process import CommandLine
from tests.warehouse import Corrupt, Fault, Instead, RemoveRelease, Server, Upload, Warehouse, Wheel, running

OLD = [Upload(distribution=Wheel(name="alpha", version=version)) for version in ("1.0", "1.1")]
BAD = "alpha-1.2-py3-none-any.whl"


@pytest.fixture
def server() -> Iterator[Server]:
    with running(Warehouse(*OLD)) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(CommandLine.of(tmp_path, server).configuration)
    assert main(["sync", "-c", path, "--processes", "1"]) == 0
    capsys.readouterr()
    return path


def edited(server: Server, **page: Any) -> None:
    answer = requests.get(
        f"{server.url}/simple/alpha/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30
    )
    body = json.dumps(answer.json() | page)
    server.inject(Fault(path="/simple/alpha/", effect=Instead(body=body), times=None))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit code, and both streams."""
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out + err


def test_a_file_that_cannot_be_had_is_named_everywhere(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.apply(
        RemoveRelease(project="alpha", version="1.1"),
        Upload(distribution=Wheel(name="alpha", version="1.2")),
    )
    server.inject(Fault(path=f"/packages/*/{BAD}", effect=Corrupt(), times=None))
    for verb in ("sync", "status", "backlog", "explain", "audit"):
        extra = {"sync": ["--processes", "1"], "explain": ["alpha"], "audit": ["--all"]}.get(verb, [])
        code, text = said(capsys, verb, "-c", conf, *extra)
        assert BAD in text, verb
        assert "sha256" in text, verb
        assert code == (1 if verb in ("sync", "audit") else 0), verb
        assert "Nothing is wrong." not in text
    # The audit did not take it for damage of ours: it asked for nothing again and again.
    server.requests.reset()
    assert said(capsys, "audit", "-c", conf, "--all", "--dry-run")[0] == 1
    assert server.requests.count("file") == 0
    server.faults.clear()
    assert said(capsys, "backlog", "retry", "-c", conf, "alpha")[0] == 0
    assert said(capsys, "sync", "-c", conf, "--processes", "1")[0] == 0
    code, text = said(capsys, "audit", "-c", conf, "--all")
    assert (code, "Nothing is wrong." in text) == (0, True)


def test_a_refused_file_is_named_everywhere_and_fails_nothing(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.apply(RemoveRelease(project="alpha", version="1.1"))
    edited(server, files=[{"filename": "../alpha.whl", "url": "/x", "hashes": {}}], versions="none")
    code, text = said(capsys, "sync", "-c", conf, "--processes", "1")
    assert code == 0
    assert "refused: alpha: ../alpha.whl: " in text
    assert "refused: alpha: versions: it is not a list" in text
    code, text = said(capsys, "status", "-c", conf)
    assert "1 file, 1 value of upstream's pages" in text
    assert "'../alpha.whl'" in text
    status = json.loads((tmp_path / "mirror/web/mirror.json").read_text())
    assert (status["refused_files"], status["refused_fields"]) == (1, 1)
    assert "'../alpha.whl'" in said(capsys, "explain", "-c", conf, "alpha")[1]
    code, text = said(capsys, "audit", "-c", conf, "--all")
    assert code == 0
    assert "Nothing is wrong with what is here." in text
    assert "2 parts of upstream's pages left out" in text


def test_a_loss_without_an_event_is_followed_and_said(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    server.apply(Upload(distribution=Wheel(name="alpha", version="1.3")))
    files = requests.get(
        f"{server.url}/simple/alpha/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}, timeout=30
    ).json()["files"]
    edited(server, files=files[1:])
    code, text = said(capsys, "sync", "-c", conf, "--processes", "1")
    assert code == 0
    assert "lost: alpha: upstream's page no longer lists 1 file" in text
    assert "no event announced it" in text
    page = json.loads((tmp_path / "mirror/web/simple/alpha/index.v1_json").read_text())
    assert [file["filename"] for file in page["files"]] == [file["filename"] for file in files[1:]]
    # It stays to be read by who looks later.
    assert said(capsys, "sync", "-c", conf, "--processes", "1")[0] == 0
    assert "upstream's page no longer lists 1 file" in said(capsys, "status", "-c", conf)[1]
    (loss,) = json.loads((tmp_path / "mirror/web/mirror.json").read_text())["silent_losses"]
    assert (loss["project"], loss["files"], loss["is_gone"]) == ("alpha", 1, False)


def test_a_dry_run_names_the_page_that_it_cannot_read(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.apply(Upload(distribution=Wheel(name="alpha", version="1.2")))
    server.inject(Fault(path="/simple/alpha/", effect=Instead(body="{"), times=None))
    code, text = said(capsys, "sync", "-c", conf, "--dry-run")
    assert code == 1
    assert "failed: alpha: " in text
    assert "is not a valid PEP 691 document" in text
    assert "0 projects" in text
    assert "sync alpha" not in text
    assert "have not been read" not in text
    assert main(["sync", "-c", conf, "--dry-run", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["project"] for each in document["failed"]] == ["alpha"]
    server.faults.clear()
    assert said(capsys, "sync", "-c", conf, "--dry-run")[0] == 0


def test_a_dry_run_of_a_name_that_upstream_does_not_have(
    conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = said(capsys, "sync", "-c", conf, "--dry-run", "alhpa", "alpha")
    assert code == 1
    assert "upstream has no project alhpa" in text
    assert "sync alhpa" not in text
    assert "1 project, 0 of them to remove" in text
    assert main(["sync", "-c", conf, "--dry-run", "--json", "alhpa"]) == 1
    assert json.loads(capsys.readouterr().out)["absent"] == ["alhpa"]


def test_a_listed_file_that_is_refused_now_is_not_said_to_be_gone(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = "alpha-1.0-py3-none-any.whl"
    server.apply(Upload(distribution=Wheel(name="alpha", version="1.2")))
    edited(server, files=[{"filename": old, "url": "javascript:1", "hashes": {}}])
    assert said(capsys, "sync", "-c", conf, "--processes", "1")[0] == 0
    text = said(capsys, "explain", "-c", conf, "alpha")[1]
    (line,) = [each for each in text.splitlines() if old in each and not each.startswith("refused")]
    assert line.startswith("left out")
    assert "refused: 'javascript:1' has an unsupported scheme" in line
    (other,) = [each for each in text.splitlines() if "alpha-1.1" in each]
    assert other.startswith("gone")


def test_what_the_ledger_keeps_may_be_damaged(
    server: Server, conf: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "mirror/ledger.sqlite")) as ledger:
        ledger.execute("UPDATE catalogue_bodies SET body = x'00'")
        ledger.commit()
    text = said(capsys, "explain", "-c", conf, "alpha")[1]
    assert "is damaged" in text
    assert "--online` asks upstream" in text
    assert "alpha-1.1-py3-none-any.whl" in text, "the mirror knows its own files"
    assert said(capsys, "explain", "-c", conf, "alpha", "--online")[0] == 0
