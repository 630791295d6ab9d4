"""Every kind of damage, planted in a small mirror: an audit finds and repairs it, the next finds nothing.

Whether a repaired mirror is right is asked of the checker in ``tests/runs/audit.py``, which knows nothing of
the audit.
"""

import gzip
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName
from sqlalchemy import text

from pypi_mirror.audit import project_audit
from pypi_mirror.audit.findings import AuditReport, Kind
from pypi_mirror.errors import MirrorBusy, MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger import lease
from pypi_mirror.ledger.audits import AuditedProject, Audits
from pypi_mirror.ledger.lease import Lease
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.model import RunKind, RunState
from pypi_mirror.options.max_failures import MaxFailures
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.runs import audit as audit_step
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    Archive,
    BackfillMetadata,
    Fault,
    RemoveFile,
    RemoveProject,
    Upload,
    Wheel,
    many,
    small,
)
from tests.warehouse.events import BackfillProvenance
from tests.warehouse.faults import Status

ALPHA = Wheel(name="alpha", version="1.0", requires_dist=("beta",))
ALPHA_2 = Wheel(name="alpha", version="2.0")
BETA = Wheel(name="Beta.Lib", version="1.0")
GAMMA = Wheel(name="gamma", version="1.0")
EVENTS = (
    Upload(distribution=ALPHA),
    Upload(distribution=ALPHA_2),
    Upload(distribution=BETA),
    Upload(distribution=GAMMA, core_metadata=True),
    BackfillProvenance(project="alpha", filename=ALPHA.file_name, bundles='[{"a": "attestation"}]'),
)
DAYS = 24 * 3600


@pytest.fixture
def synced(bench: MakeBench) -> Bench:
    made = bench(*EVENTS, json=True)
    made.sync()
    made.server.requests.reset()
    return made


def audited(made: Bench, **request: Any) -> AuditReport:
    made.clock.advance(minutes=1)
    made.runs += 1
    request.setdefault("everything", not request.get("projects"))
    with made.open() as mirror:
        return run_audit(mirror, AuditRequest(label=f"audit {made.runs}", **request))


def execute(made: Bench, statement: str, **values: Any) -> None:
    if ":zeros" in statement:
        values["zeros"] = bytes(32)
    with made.open() as mirror, mirror.ledger.engine.begin() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def count(made: Bench, table: str) -> int:
    with made.open() as mirror, mirror.ledger.engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def pooled(made: Bench, wheel: Wheel, suffix: str = "") -> Path:
    path = made.pooled(wheel.file_name)
    assert path is not None
    return path.with_name(path.name + suffix)


