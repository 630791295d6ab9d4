"""Damage planted in the tree and in the ledger: the audit has to find each piece of it, and to mend it all.

A round damages many projects at once, each in one way. A dry run over each of them must name the damage; then
one audit repairs all, and two judges that know nothing of the audit look.
"""

import gzip
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName
from sqlalchemy import text

from pypi_mirror.audit.findings import AuditReport, Kind
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, make_bench
from tests.torture.campaign import Campaign, Outcome, Wrong
from tests.torture.truth import check_tree
from tests.warehouse import Upload, Wheel
from tests.warehouse.events import BackfillProvenance

_PROJECTS = 40

Plant = Callable[["_Target"], object]


class _Target:
    """One project of the mirror and its one file."""

    def __init__(self, bench: Bench, name: str, chance: random.Random) -> None:
        self._bench = bench
        self.name = name
        self._chance = chance
        found = bench.pooled(f"{name.replace('-', '_')}-1.0-py3-none-any.whl")
        if found is None:
            raise RuntimeError(f"{name} has no file to damage")
        self.file = found
        self.page = bench.page_directory(name)

    def beside(self, suffix: str) -> Path:
        return self.file.with_name(self.file.name + suffix)

    def flip(self, path: Path) -> None:
        """One bit of the file is another; its size stays."""
        content = bytearray(path.read_bytes())
        content[self._chance.randrange(len(content))] ^= 1 << self._chance.randrange(8)
        path.write_bytes(content)

    def cut(self, path: Path) -> None:
        os.truncate(path, self._chance.randrange(path.stat().st_size))

    def grow(self, path: Path) -> None:
        path.write_bytes(path.read_bytes() + b"x" * self._chance.randint(1, 99))

    def row(self, column: str, value: str) -> None:
        self._execute(f"UPDATE files SET {column} = {value} WHERE project_id = {self._id}")

    def project(self, column: str, value: str) -> None:
        self._execute(f"UPDATE projects SET {column} = {value} WHERE name = '{self.name}'")

    def forget_row(self) -> None:
        self._execute(f"DELETE FROM files WHERE project_id = {self._id}")

    @property
    def _id(self) -> str:
        return f"(SELECT id FROM projects WHERE name = '{self.name}')"

    def _execute(self, statement: str) -> None:
        with self._bench.open() as mirror, mirror.ledger.engine.begin() as connection:
            if connection.execute(text(statement)).rowcount != 1:
                raise RuntimeError(f"nothing was damaged by {statement}")


def _garbled_twin(target: _Target) -> None:
    target.page.joinpath("index.html.gz").write_bytes(gzip.compress(b"older"))


_HTML, _JSON = "index.html", "index.v1_json"
_TREE: dict[str, tuple[Plant, tuple[Kind, ...]]] = {
    "missing file": (lambda t: t.file.unlink(), (Kind.MISSING,)),
    "short file": (lambda t: t.cut(t.file), (Kind.SIZE,)),
    "long file": (lambda t: t.grow(t.file), (Kind.SIZE,)),
    "corrupt file": (lambda t: t.flip(t.file), (Kind.CORRUPT,)),
    "missing metadata": (lambda t: t.beside(".metadata").unlink(), (Kind.METADATA,)),
    "corrupt metadata": (lambda t: t.flip(t.beside(".metadata")), (Kind.METADATA,)),
    "short metadata": (lambda t: t.cut(t.beside(".metadata")), (Kind.METADATA,)),
    "missing provenance": (lambda t: t.beside(".provenance").unlink(), (Kind.PROVENANCE,)),
    "corrupt provenance": (lambda t: t.flip(t.beside(".provenance")), (Kind.PROVENANCE,)),
    "missing JSON page": (lambda t: (t.page / _JSON).unlink(), (Kind.PAGE,)),
    "corrupt JSON page": (lambda t: t.flip(t.page / _JSON), (Kind.PAGE,)),
    "short JSON page": (lambda t: t.cut(t.page / _JSON), (Kind.PAGE,)),
    "missing HTML page": (lambda t: (t.page / _HTML).unlink(), (Kind.PAGE,)),
    "corrupt HTML page": (lambda t: t.flip(t.page / _HTML), (Kind.PAGE,)),
    "missing twin": (lambda t: (t.page / f"{_JSON}.gz").unlink(), (Kind.TWIN,)),
    "old twin": (_garbled_twin, (Kind.TWIN,)),
    "leftover beside a page": (lambda t: (t.page / ".tmp-1-2").write_bytes(b"x"), (Kind.LEFTOVER,)),
}
_LEDGER: dict[str, tuple[Plant, tuple[Kind, ...]]] = {
    "row: digest": (lambda t: t.row("sha256", "zeroblob(32)"), (Kind.ROW, Kind.CORRUPT)),
    "row: size": (lambda t: t.row("size", "size + 1"), (Kind.ROW, Kind.SIZE)),
    "row: place": (lambda t: t.row("location", "zeroblob(32)"), (Kind.ROW, Kind.MISSING)),
    "row: metadata": (lambda t: t.row("metadata_sha256", "zeroblob(32)"), (Kind.ROW, Kind.METADATA)),
    "row: no metadata": (lambda t: t.row("metadata_sha256", "NULL"), (Kind.ROW,)),
    "row: no provenance": (lambda t: t.row("provenance", "0"), (Kind.ROW,)),
    "row: removed": (lambda t: t.row("removed_at", "1"), (Kind.ROW,)),
    "row: lost": (lambda t: t.forget_row(), (Kind.ROW,)),
    "project: bytes": (lambda t: t.project("bytes", "bytes + 1"), (Kind.ROW,)),
    "project: files": (lambda t: t.project("files", "9"), (Kind.ROW,)),
    "project: serial": (lambda t: t.project("serial", "0"), (Kind.ROW,)),
    "project: status": (lambda t: t.project("status", "'archived'"), (Kind.ROW,)),
    "project: page's digest": (lambda t: t.project("page_digest", "zeroblob(32)"), (Kind.PAGE,)),
}
_WAYS = {**_TREE, **_LEDGER}


