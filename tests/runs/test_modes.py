"""The web server, another user, may read what the mirror serves, whatever the umask was."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pypi_mirror.audit.findings import AuditReport, Kind
from pypi_mirror.errors import DiskFault, MirrorError
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Upload, Wheel, small


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def closed(web: Path) -> list[str]:
    """What others than its owner and group may not read or enter."""
    found = []
    for path in (web.parent, web, *web.rglob("*")):
        needed = 0o005 if path.is_dir() else 0o004
        if path.lstat().st_mode & needed != needed:
            found.append(str(path.relative_to(web.parent)))
    return found


def shut(web: Path) -> None:
    """Nobody but the owner may read anything."""
    for path in (*web.rglob("*"), web):
        path.chmod(0o700 if path.is_dir() else 0o600)


def look(made: Bench, **options: bool) -> AuditReport:
    made.runs += 1
    with made.open() as mirror:
        return run_audit(mirror, AuditRequest(label=f"audit {made.runs}", everything=True, **options))


@pytest.mark.parametrize("mask", [0o077, 0o027, 0o022, 0o002])
@pytest.mark.parametrize("hash_index", [True, False])
def test_a_sync_under_any_umask_is_readable_by_all(bench: MakeBench, mask: int, hash_index: bool) -> None:
    made = bench(scenario=small(), json=True, hash_index=hash_index)
    with umask(mask):
        made.sync()
        made.server.apply(Upload(distribution=Wheel(name="zeta", size=2_000_000)))
        made.sync()
    assert closed(made.web) == []
    # Who else may write is still the umask's to say.
    assert all(bool(path.stat().st_mode & stat.S_IWGRP) == (mask == 0o002) for path in made.web.rglob("*"))


def test_a_tree_that_was_written_under_a_narrow_umask_is_mended_by_a_recheck(bench: MakeBench) -> None:
    made = bench(scenario=small(), json=True)
    made.sync()
    shut(made.web)
    made.sync(recheck=True)
    made.server.apply(Upload(distribution=Wheel(name="zeta")))
    made.sync()
    assert closed(made.web) == []


def test_files_taken_over_from_another_tool_are_mended(bench: MakeBench, tmp_path: Path) -> None:
    made = bench(scenario=small())
    made.sync()
    shutil.copytree(made.web / "packages", tmp_path / "other" / "web" / "packages")
    shut(tmp_path / "other" / "web")
    made.change(directory=tmp_path / "other")
    made.server.requests.reset()
    made.sync()
    assert made.downloads() == []
    assert closed(made.web) == []


def test_an_audit_names_what_the_web_server_may_not_read_and_mends_it(bench: MakeBench) -> None:
    made = bench(scenario=small(), json=True)
    made.sync()
    shut(made.web)
    page = made.page_directory("six") / "index.html" if (made.page_directory("six")).exists() else None
    found = look(made, dry_run=True)
    named = {finding.path for finding in found.examples if finding.kind is Kind.CLOSED}
    assert named
    assert page is None or f"web/{page.relative_to(made.web)}" in named
    assert closed(made.web) != []

    found = look(made)
    assert closed(made.web) == []
    assert look(made).found == {}
    audit(made)
    compare(made)


def test_what_is_another_users_is_named_at_each_audit_and_stays_listed(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(Upload(distribution=Wheel(name="alpha")))
    made.sync()
    wheel = made.pooled("alpha-1.0-py3-none-any.whl")
    assert wheel is not None
    wheel.chmod(0o600)

    def not_ours(path: object, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "chmod", not_ours)
    for _ in range(2):
        found = look(made)
        assert [str(each) for each in found.examples] == [
            f"alpha: not readable by the web server: web/{wheel.relative_to(made.web)} (its mode is 0600)"
        ]
    assert made.listed("alpha") == [wheel.name]


@pytest.mark.parametrize("place", ["status", "web/last-modified", "web/simple/index.html", "web/mirror.json"])
def test_a_directory_in_the_place_of_a_file_is_named_with_the_call_and_what_to_do(
    bench: MakeBench, place: str
) -> None:
    made = bench(Upload(distribution=Wheel(name="alpha")))
    (made.settings.directory / place).mkdir(parents=True)
    with pytest.raises(MirrorError) as caught:
        made.sync()
    assert isinstance(caught.value, DiskFault)
    said = str(caught.value)
    assert f"{made.settings.directory / place}: rename: " in said
    assert "a directory is in its place: move it away" in said