def flip(path: Path, at: int = -3) -> None:
    """One letter of the file is another; its size stays."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def page(made: Bench, name: str, file: str) -> Path:
    return made.page_directory(name) / file


@dataclass(frozen=True, kw_only=True)
class Damage:
    """``plant`` it, and the audit says ``kind`` (or one of several)."""

    plant: Callable[[Bench], object]
    kinds: tuple[Kind, ...]


def in_rows(
    column: str, value: str, where: str = f"filename = '{ALPHA.file_name}'"
) -> Callable[[Bench], None]:
    return lambda made: execute(made, f"UPDATE files SET {column} = {value} WHERE {where}")


def in_projects(column: str, value: str) -> Callable[[Bench], None]:
    return lambda made: execute(made, f"UPDATE projects SET {column} = {value} WHERE name = 'alpha'")


def rewrite(made: Bench, file: str, old: bytes, new: bytes) -> None:
    """Another text in a page, with a twin that agrees: nothing but a digest tells."""
    path = page(made, "alpha", file)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    path.with_name(f"{file}.gz").write_bytes(gzip.compress(path.read_bytes()))


def garble_twin(path: Path) -> None:
    """Its trailer stays as it was."""
    flip(path, at=len(path.read_bytes()) // 2)


def forget_project(made: Bench) -> None:
    execute(made, "DELETE FROM files WHERE project_id = (SELECT id FROM projects WHERE name = 'alpha')")
    execute(made, "DELETE FROM projects WHERE name = 'alpha'")


def old_leftover(path: Path) -> None:
    path.write_bytes(b"x")
    os.utime(path, (time.time() - 2 * DAYS, time.time() - 2 * DAYS))


DAMAGES: dict[str, Damage] = {
    "a missing file": Damage(plant=lambda made: pooled(made, ALPHA).unlink(), kinds=(Kind.MISSING,)),
    "a missing directory": Damage(
        plant=lambda made: shutil.rmtree(pooled(made, GAMMA).parent),
        kinds=(Kind.MISSING, Kind.METADATA),
    ),
    "a short file": Damage(plant=lambda made: os.truncate(pooled(made, ALPHA), 9), kinds=(Kind.SIZE,)),
    "an empty file": Damage(plant=lambda made: os.truncate(pooled(made, ALPHA), 0), kinds=(Kind.SIZE,)),
    "a file with something after it": Damage(
        plant=lambda made: pooled(made, ALPHA).write_bytes(pooled(made, ALPHA).read_bytes() + b"x"),
        kinds=(Kind.SIZE,),
    ),
    "a corrupt file": Damage(plant=lambda made: flip(pooled(made, ALPHA)), kinds=(Kind.CORRUPT,)),
    "a link in place of a file": Damage(
        plant=lambda made: (
            pooled(made, ALPHA).rename(made.web.parent / "away"),
            (pooled_at(made)).symlink_to("/dev/null"),
        ),
        kinds=(Kind.MISSING,),
    ),
    "missing metadata": Damage(
        plant=lambda made: pooled(made, ALPHA, ".metadata").unlink(), kinds=(Kind.METADATA,)
    ),
    "corrupt metadata": Damage(
        plant=lambda made: flip(pooled(made, ALPHA, ".metadata")), kinds=(Kind.METADATA,)
    ),
    "missing provenance": Damage(
        plant=lambda made: pooled(made, ALPHA, ".provenance").unlink(), kinds=(Kind.PROVENANCE,)
    ),
    "corrupt provenance": Damage(
        plant=lambda made: flip(pooled(made, ALPHA, ".provenance")), kinds=(Kind.PROVENANCE,)
    ),
    "a page that is gone": Damage(
        plant=lambda made: [f.unlink() for f in made.page_directory("alpha").iterdir()], kinds=(Kind.PAGE,)
    ),
    "a missing JSON page": Damage(
        plant=lambda made: page(made, "alpha", "index.v1_json").unlink(), kinds=(Kind.PAGE,)
    ),
    "a missing HTML page": Damage(
        plant=lambda made: page(made, "alpha", "index.html").unlink(), kinds=(Kind.PAGE,)
    ),
    "a truncated JSON page": Damage(
        plant=lambda made: os.truncate(page(made, "alpha", "index.v1_json"), 100), kinds=(Kind.PAGE,)
    ),
    "a garbled HTML page": Damage(
        plant=lambda made: flip(page(made, "alpha", "index.html"), 300), kinds=(Kind.PAGE,)
    ),
    "a letter of the JSON page": Damage(
        plant=lambda made: rewrite(made, "index.v1_json", b'upload-time":"20', b'upload-time":"30'),
        kinds=(Kind.PAGE,),
    ),
    "a page that lists another digest": Damage(
        plant=lambda made: rewrite(made, "index.v1_json", b'"sha256":"', b'"sha256":"0'), kinds=(Kind.PAGE,)
    ),
    "wrong legacy JSON": Damage(plant=lambda made: flip(made.web / "pypi/alpha/json"), kinds=(Kind.PAGE,)),
    "no legacy JSON": Damage(plant=lambda made: (made.web / "pypi/alpha/json").unlink(), kinds=(Kind.PAGE,)),
    "a missing twin": Damage(
        plant=lambda made: page(made, "alpha", "index.html.gz").unlink(), kinds=(Kind.TWIN,)
    ),
    "a stale twin": Damage(
        plant=lambda made: page(made, "alpha", "index.v1_json.gz").write_bytes(gzip.compress(b"old")),
        kinds=(Kind.TWIN,),
    ),
    "a garbled twin": Damage(
        plant=lambda made: garble_twin(page(made, "alpha", "index.v1_json.gz")), kinds=(Kind.TWIN,)
    ),
    "a page of another format": Damage(
        plant=lambda made: page(made, "alpha", "index.v1_html").write_bytes(b"old"), kinds=(Kind.STRAY_PAGE,)
    ),
    "a page in the other layout": Damage(
        plant=lambda made: (
            (made.web / "simple/a/alpha").mkdir(parents=True),
            (made.web / "simple/a/alpha/index.html").write_bytes(b"old"),
        ),
        kinds=(Kind.STRAY_PAGE,),
    ),
    "a leftover beside a page": Damage(
        plant=lambda made: page(made, "alpha", ".tmp-x").write_bytes(b"x"), kinds=(Kind.LEFTOVER,)
    ),
    "a leftover in the pool": Damage(
        plant=lambda made: old_leftover(pooled(made, ALPHA).with_name(".tmp-1-2-3")), kinds=(Kind.LEFTOVER,)
    ),
    "a part of a file that upstream removed": Damage(
        plant=lambda made: old_leftover(pooled(made, ALPHA).with_name(".tmp-gone-1.0-py3-none-any.whl.part")),
        kinds=(Kind.LEFTOVER,),
    ),
    "a part of a file that is there": Damage(
        plant=lambda made: pooled(made, ALPHA).with_name(f".tmp-{ALPHA.file_name}.part").write_bytes(b"x"),
        kinds=(Kind.LEFTOVER,),
    ),
    "a page of an unknown project": Damage(
        plant=lambda made: (
            (made.web / "simple/nobody").mkdir(),
            (made.web / "simple/nobody/index.html").write_bytes(b"x"),
        ),
        kinds=(Kind.STRAY_PAGE,),
    ),
    "a wrong root index": Damage(
        plant=lambda made: flip(made.web / "simple/index.v1_json", 60), kinds=(Kind.ROOT_INDEX,)
    ),
    "no root index": Damage(
        plant=lambda made: (made.web / "simple/index.html").unlink(), kinds=(Kind.ROOT_INDEX,)
    ),
    "a wrong twin of the root index": Damage(
        plant=lambda made: garble_twin(made.web / "simple/index.html.gz"), kinds=(Kind.TWIN,)
    ),
    "a wrong name map": Damage(
        plant=lambda made: next((made.settings.directory / "nginx").glob("*names*")).write_bytes(b"x y;\n"),
        kinds=(Kind.NAME_MAP,),
    ),
    "a row with another digest": Damage(plant=in_rows("sha256", ":zeros"), kinds=(Kind.ROW,)),
    "a row with another size": Damage(plant=in_rows("size", "size + 1"), kinds=(Kind.ROW,)),
    "a row of another place": Damage(plant=in_rows("location", ":zeros"), kinds=(Kind.ROW,)),
    "a row without metadata": Damage(plant=in_rows("metadata_sha256", "NULL"), kinds=(Kind.ROW,)),
    "a row with other metadata": Damage(
        plant=in_rows("metadata_sha256", ":zeros"), kinds=(Kind.ROW, Kind.METADATA)
    ),
    "a row without provenance": Damage(plant=in_rows("provenance", "false"), kinds=(Kind.ROW,)),
    "a row with other provenance": Damage(
        plant=in_rows("provenance_sha256", ":zeros"), kinds=(Kind.PROVENANCE,)
    ),
    "a row that calls a file removed": Damage(plant=in_rows("removed_at", "1"), kinds=(Kind.ROW,)),
    "a lost row": Damage(
        plant=lambda made: execute(made, f"DELETE FROM files WHERE filename = '{ALPHA.file_name}'"),
        kinds=(Kind.ROW,),
    ),
    "a row of a file that is nowhere": Damage(
        plant=lambda made: execute(
            made,
            "INSERT INTO files (project_id, filename, location, sha256, size, provenance, verified_at) "
            "SELECT id, 'alpha-9.tar.gz', :zeros, :zeros, 5, false, 0 FROM projects "
            "WHERE name = 'alpha'",
        ),
        kinds=(Kind.UNLISTED,),
    ),
    "a project with other totals": Damage(plant=in_projects("bytes", "1"), kinds=(Kind.ROW,)),
    "a project with another number of files": Damage(plant=in_projects("files", "7"), kinds=(Kind.ROW,)),
    "a project of an older serial than its page": Damage(plant=in_projects("serial", "0"), kinds=(Kind.ROW,)),
    "a project with another status": Damage(plant=in_projects("status", "'archived'"), kinds=(Kind.ROW,)),
    "a page whose digest was lost": Damage(plant=in_projects("page_digest", ":zeros"), kinds=(Kind.PAGE,)),
    "a project that the ledger lost": Damage(plant=forget_project, kinds=(Kind.STRAY_PAGE,)),
}


def pooled_at(made: Bench) -> Path:
    """Where the file was that is away now."""
    return next((made.web / "packages").rglob(f"{ALPHA.file_name}.metadata")).with_name(ALPHA.file_name)


@pytest.mark.parametrize("hash_index", [False])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_found_and_repaired(synced: Bench, damage: Damage, hash_index: bool) -> None:
    damage.plant(synced)
    report = audited(synced)
    assert set(report.found) & set(damage.kinds), report.found
    assert report.is_clean, (report.unrepaired, report.examples, report.failures)
    assert synced.backlog() == {}
    audit(synced)
    compare(synced)
    again = audited(synced)
    assert again.found == {}


def test_nothing_is_found_in_a_mirror_that_is_right(bench: MakeBench) -> None:
    made = bench(scenario=small())
    made.sync()
    report = audited(made)
    assert report.found == {}
    assert report.is_clean
    assert report.files > 5
    audit(made)


def test_what_cannot_be_downloaded_again_goes_off_the_page_and_comes_back(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    fault = Fault(path=f"/packages/*/{ALPHA.file_name}", effect=Status(code=404), times=None)
    synced.server.inject(fault)
    report = audited(synced)
    assert not report.is_clean
    assert report.withheld == (ALPHA.file_name,)
    assert (report.repaired, report.unrepaired) == (0, 1)
    assert [f.project for f in report.failures] == ["alpha"]
    assert synced.listed("alpha") == [ALPHA_2.file_name]
    assert "alpha" in synced.backlog()
    audit(synced)
    synced.server.faults.clear()
    synced.clock.advance(days=1)
    synced.sync()
    assert sorted(synced.listed("alpha")) == [ALPHA.file_name, ALPHA_2.file_name]
    assert synced.backlog() == {}
    audit(synced)
    compare(synced)


def test_an_upstream_that_is_away_leaves_no_page_that_lists_what_is_not_there(synced: Bench) -> None:
    pooled(synced, ALPHA).unlink()
    flip(pooled(synced, GAMMA))
    synced.server.inject(Fault(path="*", effect=Status(code=503), times=None))
    with suppress(MirrorError):
        assert not audited(synced).is_clean
    audit(synced)
    assert synced.listed("alpha") == [ALPHA_2.file_name]
    assert synced.listed("gamma") == []
    synced.server.faults.clear()
    synced.clock.advance(days=1)
    synced.sync()
    audit(synced)
    compare(synced)


def state(made: Bench) -> dict[str, Any]:
    """All of the tree by content, and every row of the ledger."""
    files = {
        str(path.relative_to(made.settings.directory)): path.read_bytes()
        for path in made.settings.directory.rglob("*")
        if path.is_file() and "ledger.sqlite" not in path.name
    }
    with made.open() as mirror, mirror.ledger.engine.connect() as connection:
        rows = {
            table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
            for table in ("projects", "files", "facts", "runs", "plan", "backlog", "lease", "orphans")
        }
    return {"files": files, **rows}


def test_a_dry_run_tells_and_changes_nothing(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    page(synced, "gamma", "index.html").unlink()
    (synced.web / "packages/strange").write_bytes(b"x")
    in_rows("size", "1", f"filename = '{BETA.file_name}'")(synced)
    before = state(synced)
    with synced.open() as mirror:
        mirror.ledger.lease.take("a run at work")
    held = state(synced)
    report = audited(synced, dry_run=True)
    assert {Kind.CORRUPT, Kind.PAGE, Kind.ORPHAN, Kind.ROW} <= set(report.found)
    assert not report.is_clean
    assert report.repaired == 0
    assert state(synced) == held
    assert {key: value for key, value in held.items() if key != "lease"} == {
        key: value for key, value in before.items() if key != "lease"
    }


def test_an_audit_does_not_run_beside_another_run(synced: Bench) -> None:
    with synced.open() as mirror:
        mirror.ledger.lease.take("a run at work")
    with pytest.raises(MirrorBusy, match="a run at work"):
        audited(synced)


def test_the_lease_is_given_back(synced: Bench) -> None:
    audited(synced)
    with synced.open() as mirror:
        mirror.ledger.lease.take("the next run")


def test_a_budget_takes_projects_in_turn_until_all_had_theirs(synced: Bench) -> None:
    looked_at = []
    for _ in range(3):
        report = audited(synced, everything=False, budget=1)
        assert report.files == 1 or report.projects == 1
        looked_at.append(report.projects)
    # Of alpha's two files one was read in the first run and one in the second.
    with synced.open() as mirror, mirror.ledger.engine.connect() as connection:
        turns = dict(tuple(r) for r in connection.execute(text("SELECT name, audited_at FROM projects")))
    assert sum(turn > 0 for turn in turns.values()) == 2
    audited(synced, everything=False, budget=1)
    last = audited(synced, everything=False)
    assert last.files == 0, "all were audited in this half of the window"
    assert last.coverage.share_of_projects == 1.0
    synced.clock.advance(days=16)
    assert audited(synced, everything=False).files == 4


def test_a_large_project_is_read_on_where_the_budget_ended(synced: Bench) -> None:
    first = audited(synced, projects=(NormalizedName("alpha"),), budget=1)
    assert first.files == 1
    with synced.open() as mirror:
        (known,) = mirror.ledger.projects.known([NormalizedName("alpha")]).values()
        assert (mirror.ledger.facts.audit_resume or (0, 0))[0] == known.id
    second = audited(synced, everything=False, budget=10**9)
    # Its first file was not read again, nor was that project left half-done.
    size = sum(path.stat().st_size for path in (synced.web / "packages").rglob("*") if path.is_file())
    assert 0 < second.bytes < size
    assert synced.fact("audit_resume") is None


def test_coverage_says_what_budget_would_suffice(synced: Bench) -> None:
    assert audited(synced, everything=False, budget=1).coverage.needed_bytes is None
    synced.clock.advance(days=15)
    coverage = audited(synced, everything=False, budget=1).coverage
    assert coverage.needed_bytes is not None
    assert coverage.needed_bytes > 1
    assert coverage.suffices is False
    assert audited(synced, everything=False, budget=10**9).coverage.suffices is True


def test_an_orphan_waits_for_the_end_of_the_grace_period(synced: Bench) -> None:
    orphan = synced.web / "packages/aa/bb" / ("c" * 60) / "nobody-1.0.tar.gz"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"x")
    os.utime(orphan, (1, 1))
    report = audited(synced)
    assert report.found == {Kind.ORPHAN: 1}
    assert report.waiting == 1
    assert report.is_clean
    synced.clock.advance(days=6.9)
    assert audited(synced).found == {}, "it was found once"
    assert orphan.exists()
    synced.clock.advance(days=0.2)
    assert audited(synced).swept == 1
    assert not orphan.parent.exists()
    assert count(synced, "orphans") == 0
    audit(synced)


def test_an_orphan_that_a_page_lists_again_stays(synced: Bench) -> None:
    execute(synced, f"DELETE FROM files WHERE filename = '{GAMMA.file_name}'")
    with synced.open() as mirror:
        mirror.ledger.runs.begin(synced.request())
        mirror.ledger.lease.take("run 2")
    path = pooled(synced, GAMMA)
    with synced.open() as mirror:
        run = mirror.ledger.runs.labelled("run 2")
        assert run is not None
        mirror.ledger.locations.note_orphans(run.id, [path.relative_to(synced.web).as_posix()])
        mirror.ledger.lease.release("run 2")
    synced.clock.advance(days=8)
    audited(synced)
    assert path.exists()
    audit(synced)
    compare(synced)


def test_tombstones_are_checked_too(synced: Bench) -> None:
    synced.server.apply(RemoveFile(project="alpha", filename=ALPHA_2.file_name))
    synced.sync()
    path = pooled(synced, ALPHA_2)
    flip(path)
    report = audited(synced)
    assert report.found == {Kind.TOMBSTONE: 1}
    assert report.is_clean
    assert not path.exists()
    # Its metadata is an orphan from now on.
    for _ in range(2):
        audited(synced)
        synced.clock.advance(days=8)
    audited(synced)
    audit(synced)


@pytest.mark.parametrize(
    "event",
    [
        Archive(project="alpha"),
        BackfillProvenance(project="alpha", filename=ALPHA_2.file_name, bundles='[{"late": 1}]'),
    ],
    ids=["archived", "provenance that came later"],
)
def test_what_changes_without_an_event_is_found_by_asking_again(synced: Bench, event: Any) -> None:
    synced.server.apply(event)
    synced.sync()
    assert audited(synced, everything=False).rechecked == 0
    synced.clock.advance(days=16)
    synced.server.requests.reset()
    report = audited(synced, everything=False, pages=100)
    assert report.rechecked == 3
    assert report.changed == 1
    assert synced.server.requests.count("page") == 3
    audit(synced)
    compare(synced)


def test_pages_are_asked_for_in_turn(synced: Bench) -> None:
    synced.clock.advance(days=16)
    asked = []
    for _ in range(3):
        synced.server.requests.reset()
        assert audited(synced, everything=False, pages=1).rechecked == 1
        asked += [each.path for each in synced.server.requests.of("page")]
    assert sorted(asked) == ["/simple/alpha/", "/simple/beta-lib/", "/simple/gamma/"]


def test_an_upstream_that_lost_its_projects_is_asked_no_more(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_step, "_RECHECKED_AT_ONCE", 1)
    monkeypatch.setattr(audit_step, "_MOST_GONE", 0)
    synced.clock.advance(days=16)
    synced.server.inject(Fault(path="/simple/*/", effect=Status(code=404), times=None))
    report = audited(synced, everything=False, pages=100)
    assert report.removed == 1
    assert "gone upstream" in (report.reason or "")
    assert not report.is_clean


def test_a_pool_that_is_not_mounted_is_no_damage_to_repair(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(project_audit, "_TOO_MANY_GONE", 3)
    (synced.web / "packages").rename(synced.settings.directory / "away")
    with pytest.raises(MirrorError, match="the disk is not mounted"):
        audited(synced)
    assert len(synced.listed("alpha")) == 2
    (synced.settings.directory / "away").rename(synced.web / "packages")
    assert synced.backlog() == {}


def test_an_audit_that_was_cut_off_is_made_good_by_the_next_sync(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(pooled(synced, ALPHA))

    class PowerCut(BaseException):
        pass

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr("pypi_mirror.runs.audit.sync_now", cut)
        patched.setattr("pypi_mirror.audit.repair.Repair._withhold", lambda *_: None)
        patched.setattr(audit_step, "fail_run", lambda *_: None)
        with pytest.raises(PowerCut):
            audited(synced)
    synced.clock.advance(minutes=20)
    synced.sync()
    audit(synced)
    compare(synced)


def test_an_unreadable_directory_is_a_finding(synced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir
    closed = str(pooled(synced, ALPHA).parent.parent)

    def scandir(path: Any) -> Any:
        if path == closed:
            raise PermissionError(13, "Permission denied", closed)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = audited(synced)
    assert report.found == {Kind.UNREADABLE: 1}
    assert not report.is_clean


def test_two_projects_with_files_of_other_bytes_at_one_place(synced: Bench) -> None:
    execute(
        synced,
        "INSERT INTO files (project_id, filename, location, sha256, size, provenance, verified_at) "
        "SELECT (SELECT id FROM projects WHERE name = 'gamma'), filename, location, :zeros, size, false, 0 "
        f"FROM files WHERE filename = '{ALPHA.file_name}'",
    )
    report = audited(synced)
    assert Kind.CLASH in report.found or Kind.UNLISTED in report.found
    audited(synced)
    audit(synced)
    compare(synced)


def test_only_named_projects_are_looked_at(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    flip(pooled(synced, GAMMA))
    report = audited(synced, projects=(NormalizedName("gamma"),))
    assert report.projects == 1
    assert report.found == {Kind.CORRUPT: 1}
    assert audited(synced, dry_run=True).found == {Kind.CORRUPT: 1}


def test_what_a_failed_sync_left_unpublished_stays_so(synced: Bench) -> None:
    synced.server.apply(RemoveProject(project="gamma"))
    with synced.open() as mirror:
        mirror.ledger.facts.put(Facts.unpublished.to("1"))
    index = (synced.web / "simple/index.html").read_bytes()
    flip(pooled(synced, ALPHA))
    audited(synced)
    assert (synced.web / "simple/index.html").read_bytes() == index
    assert synced.fact("unpublished") is not None


@pytest.mark.parametrize("simple_format", ["HTML", "JSON"])
def test_one_format_alone(bench: MakeBench, simple_format: str) -> None:
    made = bench(*EVENTS, simple_format=simple_format, hash_index=True)
    made.sync()
    assert audited(made).found == {}
    file = "index.html" if simple_format == "HTML" else "index.v1_json"
    flip(page(made, "alpha", file), 200)
    assert audited(made).found == {Kind.PAGE: 1}
    audit(made)


def test_pages_alone_without_files(bench: MakeBench) -> None:
    made = bench(*EVENTS, release_files=False, root_uri="https://files.example/x")
    made.sync()
    assert audited(made).found == {}
    flip(page(made, "alpha", "index.html"), 200)
    report = audited(made)
    assert report.found == {Kind.PAGE: 1}
    assert report.is_clean


def test_pages_of_a_ledger_without_digests_are_noted(synced: Bench) -> None:
    execute(synced, "UPDATE projects SET page_digest = NULL")
    execute(synced, "UPDATE files SET provenance_sha256 = NULL")
    assert audited(synced).found == {}
    flip(page(synced, "alpha", "index.html"), 200)
    assert audited(synced).found == {Kind.PAGE: 1}


def test_a_page_is_made_again_without_upstream(synced: Bench) -> None:
    page(synced, "alpha", "index.html").unlink()
    os.truncate(page(synced, "gamma", "index.v1_json"), 10)
    report = audited(synced, pages=0)
    assert report.found == {Kind.PAGE: 2}
    assert report.is_clean
    assert synced.server.requests.count("page") == 0
    audit(synced)


def test_metadata_that_upstream_mended_is_taken_up(bench: MakeBench) -> None:
    made = bench(Upload(distribution=GAMMA, core_metadata=False))
    made.sync()
    made.server.apply(BackfillMetadata(project="gamma", filename=GAMMA.file_name))
    made.clock.advance(days=16)
    audited(made, everything=False)
    audit(made)
    compare(made)


def test_the_report_as_json(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    document = json.loads(audited(synced).as_json())
    assert document["clean"] is True
    assert document["found"] == {"corrupt file": 1}
    assert document["examples"][0]["project"] == "alpha"
    assert hashlib.sha256(pooled(synced, ALPHA).read_bytes()).hexdigest() in document["examples"][0]["detail"]


def test_the_status_tells_of_syncs_and_not_of_audits(synced: Bench) -> None:
    before = json.loads((synced.web / "mirror.json").read_bytes())
    flip(pooled(synced, ALPHA))
    synced.server.inject(Fault(path=f"/packages/*/{ALPHA.file_name}", effect=Status(code=404), times=None))
    audited(synced)
    after = json.loads((synced.web / "mirror.json").read_bytes())
    assert after["backlog"] == 1
    assert {key: after[key] for key in ("last_run", "checked_at", "upstream_serial")} == {
        key: before[key] for key in ("last_run", "checked_at", "upstream_serial")
    }


def test_the_lease_is_renewed_while_nothing_is_found(synced: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_RENEW_SECONDS", -1.0)
    renewed: list[str] = []
    monkeypatch.setattr(Lease, "renew", lambda _, owner: renewed.append(owner))
    assert audited(synced).found == {}
    parts = {path.name for path in (synced.web / "packages").iterdir()}
    # A part of the pool, its one directory of directories, and each file, at least.
    assert len(renewed) > 2 * len(parts)


def test_a_leftover_that_cannot_be_removed_is_not_called_repaired(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_leftover(pooled(synced, ALPHA).with_name(".tmp-1-2-3"))

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("pypi_mirror.audit.tree.remove_file", refuse)
        report = audited(synced)
    assert report.found == {Kind.LEFTOVER: 1}
    assert report.unrepaired == 1


def test_a_damaged_project_has_had_its_turn_too(synced: Bench) -> None:
    flip(pooled(synced, ALPHA))
    assert audited(synced, everything=False).found == {Kind.CORRUPT: 1}
    assert audited(synced, everything=False).projects == 0


def test_a_dry_run_beside_a_sync_looks_twice_before_it_tells(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the ledger and that at the disk, a sync replaces a page."""
    real = Audits.due

    def due(audits: Audits, **asked: Any) -> list[AuditedProject]:
        found = real(audits, **asked)
        if not asked["names"]:
            # The next time it is as it was: only the first answer is old by the time that it is used.
            found = [replace(each, page_digest=bytes(32)) for each in found]
        return found

    monkeypatch.setattr(Audits, "due", due)
    assert audited(synced, dry_run=True).found == {}
    assert audited(synced).found == {Kind.PAGE: 3}


