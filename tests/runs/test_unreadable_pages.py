"""Directories of pages that may not be read: a finding of the audit, a clear word of a sync."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypi_mirror.audit.findings import Kind
from pypi_mirror.disk import files
from pypi_mirror.errors import DiskFault
from tests.runs.bench import Bench, make_bench
from tests.runs.test_audit import EVENTS, audited

NOBODY = 65534


@pytest.fixture
def synced() -> Iterator[Bench]:
    """A mirror of an ordinary user, whom permissions bind; not below tmp_path, which only root may enter."""
    with tempfile.TemporaryDirectory(prefix="pypi-mirror-unreadable-") as folder:
        was = os.geteuid()
        if was == 0:
            os.chown(folder, NOBODY, -1)
            os.seteuid(NOBODY)
        try:
            with make_bench(Path(folder) / "mirror", *EVENTS) as made:
                made.sync()
                yield made
        finally:
            os.seteuid(was)


@pytest.fixture
def closed(synced: Bench) -> Iterator[list[Path]]:
    """Directories that are put in here are open again in the end."""
    directories: list[Path] = []
    yield directories
    for directory in directories:
        directory.chmod(0o755)


def close(path: Path, closed: list[Path]) -> Path:
    path.mkdir(exist_ok=True)
    path.chmod(0o000)
    closed.append(path)
    return path


def test_a_strange_directory_is_a_finding_and_keeps_no_sync(synced: Bench, closed: list[Path]) -> None:
    close(synced.web / "simple/nobody", closed)
    report = audited(synced)
    assert [(f.kind, f.path) for f in report.examples] == [(Kind.UNREADABLE, "web/simple/nobody")]
    assert not report.is_clean
    synced.allow("alpha", "gamma")
    synced.sync()
    assert synced.backlog() == {}


def test_a_page_that_may_not_be_read_is_a_finding(synced: Bench, closed: list[Path]) -> None:
    close(synced.page_directory("alpha"), closed)
    report = audited(synced, dry_run=True)
    assert [(f.kind, f.project) for f in report.examples] == [
        (Kind.UNREADABLE, "alpha"),
        (Kind.CLOSED, "alpha"),
    ]


def test_the_directory_of_all_pages(
    synced: Bench, closed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is another user's, as far as modes go.
    monkeypatch.setattr(files, "_change_mode", lambda _path, _mode: False)
    simple = synced.web / "simple"
    simple.chmod(0o311)
    closed.append(simple)
    report = audited(synced, dry_run=True)
    assert (Kind.UNREADABLE, "web/simple") in [(f.kind, f.path) for f in report.examples]
    assert {f.kind for f in report.examples} <= {Kind.UNREADABLE, Kind.CLOSED}
    with pytest.raises(DiskFault, match=r"web/simple: scandir: Permission denied"):
        audited(synced)
    synced.allow("alpha")
    with pytest.raises(DiskFault, match=r"web/simple: the pages cannot be read: Permission denied"):
        synced.sync()


def test_a_directory_of_the_pool(synced: Bench, closed: list[Path]) -> None:
    stranger = close(synced.web / "packages/zz", closed)
    report = audited(synced)
    assert [(f.kind, f.path) for f in report.examples] == [(Kind.UNREADABLE, f"web/packages/{stranger.name}")]
