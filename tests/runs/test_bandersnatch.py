"""Over a tree of the real bandersnatch 8.2.0, and back: no file is downloaded twice, no page left stale."""

import fcntl
import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.disk import bandersnatch_tree
from pypi_mirror.errors import ApprovalRequired, MirrorError
from pypi_mirror.model import RunState
from pypi_mirror.publishing.site import tidy_layout
from pypi_mirror.runs.hand_over import HandedOver, hand_over
from pypi_mirror.runs.rebuild_ledger import rebuild_ledger
from tests.bandersnatch import Bandersnatch, bandersnatch
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.settings.test_bandersnatch import DEFAULTS
from tests.warehouse import Corrupt, Fault, RemoveProject, Sdist, Upload, Wheel, small

__all__ = ["bandersnatch"]

pytestmark = pytest.mark.servers

NEW = Upload(distribution=Sdist(name="alpha", version="9.0"))
KEEP_VERSIONS = ("json = true", "keep_index_versions = 2")


def adopted(bench: MakeBench, bandersnatch: Bandersnatch, *lines: str, **settings: object) -> Bench:
    """A tree that bandersnatch has made, before our first run over it."""
    settings = {"exclude": None, **settings}
    made = bench(scenario=small(), **settings)
    done = bandersnatch.mirror(made.settings.directory, made.server.url, *lines)
    assert done.returncode == 0, done.stderr
    assert (made.settings.directory / "status").read_text().isdecimal()
    made.server.requests.reset()
    return made


def files(made: Bench) -> dict[str, tuple[int, float]]:
    """The pool: inode and time of every file."""
    found = {}
    for path in sorted((made.web / "packages").rglob("*")):
        if path.is_file() and path.suffix in (".whl", ".gz"):
            found[path.name] = (path.stat().st_ino, path.stat().st_mtime)
    return found


def names(made: Bench, part: str = "") -> set[str]:
    return {str(path.relative_to(made.settings.directory)) for path in (made.web / part).rglob("*")}


def handed_over(made: Bench) -> HandedOver:
    with made.open() as mirror:
        return hand_over(mirror, "a person", is_dead=lambda _: False)


@pytest.mark.parametrize(
    ("lines", "settings"),
    [
        (KEEP_VERSIONS, {"json": True}),
        (("hash-index = true",), {"hash_index": True}),
        (("hash-index = true",), {}),
        (("simple-format = JSON", *KEEP_VERSIONS), {}),
    ],
    ids=["versions", "hashed", "hashed before", "JSON"],
)
def test_its_tree_is_taken_over_without_a_download(
    bench: MakeBench, bandersnatch: Bandersnatch, lines: tuple[str, ...], settings: dict[str, object]
) -> None:
    made = adopted(bench, bandersnatch, *lines, **settings)
    old = made.web / "simple" / ("B/Beta_Lib" if "hash-index = true" in lines else "Beta_Lib")
    old.mkdir(parents=True)
    (old / "index.html").write_text("a page of a version before 4.0")
    leftovers = (
        made.web / "simple/.index.html.a1b2c3d4",
        made.page_directory("alpha") / ".index.v1_json.a1b2c3d4",
    )
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    before = files(made)

    assert made.sync().state is RunState.SUCCESS

    with made.open() as mirror:
        tidy_layout(mirror)
    assert made.downloads() == []
    assert files(made) == before
    left = names(made)
    assert not [path for path in left if "versions" in path or path.endswith("v1_html")]
    assert not [path for path in (old, *leftovers) if path.exists()]
    assert not {path for path in left if path.startswith("web/json/")}
    audit(made)
    compare(made)


def test_what_the_first_run_would_take_off_is_shown_and_awaits_approval(
    bench: MakeBench, bandersnatch: Bandersnatch
) -> None:
    made = adopted(bench, bandersnatch)
    made.select(blocked_projects=frozenset({NormalizedName("beta-lib")}), exclude_filename="win_amd64")
    before = names(made, "simple")

    with pytest.raises(ApprovalRequired) as required:
        made.sync()

    assert "would remove 1 project, 3 files (" in str(required.value)
    assert "made by another tool, or by a ledger that is lost" in str(required.value)
    assert names(made, "simple") == before
    assert (made.settings.directory / "generation").read_text().strip() == "5"
    assert made.sync(approved=required.value.plan).state is RunState.SUCCESS
    assert made.downloads() == []
    audit(made, orphans=True)
    compare(made)


def test_what_upstream_has_lost_meanwhile_awaits_approval_too(
    bench: MakeBench, bandersnatch: Bandersnatch
) -> None:
    made = adopted(bench, bandersnatch)
    made.server.apply(RemoveProject(project="alpha"))

    with pytest.raises(ApprovalRequired, match="1 project, 2 files"):
        made.sync()


def test_each_keeps_out_of_the_others_tree(bench: MakeBench, bandersnatch: Bandersnatch) -> None:
    made = adopted(bench, bandersnatch)
    made.sync()
    made.server.apply(NEW)
    before = {path: path.stat().st_mtime_ns for path in made.web.rglob("*")}

    refused = bandersnatch.mirror(made.settings.directory, made.server.url)

    assert refused.returncode != 0
    assert "Unknown generation 100 found" in refused.stderr
    after = {path: path.stat().st_mtime_ns for path in made.web.rglob("*") if path.exists()}
    assert {path for path in after if before.get(path, 0) != after[path]} <= {
        made.web, made.web / "local-stats", made.web / "local-stats/days"
    }  # fmt: skip
    handed_over(made)
    with pytest.raises(MirrorError, match=r"was handed over to bandersnatch at .*ledger rebuild --force"):
        made.sync()