def test_a_twin_with_something_after_it_is_wrong(synced: Bench) -> None:
    twin = page(synced, "alpha", "index.html.gz")
    twin.write_bytes(twin.read_bytes() + b"x")
    assert audited(synced).found == {Kind.TWIN: 1}
    assert gzip.decompress(twin.read_bytes()) == twin.with_name("index.html").read_bytes()


def test_a_page_without_a_damaged_file_is_not_upstreams(synced: Bench) -> None:
    """Were it taken for upstream's, nothing would have changed, and the file would not come back."""
    flip(pooled(synced, ALPHA))
    synced.server.inject(Fault(path=f"/packages/*/{ALPHA.file_name}", effect=Status(code=404), times=None))
    audited(synced)
    with synced.open() as mirror:
        (known,) = mirror.ledger.projects.known([NormalizedName("alpha")]).values()
    assert (known.made_entry, known.files) == (None, 1)


def test_an_orphan_that_has_a_row_by_the_end_of_its_time_stays(synced: Bench) -> None:
    path = pooled(synced, GAMMA).relative_to(synced.web).as_posix()
    execute(
        synced,
        "INSERT INTO orphans (path, found_at) VALUES (:path, 1), (:metadata, 1)",
        path=path,
        metadata=f"{path}.metadata",
    )
    assert audited(synced).swept == 0
    assert count(synced, "orphans") == 0
    assert audited(synced).found == {}