def run(directory: Path, goal: int, chance: random.Random) -> Outcome:
    names = [f"project-{number:03}" for number in range(_PROJECTS)]
    events: list[Any] = []
    for name in names:
        wheel = Wheel(name=name, size=chance.randrange(500, 30_000))
        events += (
            Upload(distribution=wheel), BackfillProvenance(project=name, filename=wheel.file_name)
        )  # fmt: skip
    wrong: list[Wrong] = []
    planted: Counter[str] = Counter()
    with make_bench(directory / "mirror", *events, exclude=None) as bench:
        bench.sync()
        while planted.total() < goal and len(wrong) < _PROJECTS:
            number = min(_PROJECTS, goal - planted.total())
            ways = {name: chance.choice(list(_WAYS)) for name in chance.sample(names, number)}
            wrong += _round(bench, ways, chance)
            planted += Counter(ways.values())
    return Outcome(
        done=planted.total(),
        wrong=tuple(wrong),
        notes=(f"{len(planted)} of {len(_WAYS)} kinds of damage; {_in_ledger(planted)} in the ledger",),
    )


def _in_ledger(planted: Counter[str]) -> int:
    return sum(number for way, number in planted.items() if way in _LEDGER)


def _round(bench: Bench, ways: dict[str, str], chance: random.Random) -> Iterator[Wrong]:
    for name, way in ways.items():
        _WAYS[way][0](_Target(bench, name, chance))
    for name, way in ways.items():
        report = _audited(bench, dry_run=True, projects=(NormalizedName(name),))
        if not set(report.found) & set(_WAYS[way][1]):
            yield Wrong(kind="not found", detail=f"{way} of {name}: found {dict(report.found)}")
    report = _audited(bench, everything=True)
    if not report.is_clean:
        yield Wrong(kind="not repaired", detail=f"{report.unrepaired}, {report.failures}")
    for each in check_tree(bench.web, bench.server.warehouse, ()):
        yield Wrong(kind="not repaired", detail=each.detail)
    try:
        audit(bench)
        compare(bench)
    except (AssertionError, OSError) as error:
        yield Wrong(kind="not repaired", detail=f"{error} after {sorted(set(ways.values()))}")


def _audited(bench: Bench, **request: Any) -> AuditReport:
    bench.clock.advance(minutes=1)
    bench.runs += 1
    with bench.open() as mirror:
        return run_audit(mirror, AuditRequest(label=f"audit {bench.runs}", **request))


CAMPAIGN = Campaign(
    name="planted-damage",
    what="corruption planted in tree and ledger",
    wrong="not found, not repaired",
    at_least=500,
    unit="damages",
    run=run,
)
