"""Which reader a name gets, and what bounds it."""

from pathlib import Path

import pytest

from pypi_mirror.demands import BadDemands, pdm_lock, poetry_lock, pylock, pyproject, read_demands, uv_lock
from pypi_mirror.demands import read as reading
from pypi_mirror.demands.read import reader_of


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("pyproject.toml", pyproject.read),
        ("pylock.toml", pylock.read),
        ("pylock.dev.toml", pylock.read),
        ("shop.pylock.toml", pylock.read),
        ("uv.lock", uv_lock.read),
        ("shop-uv.lock", uv_lock.read),
        ("shop.poetry.lock", poetry_lock.read),
        ("pdm.lock", pdm_lock.read),
        ("requirements.txt", None),
        ("requirements.in", None),
        ("requirements", None),
    ],
)
def test_formats_by_name(name: str, reader: object) -> None:
    assert reader_of(name) is reader


@pytest.mark.parametrize(
    "name", ["Cargo.lock", "setup.py", "environment.yml", "Pipfile", "luv.lock", "conda.json"]
)
def test_names_of_no_format(name: str) -> None:
    with pytest.raises(BadDemands, match="its name is of no format that can be read"):
        reader_of(name)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    """``pip freeze >`` in PowerShell writes UTF-16."""
    path = tmp_path / "requirements.txt"
    path.write_text("# ä\nfoo\n", encoding=encoding)
    assert [demand.project for demand in read_demands(path, {}).demands] == ["foo"]


def test_an_encoding_that_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(b"# -*- coding: latin-1 -*-\nfoo # \xe4\n")
    assert [demand.project for demand in read_demands(path, {}).demands] == ["foo"]
    path.write_bytes(b"# coding: no-such\nfoo\n")
    with pytest.raises(BadDemands, match="the encoding 'no-such', which does not exist"):
        read_demands(path, {})
    path.write_bytes(b"foo\n# \xe4\n")
    with pytest.raises(BadDemands, match=r":2: is not utf-8 text here; save it as UTF-8"):
        read_demands(path, {})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadDemands, match="cannot be read \\(No such file"):
        read_demands(tmp_path / "requirements.txt", {})
    with pytest.raises(BadDemands, match="cannot be read \\(Is a directory"):
        read_demands(tmp_path, {})


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("foo\n" * 10)
    monkeypatch.setattr(reading, "MOST_BYTES", 30)
    with pytest.raises(BadDemands, match="is larger than 30 bytes"):
        read_demands(path, {})
    monkeypatch.setattr(reading, "MOST_BYTES", 1000)
    monkeypatch.setattr("pypi_mirror.demands.demand.MOST_DEMANDS", 9)
    with pytest.raises(BadDemands, match="has over 9 requirements"):
        read_demands(path, {})
    monkeypatch.setattr(reading, "MOST_FILES", 3)
    path.write_text("-r a.txt\n" * 4)
    (tmp_path / "a.txt").write_text("foo")
    with pytest.raises(BadDemands, match="over 3 files are included"):
        read_demands(path, {})