@pytest.mark.parametrize("hashed", [False, True])
def test_handed_over_it_goes_on_without_a_download(
    bench: MakeBench, bandersnatch: Bandersnatch, hashed: bool
) -> None:
    made = bench(scenario=small(), exclude=None, json=True, hash_index=hashed)
    made.sync()
    before = files(made)
    made.server.apply(NEW)
    made.server.requests.reset()

    done = handed_over(made)

    assert done.serial == made.cursor
    assert done.removed
    lines = ("json = true", f"hash-index = {'true' if hashed else 'false'}")
    ran = bandersnatch.mirror(made.settings.directory, made.server.url, *lines)
    assert ran.returncode == 0, ran.stderr
    assert made.downloads() == ["alpha-9.0.tar.gz"]
    assert files(made).items() >= before.items()
    left = names(made)
    assert not [path for path in left if "/packages/" not in path and path.endswith(".gz")]
    for name in ("alpha", "beta-lib"):
        page = made.page_directory(name)
        texts = {(page / form).read_text() for form in ("index.html", "index.v1_html")}
        assert len(texts) == 1, "both copies of the HTML are of one time"
        assert (made.web / "json" / name).read_text() == (made.web / "pypi" / name / "json").read_text()
    assert "alpha-9.0.tar.gz" in (made.page_directory("alpha") / "index.html").read_text()
    assert "9.0" in json.loads((made.web / "json/alpha").read_text())["releases"]
    assert not (made.settings.directory / "todo").exists()


def test_what_had_failed_here_is_what_it_takes_first(bench: MakeBench, bandersnatch: Bandersnatch) -> None:
    """From the cursor on, it would never ask for it again."""
    bad = Fault(path="/packages/*/bad-*.whl", effect=Corrupt(), times=None)
    made = bench(
        Upload(distribution=Wheel(name="good")), Upload(distribution=Wheel(name="bad")), faults=[bad]
    )
    made.sync()
    assert list(made.backlog()) == ["bad"]
    made.server.faults.clear()

    assert handed_over(made).left == 1
    ran = bandersnatch.mirror(made.settings.directory, made.server.url)

    assert ran.returncode == 0, ran.stderr
    assert (made.page_directory("bad") / "index.html").exists()


def test_handed_over_before_it_was_complete_it_begins_anew(
    bench: MakeBench, bandersnatch: Bandersnatch
) -> None:
    made = bench(scenario=small(), exclude=None)
    made.selected("alpha")

    assert handed_over(made).serial is None
    ran = bandersnatch.mirror(made.settings.directory, made.server.url)

    assert ran.returncode == 0, ran.stderr
    assert (made.page_directory("beta-lib") / "index.html").exists()


def test_taken_back_it_is_ours_again(bench: MakeBench, bandersnatch: Bandersnatch) -> None:
    made = bench(scenario=small(), exclude=None)
    made.sync()
    handed_over(made)
    made.server.apply(NEW)
    assert bandersnatch.mirror(made.settings.directory, made.server.url).returncode == 0
    made.server.requests.reset()

    rebuild_ledger(made.settings, force=True, clock=made.clock)

    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == []
    audit(made)
    compare(made)
    assert bandersnatch.mirror(made.settings.directory, made.server.url).returncode != 0


def test_the_options_that_we_know_of_are_those_that_it_has(bandersnatch: Bandersnatch) -> None:
    read = (
        "import json; from bandersnatch.configuration import BandersnatchConfig as read; "
        "print(json.dumps(dict(read()['mirror'])))"
    )
    done = subprocess.run(
        [str(bandersnatch.program.with_name("python")), "-c", read],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) | {"master": DEFAULTS["master"]} == DEFAULTS


def test_while_it_is_at_work_no_run_starts(tmp_path: Path) -> None:
    (tmp_path / "generation").write_text("5")
    bandersnatch_tree.require_stopped(tmp_path)
    (tmp_path / "todo").write_text("7\nalpha 5")

    with pytest.raises(MirrorError, match="wrote todo 0 seconds ago"):
        bandersnatch_tree.require_stopped(tmp_path)

    os.utime(tmp_path / "todo", (time.time() - 3600, time.time() - 3600))
    bandersnatch_tree.require_stopped(tmp_path)
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(MirrorError, match=r"holds \.lock"):
            bandersnatch_tree.require_stopped(tmp_path)
    bandersnatch_tree.require_stopped(tmp_path)


def test_what_it_had_left_to_do_is_void_once_the_tree_is_ours(tmp_path: Path) -> None:
    (tmp_path / "generation").write_text("5")
    (tmp_path / "todo").write_text("7\nalpha 5")

    bandersnatch_tree.claim(tmp_path)

    assert not (tmp_path / "todo").exists()
    bandersnatch_tree.require_stopped(tmp_path)
