"""What ``config check`` says of the files of ``[allowlist] requirements``."""

from pathlib import Path

import pytest

from pypi_mirror.cli import main


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    path = tmp_path / "mirror.conf"
    path.write_text(
        f"[mirror]\ndirectory = {tmp_path}/mirror\nmaster = https://index.example\n"
        "[allowlist]\nrequirements = list.txt\n"
    )
    return path


def test_what_is_mirrored_and_what_is_not(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (conf.parent / "list.txt").write_text("--pre\nfoo\nbar==1.0\nbaz @ git+https://git.example/baz\n")
    assert main(["config", "check", "-c", str(conf)]) == 0
    out, err = capsys.readouterr()
    place = conf.parent / "list.txt"
    assert err == ""
    assert out.splitlines() == [
        "[allowlist] requirements: 2 projects in 1 file",
        (
            f"not mirrored: {place}:4: baz @ git+https://git.example/baz: "
            "it comes from version control, which no index serves"
        ),
        f"without effect: {place}:1: --pre: pre-releases that a specifier admits are mirrored",
        f"no mistakes in {conf}",
    ]


def test_mistakes_are_those_of_the_configuration(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", "-c", str(conf)]) != 0
    err = capsys.readouterr().err
    assert f"{conf}:5: [allowlist] requirements: {conf.parent}/list.txt: cannot be read (No such file" in err


def test_mistakes_of_the_files_are_named_beside_those_of_the_configuration(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One check finds all there is, each with the line that names the file."""
    (conf.parent / "mirror").write_text("a file")
    conf.write_text(
        conf.read_text()
        + "  *.lock\n[dependencies]\nfollow = yes\nconstraints =\n  none.txt\nmetadata = none.toml\n"
        + "[schedule]\nfirst =\n  foo\n  none.json\n[site]\nport = many\n"
    )
    assert main(["config", "check", "-c", str(conf)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.removeprefix(f"{conf}:").split(": ")[:2] for line in lines] == [
        ["2", "[mirror] directory"],
        ["5", "[allowlist] requirements"],
        ["6", "[allowlist] requirements"],
        ["10", "[dependencies] constraints"],
        ["11", "[dependencies] metadata"],
        ["15", "[schedule] first"],
        ["17", "[site] port"],
    ]
