"""No tool is measured for less work than upstream has."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.catalogue import Catalogue, StaticTree
from bench.run_sync import check
from bench.tools import Floor, Job


def _mirrored(tmp_path: Path) -> Job:
    tree = StaticTree(tmp_path / "tree", Catalogue(projects=2, files=1, filler=10))
    tree.write()
    shutil.copytree(tree.root, tmp_path / "mirror" / "web")
    return Job(directory=tmp_path / "mirror", master="http://127.0.0.1:1", tree=tree)


def _wheel(job: Job) -> Path:
    return next(job.web.rglob("*.whl"))


def test_a_complete_mirror_passes(tmp_path: Path) -> None:
    check(_mirrored(tmp_path), Floor())


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (lambda job: _wheel(job).unlink(), "the floor left out 1 files, packages/"),
        (lambda job: _wheel(job).write_bytes(b"other"), "the floor has other bytes in packages/"),
        (lambda job: _wheel(job).with_name("more").touch(), "the floor has 1 files too many, packages/"),
        (lambda job: (job.web / "simple/project-000001/index.json").unlink(), "no page of project-000001"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    tmp_path: Path, harm: Callable[[Job], object], complaint: str
) -> None:
    job = _mirrored(tmp_path)
    harm(job)
    with pytest.raises(SystemExit, match=complaint):
        check(job, Floor())
