"""The ledger against a model of it in plain Python, over any order of what can happen to projects.

Three projects and two files suffice: whatever goes wrong between two of them goes wrong here, and soon.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.projects import QUARANTINED, REMOVED, REMOVING
from pypi_mirror.ledger.results import Result
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.ledger.tables import metadata
from tests.ledger.samples import Hands, begin, failed, name, planned, pooled, removed, synced, unchanged

PROJECTS = ("a", "b-b", "bb")
FILES = ("1.whl", "2.tar.gz")


class Sync(NamedTuple):
    """Upstream gave a page. ``files`` holds each file's size: another size is another file."""

    project: str
    files: dict[str, int]
    status: str
    serial: int | None
    spelled: str


class Unchanged(NamedTuple):
    project: str
    serial: int | None
    spelled: str


class Remove(NamedTuple):
    project: str


class Fail(NamedTuple):
    project: str
    wanted: int | None


class Publish(NamedTuple):
    """The root index is written, and pages of removed projects go."""


class Sweep(NamedTuple):
    """Tombstones older than ``grace`` seconds go."""

    grace: int


Happening = Sync | Unchanged | Remove | Fail

_project = st.sampled_from(PROJECTS)
_serial = st.none() | st.integers(1, 3)
_spelled = st.sampled_from(("as it is", "As It Is"))
_happening: st.SearchStrategy[Happening] = st.one_of(
    st.builds(
        Sync,
        project=_project,
        files=st.dictionaries(st.sampled_from(FILES), st.sampled_from((7, 7, 8))),
        status=st.sampled_from(("active", "active", QUARANTINED)),
        serial=_serial,
        spelled=_spelled,
    ),
    st.builds(Unchanged, project=_project, serial=_serial, spelled=_spelled),
    st.builds(Remove, project=_project),
    st.builds(Fail, project=_project, wanted=_serial),
)
_step = st.one_of(
    st.lists(_happening, min_size=1, unique_by=lambda h: h.project),
    st.lists(_happening, min_size=2, unique_by=lambda h: h.project),
    st.just(Publish()),
    st.builds(Sweep, grace=st.integers(0, 2)),
)