@pytest.mark.parametrize("projects", [3, 30])
def test_an_audit_leaves_a_tree_alone_of_which_the_ledger_knows_nothing_yet(
    bench: MakeBench, projects: int
) -> None:
    """It was lost, or another tool made the tree; and the sync that is to take it over has to wait."""
    made = bench(scenario=many(projects, 1, 200))
    made.sync()
    for name in ("ledger.sqlite", "status"):
        (made.settings.directory / name).unlink()
    made.server.inject(Fault(path="*", effect=Status(code=503), times=None))
    before = {path: path.read_bytes() for path in made.web.glob("[ps]*/**/*") if path.is_file()}
    for _ in range(3):
        with suppress(MirrorError):
            audited(made)
        made.clock.advance(days=8)
    assert {path: path.read_bytes() for path in before if path.exists()} == before
    made.server.faults.clear()
    made.server.requests.reset()
    assert made.sync().state is RunState.SUCCESS
    assert made.downloads() == []
    audit(made)
    compare(made)


def test_max_failures_does_not_keep_other_projects_from_repair(synced: Bench) -> None:
    synced.change(max_failures=MaxFailures(projects=0))
    flip(pooled(synced, ALPHA))
    flip(pooled(synced, GAMMA))
    synced.server.inject(Fault(path=f"/packages/*/{ALPHA.file_name}", effect=Status(code=404), times=None))
    report = audited(synced)
    assert report.withheld == (ALPHA.file_name,)
    assert synced.listed("gamma") == [GAMMA.file_name]
    assert report.reason is None
    audit(synced)


def test_what_could_not_be_repaired_is_tried_once_an_audit(
    synced: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_step, "_RECHECKED_AT_ONCE", 1)
    synced.clock.advance(days=20)
    flip(pooled(synced, ALPHA))
    synced.server.inject(Fault(path=f"/packages/*/{ALPHA.file_name}", effect=Status(code=404), times=None))
    assert audited(synced).rechecked == 2
    assert synced.downloads().count(ALPHA.file_name) == 1
    with synced.open() as mirror:
        (entry,) = mirror.ledger.backlog.failed()
    assert (entry.project, entry.attempts) == ("alpha", 1)


def test_many_audits_do_not_hide_when_the_mirror_was_last_synced(synced: Bench) -> None:
    with synced.open() as mirror:
        before = mirror_status(mirror)
        for number in range(60):
            mirror.ledger.runs.begin(RunRequest(label=f"audit {number}", kind=RunKind.AUDIT))
        after = mirror_status(mirror)
    assert before.checked_at is not None
    assert (after.last_run, after.checked_at) == (before.last_run, before.checked_at)
