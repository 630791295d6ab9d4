"""Two projects whose pages list other bytes at one place, as an older engine let them: one page has to go."""

import hashlib
import json
from pathlib import Path

import pytest
from packaging.utils import NormalizedName

from pypi_mirror.audit.findings import Kind
from pypi_mirror.facts.facts import Facts
from pypi_mirror.pool import layout
from tests.runs.audit import audit
from tests.runs.bench import Bench, MakeBench
from tests.runs.test_audit import audited
from tests.warehouse import Fault, Upload, Wheel
from tests.warehouse.faults import Instead

OWN = {name: Wheel(name=name, version="1.0") for name in ("alpha", "gamma")}
SHARED = Wheel(name="alpha", version="2.0")
OTHER = "the bytes that gamma's page lists"


@pytest.fixture
def clashing(bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """alpha came first with a file, gamma has listed and written other bytes at the same place."""
    made = bench(*(Upload(distribution=wheel) for wheel in (*OWN.values(), SHARED)))
    made.sync()
    document = made.page("gamma")
    (file,) = (dict(each) for each in made.page("alpha")["files"] if each["filename"] == SHARED.file_name)
    digest = hashlib.sha256(OTHER.encode()).hexdigest()
    for key in ("core-metadata", "dist-info-metadata", "data-dist-info-metadata"):
        file.pop(key, None)
    document["files"].append(file | {"hashes": {"sha256": digest}, "size": len(OTHER)})
    made.server.inject(
        Fault(path="/simple/gamma/", effect=Instead(body=json.dumps(document)), times=None),
        Fault(path=f"/packages/*/{SHARED.file_name}", effect=Instead(body=OTHER), times=1),
    )
    with monkeypatch.context() as patched:
        patched.setattr(layout, "owner_of", lambda _filename: NormalizedName("gamma"))
        made.selected("gamma")
    assert place(made).read_text() == OTHER
    assert made.backlog() == {}
    assert {name for name in OWN if SHARED.file_name in made.listed(name)} == {"alpha", "gamma"}
    return made


def place(made: Bench) -> Path:
    path = made.pooled(SHARED.file_name)
    assert path is not None
    return path


def path_of(name: str, made: Bench) -> Path:
    """Where our page of a project links to for the file."""
    (url,) = (f["url"] for f in made.page(name)["files"] if f["filename"] == SHARED.file_name)
    return made.web / url.removeprefix("../../")


@pytest.mark.parametrize("owner", ["alpha", "gamma", "neither", "gone"])
def test_the_page_that_lists_other_bytes_than_lie_there_does_not_stay(clashing: Bench, owner: str) -> None:
    path = place(clashing)
    content = {"alpha": SHARED.content(), "gamma": OTHER.encode(), "neither": b"x" * 20}.get(owner)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    report = audited(clashing)
    assert report.found[Kind.CLASH] == 1
    assert SHARED.file_name in clashing.listed("alpha")
    assert path_of("alpha", clashing).read_bytes() == SHARED.content()
    if owner != "gamma":
        assert [failure.project for failure in report.failures] == ["gamma"]
        assert report.withheld == (SHARED.file_name,)
        assert clashing.listed("gamma") == [OWN["gamma"].file_name]
    else:
        # Its turn was over when the place went to whose name the file has; it has another at the next audit.
        audited(clashing)
    audit(clashing)
    assert audited(clashing, pages=0).found == {}
    assert clashing.listed("gamma") == [OWN["gamma"].file_name]


def test_a_clash_found_in_the_pool_is_settled_whosever_turn_it_is(clashing: Bench) -> None:
    for name in OWN:
        audited(clashing, projects=(NormalizedName(name),), dry_run=True)
    with clashing.open() as mirror, mirror.ledger.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE projects SET audited_at = {int(clashing.clock())}")
    clashing.clock.advance(days=2)
    part = int(place(clashing).relative_to(clashing.web / "packages").parts[0], 16)
    with clashing.open() as mirror:
        mirror.ledger.facts.put(Facts.audit_pool.to((part, int(clashing.clock()))))
    report = audited(clashing, everything=False, pages=0)
    assert report.directories == 1
    assert report.found == {Kind.CLASH: 1, Kind.SIZE: 1, Kind.METADATA: 1}
    assert path_of("alpha", clashing).read_bytes() == SHARED.content()
    audited(clashing)
    audit(clashing)