@dataclass
class ModelProject:
    status: str
    spelled: str
    serial: int | None
    seen: int | None
    held: dict[str, int] = field(default_factory=dict)
    tombstones: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size and time of removal."""


@dataclass
class Model:
    projects: dict[str, ModelProject] = field(default_factory=dict)
    backlog: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """Attempts and the serial waited for."""
    unpublished: bool = False

    def present(self, project: str) -> bool:
        return project in self.projects and self.projects[project].status not in (REMOVING, REMOVED)

    def index(self) -> dict[str, tuple[str, int | None]]:
        return {
            n: (p.spelled, p.serial)
            for n, p in self.projects.items()
            if p.status not in (REMOVING, REMOVED, QUARANTINED)
        }

    def record(self, group: Sequence[Happening], now: int) -> None:
        before = self.index()
        for happening in group:
            match happening:
                case Sync(project, held, status, serial, spelled):
                    self._sync(project, held, status, serial, spelled, now)
                case Unchanged(project, serial, spelled):
                    row = self.projects[project]
                    row.serial, row.spelled = row.serial if serial is None else serial, spelled
                    row.seen = _max(row.seen, serial)
                    self._settle(project, row.serial)
                case Remove(project):
                    self._remove(project, now)
                    self.backlog.pop(project, None)
                case Fail(project, wanted):
                    attempts, waited_for = self.backlog.get(project, (0, None))
                    self.backlog[project] = (attempts + 1, _max(waited_for, wanted))
        if self.index() != before:
            self.unpublished = True

    def _sync(
        self, project: str, held: dict[str, int], status: str, serial: int | None, spelled: str, now: int
    ) -> None:
        row = self.projects.setdefault(project, ModelProject(status, spelled, None, None))
        row.status, row.spelled = status, spelled
        row.serial = row.serial if serial is None else serial
        row.seen = _max(row.seen, serial)
        for gone in row.held.keys() - held.keys():
            row.tombstones[gone] = (row.held[gone], now)
        for back in held:
            row.tombstones.pop(back, None)
        row.held = dict(held)
        self._settle(project, row.serial)

    def _remove(self, project: str, now: int) -> None:
        if not self.present(project):
            return
        self.unpublished = True
        row = self.projects[project]
        row.tombstones |= {filename: (size, now) for filename, size in row.held.items()}
        row.status, row.held, row.serial, row.seen = REMOVING, {}, None, None

    def _settle(self, project: str, serial: int | None) -> None:
        _, wanted = self.backlog.get(project, (0, None))
        if wanted is None or (serial or 0) >= wanted:
            self.backlog.pop(project, None)

    def publish(self) -> None:
        self.unpublished = False
        for row in self.projects.values():
            if row.status == REMOVING:
                row.status = REMOVED
        self._forget_empty()

    def sweep(self, before: int) -> set[tuple[str, str]]:
        swept = set()
        for project, row in self.projects.items():
            for filename, (_, removed_at) in list(row.tombstones.items()):
                if removed_at < before:
                    del row.tombstones[filename]
                    swept.add((project, filename))
        self._forget_empty()
        return swept

    def _forget_empty(self) -> None:
        for project, row in list(self.projects.items()):
            if row.status == REMOVED and not row.tombstones:
                del self.projects[project]


def _max(*serials: int | None) -> int | None:
    return max((s for s in serials if s is not None), default=None)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(_step, min_size=6, max_size=16))
def test_the_ledger_is_what_the_model_is(
    ledger: Ledger, clock: Hands, steps: list[list[Happening] | Publish | Sweep]
) -> None:
    _wipe(ledger)
    _, results = begin(ledger, clock=clock)
    model = Model()
    for step in steps:
        clock.now += 1
        now = int(clock.now)
        match step:
            case Publish():
                names = ledger.projects.being_removed()
                assert set(names) == {n for n, p in model.projects.items() if p.status == REMOVING}
                ledger.projects.removed(names)
                ledger.facts.put(Facts.unpublished.to(None))
                model.publish()
            case Sweep(grace):
                _sweep(ledger, model, now - grace)
            case group:
                # Upstream says "not modified" only of what we hold.
                group = [h for h in group if not isinstance(h, Unchanged) or model.present(h.project)]
                results.record([_result(ledger, happening) for happening in group])
                model.record(group, now)
        _compare(ledger, model)


def _sweep(ledger: Ledger, model: Model, before: int) -> None:
    names = {row.id: str(row.project) for row in ledger.projects.all()}
    expected = model.sweep(before)
    swept = set()
    # One at a time: the rest has to be found again.
    while tombstones := ledger.projects.tombstones(before, 1):
        [(project_id, file)] = tombstones
        ledger.projects.forget_files([(project_id, file.filename)])
        swept.add((names[project_id], file.filename))
    assert swept == expected


def _result(ledger: Ledger, happening: Happening) -> Result:
    match happening:
        case Sync(project, held, status, serial, spelled):
            listed = [pooled(n, content=f"{n}{size}", size=size) for n, size in held.items()]
            return synced(
                ledger, planned(project, display_name=spelled), *listed, status=status, serial=serial
            )
        case Unchanged(project, serial, spelled):
            return unchanged(ledger, planned(project, display_name=spelled), serial=serial)
        case Remove(project):
            return removed(ledger, planned(project))
        case Fail(project, wanted):
            return failed(planned(project, serial=wanted, exact=wanted is not None))


def _compare(ledger: Ledger, model: Model) -> None:
    rows = list(ledger.projects.all())
    assert [row.project for row in rows] == sorted(model.projects)
    for row in rows:
        expected = model.projects[row.project]
        assert (row.status, row.display_name, row.serial, row.seen_serial, row.files, row.bytes) == (
            expected.status,
            expected.spelled,
            expected.serial,
            expected.seen,
            len(expected.held),
            sum(expected.held.values()),
        )
        found = ledger.projects.files_of([row.id])[row.id]
        assert {f.filename: f.size for f in found.values() if f.removed_at is None} == expected.held
        assert {
            f.filename: (f.size, f.removed_at) for f in found.values() if f.removed_at is not None
        } == expected.tombstones
    listed = [(entry.project, (entry.name, entry.serial)) for entry in ledger.projects.listed()]
    assert listed == sorted((name(n), shown) for n, shown in model.index().items())
    present = [p for n, p in model.projects.items() if model.present(n)]
    totals = ledger.projects.totals()
    assert (totals.projects, totals.files) == (len(present), sum(len(p.held) for p in present))
    assert {e.project: (e.attempts, e.serial if e.exact else None) for e in ledger.backlog.failed()} == (
        model.backlog
    )
    assert (ledger.facts.unpublished is not None) == model.unpublished


def _wipe(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
