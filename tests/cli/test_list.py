"""``pypi-mirror list``: every file that a page lists, with what its release says of its licence."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.cli import main
from pypi_mirror.observing.carried import licence_of
from tests.cli.process import CommandLine
from tests.warehouse import RemoveFile, Sdist, Server, Upload, Warehouse, Wheel, running

ALPHA = Wheel(name="alpha", extra=(("License-Expression", "MIT"), ("License", "something else")))
SDIST = Sdist(name="alpha")
GAMMA = Wheel(name="gamma", extra=(("License", "=HYPERLINK(1)"),))
GONE = Wheel(name="gamma", version="0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    uploads = (Upload(distribution=each) for each in (ALPHA, SDIST, Wheel(name="beta"), GONE, GAMMA))
    with running(Warehouse(*uploads)) as found:
        yield found


@pytest.fixture
def conf(tmp_path: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> str:
    conf = str(CommandLine.of(tmp_path, server).configuration)
    main(["sync", "-c", conf, "--processes", "1"])
    server.apply(RemoveFile(project="gamma", filename=GONE.file_name))
    main(["sync", "-c", conf, "--processes", "1"])
    capsys.readouterr()
    return conf


def test_for_programs(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-c", conf, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(file["filename"], file["licence"]) for file in listed] == [
        (ALPHA.file_name, "MIT"),
        (SDIST.file_name, "MIT"),
        ("beta-1.0-py3-none-any.whl", None),
        (GAMMA.file_name, "=HYPERLINK(1)"),
    ]
    first = listed[0]
    content = ALPHA.content()
    assert isinstance(content, bytes)
    assert (first["project"], first["version"], first["size"]) == ("alpha", "1.0", len(content))
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    assert (Path(conf).parent / "mirror/web" / first["path"]).read_bytes() == content


def test_for_spreadsheets_no_licence_is_a_formula(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-c", conf, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["licence"] for row in rows] == ["MIT", "MIT", "", "'=HYPERLINK(1)"]
    assert {row["project"] for row in rows} == {"alpha", "beta", "gamma"}


def test_for_people_and_of_named_projects(conf: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "-c", conf, "Alpha"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [ALPHA.file_name, SDIST.file_name]
    assert last.startswith("2 files, ")
    assert main(["list", "-c", conf, "--json", "delta"]) == 1
    output = capsys.readouterr()
    assert json.loads(output.out) == []
    assert "the mirror carries no file of delta" in output.err


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ("", None),
        ("License: UNKNOWN\n", None),
        ("License: Apache-2.0\n", "Apache-2.0"),
        ("License-Expression: MIT OR Apache-2.0\nLicense: text\n", "MIT OR Apache-2.0"),
        (
            "License: A licence\n  of two lines\nClassifier: License :: OSI Approved :: MIT License\n",
            "MIT License",
        ),
        (f"License: {'long ' * 50}\n", None),
        (
            (
                "Classifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: Other\n"
                "Classifier: License :: OSI Approved :: Apache Software License\n"
            ),
            "MIT License, Apache Software License",
        ),
        ("License: a\x1b[31mb\n", "a [31mb"),
        ("\nLicense: in the description\n", None),
    ],
)
def test_what_metadata_states(fields: str, licence: str | None) -> None:
    assert licence_of(f"Metadata-Version: 2.4\nName: a\n{fields}\n".encode()) == licence
