"""A run dies at any moment: what is served stays right, the next run completes, nothing is fetched twice."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.disk import writing
from pypi_mirror.errors import DiskFault
from pypi_mirror.facts.facts import Facts
from pypi_mirror.fetching import group_commit
from pypi_mirror.ledger import results
from pypi_mirror.model import RunState
from pypi_mirror.pages import page_store
from pypi_mirror.runs import rebuild_index as rebuild
from pypi_mirror.runs import report as report_step
from tests.runs.audit import audit, audit_served, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Quarantine, RemoveProject, Upload, Wheel, Yank, small


class PowerCut(BaseException):
    """Nothing catches it, and nothing after it is done, not even the end of the run."""


STEPS = ("fetch_changelog", "partition_projects", "download_projects", "rebuild_index", "report")


def cut_after(calls: int, real: Callable[..., Any]) -> Callable[..., Any]:
    left = [calls]

    def replacement(*args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise PowerCut
        return real(*args, **kwargs)

    return replacement


# (where it is replaced, by which name): the engine's own moments of writing.
MOMENTS: dict[str, tuple[Any, str]] = {
    "flush of a group": (group_commit, "flush_filesystem"),
    "page": (page_store.PageStore, "stage"),
    "half a page": (page_store, "stage_file"),
    "page's name": (page_store.StagedPage, "publish"),
    "half a page's names": (writing.StagedFile, "publish"),
    "record of a group": (results.Results, "record"),
    "root index": (rebuild, "write_root_index"),
    "removed pages": (rebuild, "_remove_pages"),
    "name map": (rebuild, "write_name_map"),
    "sweep": (rebuild, "_sweep_tombstones"),
    "dates": (rebuild, "_write_dates"),
    "cursor": (rebuild, "_record"),
    "layout": (rebuild, "note_layout"),
    "any facts": (Facts, "put"),
    "report": (report_step, "show_site"),
}


def dies(made: Bench, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, calls: int) -> bool:
    """Sync until the ``calls``-th use of that moment; whether the run died there."""
    with monkeypatch.context() as patched:
        patched.setattr("tests.runs.bench.fail_run", lambda *_: None)
        patched.setattr(place, name, cut_after(calls, getattr(place, name)))
        try:
            made.sync()
        except PowerCut:
            return True
        except BaseExceptionGroup as group:
            if group.subgroup(PowerCut) is None:
                raise
            return True
    return False


@pytest.mark.parametrize("calls", [0, 2])
@pytest.mark.parametrize(("place", "name"), MOMENTS.values(), ids=MOMENTS)
def test_a_cut_at_any_moment_of_writing(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, calls: int
) -> None:
    monkeypatch.setattr(group_commit, "_PROJECTS", 2)
    made = bench(scenario=small(), json=True)
    first_died = dies(made, monkeypatch, place, name, calls)
    audit_served(made)
    complete = {path.name for path in (made.web / "packages").rglob("*.*") if not path.name.startswith(".")}
    made.server.requests.reset()
    result = made.sync(clock_step=20)
    assert result.state is RunState.SUCCESS
    assert not complete & set(made.downloads())
    audit(made)
    compare(made)
    # And once more, in the middle of changes.
    made.server.apply(
        Upload(distribution=Wheel(name="alpha", version="2.0")),
        Upload(distribution=Wheel(name="newcomer")),
        Yank(project="Beta.Lib", version="1.0", reason="no"),
        RemoveProject(project="old"),
        Quarantine(project="compiled"),
    )
    second_died = dies(made, monkeypatch, place, name, calls)
    audit_served(made)
    made.sync(clock_step=20)
    audit(made)
    compare(made)
    assert first_died or second_died or calls, "this moment never came: the test tests nothing"


@pytest.mark.parametrize("step", STEPS)
def test_a_cut_at_the_end_of_every_step(bench: MakeBench, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """The step is through, but nobody heard of it: its face runs it again, under the same label."""
    made = bench(scenario=small())
    request = made.request()
    with monkeypatch.context() as patched:
        real = getattr(__import__("tests.runs.bench", fromlist=[step]), step)

        def and_cut(*args: Any, **kwargs: Any) -> None:
            real(*args, **kwargs)
            raise PowerCut

        patched.setattr(f"tests.runs.bench.{step}", and_cut)
        patched.setattr("tests.runs.bench.fail_run", lambda *_: None)
        with pytest.raises(PowerCut):
            made.sync(request)
    audit_served(made)
    made.server.requests.reset()
    assert made.sync(request).state is RunState.SUCCESS
    if step in ("download_projects", "rebuild_index", "report"):
        assert made.downloads() == []
    audit(made)
    compare(made)


def test_rebuild_index_can_be_run_again(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    with made.open() as mirror:
        (run,) = mirror.ledger.runs.latest()
        mirror.ledger.lease.take(run.request.label)
        assert rebuild.rebuild_index(mirror, run.id).cursor == made.server.warehouse.serial
        assert report_step.report(mirror, run.id).state is RunState.SUCCESS
    audit(made)


def test_what_a_killed_run_leaves_is_swept(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    leftovers = [
        made.web / "simple/.tmp-0-1-2",
        made.web / "simple/alpha/.tmp-0-1-2",
        made.settings.directory / "state/.tmp-0-1-2",
        made.settings.directory / "state/index-of-run-99",
    ]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    made.server.apply(Upload(distribution=Wheel(name="alpha", version="2.0")))
    made.sync()
    assert [path for path in leftovers if path.exists()] == []
    audit(made)


def test_what_vanished_from_the_disk_comes_back_with_a_recheck(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    for gone in ("simple/alpha/index.html", "simple/beta-lib/index.v1_json.gz"):
        (made.web / gone).unlink()
    file = made.pooled("old-1.0-py3-none-any.whl")
    metadata = made.pooled("compiled-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl.metadata")
    assert file is not None
    assert metadata is not None
    file.unlink()
    metadata.unlink()
    made.server.requests.reset()
    assert made.sync(recheck=True).state is RunState.SUCCESS
    assert made.downloads() == ["old-1.0-py3-none-any.whl"]
    assert made.server.requests.count("metadata") == 1
    audit(made)
    compare(made)


def test_a_full_disk_in_mid_run_is_one_clear_error_and_loses_nothing(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(scenario=small())
    written = [0]
    real = writing.write_all

    def until_full(descriptor: int, data: bytes, **named: Any) -> None:
        written[0] += len(data)
        if written[0] > 12_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor, data, **named)

    with monkeypatch.context() as patched:
        patched.setattr(writing, "write_all", until_full)
        with pytest.raises(DiskFault, match="No space left on device; make room on that disk"):
            made.sync()
    assert made.backlog() == {}, "no project is to blame"
    assert made.cursor is None
    audit_served(made)
    complete = {path.name for path in (made.web / "packages").rglob("*.whl")}
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS, "the lease was given up"
    assert not complete & set(made.downloads())
    audit(made)
    compare(made)


def test_a_page_directory_that_is_a_file_fails_its_project_alone(bench: MakeBench, tmp_path: Path) -> None:
    made = bench(scenario=small())
    made.allow("alpha")
    made.sync()
    (made.web / "simple/old").write_text("in the way")
    made.select(allowed_projects=frozenset())
    result = made.sync()
    assert [failure.project for failure in result.new_failures] == ["old"]
    (made.web / "simple/old").unlink()
    assert made.sync(clock_step=20).state is RunState.SUCCESS
    audit(made)
    compare(made)
