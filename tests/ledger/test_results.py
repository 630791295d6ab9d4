"""What a group of results leaves in the ledger, told one by one; ``test_results_model`` mixes them."""

import multiprocessing
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import text

from pypi_mirror.catalogue import Entry, EntryState
from pypi_mirror.errors import LedgerError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.ledger.catalogue import Confirmed
from pypi_mirror.ledger.projects import REMOVED, REMOVING
from pypi_mirror.ledger.results import Failed, Results, upload_seconds
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.ledger.store import Ledger
from pypi_mirror.model import Loss, PlanState, Tally
from tests.ledger.samples import (
    Hands,
    begin,
    failed,
    known,
    name,
    planned,
    pooled,
    removed,
    synced,
    unchanged,
)


def files(ledger: Ledger, project: str) -> dict[str, int | None]:
    """Each file's ``removed_at``."""
    found = ledger.projects.files_of([known(ledger, project).id])
    return {f.filename: f.removed_at for by_name in found.values() for f in by_name.values()}


def published(ledger: Ledger) -> None:
    ledger.facts.put(Facts.unpublished.to(None))


def unpublished(ledger: Ledger) -> bool:
    return ledger.facts.unpublished is not None


def test_a_new_project(ledger: Ledger) -> None:
    _, results = begin(ledger, plan=[planned("a")])
    a = pooled("a-1.whl", metadata=True, provenance=True, size=30, upload_time="2024-05-01T12:00:00.5Z")
    results.record([synced(ledger, planned("a", display_name="A"), a, pooled("a-1.tar.gz"), serial=5)])
    row = known(ledger, "a")
    assert (row.display_name, row.serial, row.seen_serial, row.status) == ("A", 5, 5, "active")
    assert (row.files, row.bytes) == (2, 40)
    file = ledger.projects.files_of([row.id])[row.id]["a-1.whl"]
    assert file.sha256.hex() == a.sha256
    assert file.metadata_sha256 is not None
    assert file.metadata_sha256.hex() == a.metadata_sha256
    assert (file.size, file.provenance, file.removed_at) == (30, True, None)
    assert file.uploaded_at == 1_714_564_800
    assert unpublished(ledger)


def test_files_come_go_and_come_back(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    one, two = pooled("1.whl"), pooled("2.whl")
    results.record([synced(ledger, planned("a"), one, two)])
    clock.now += 10
    results.record([synced(ledger, planned("a"), two)])
    assert files(ledger, "a") == {"1.whl": clock.now, "2.whl": None}
    first_gone, clock.now = clock.now, clock.now + 10
    results.record([synced(ledger, planned("a"))])
    assert files(ledger, "a") == {"1.whl": first_gone, "2.whl": clock.now}
    results.record([synced(ledger, planned("a"), one)])
    assert files(ledger, "a") == {"1.whl": None, "2.whl": clock.now}


def test_a_file_that_changed(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), pooled("1.whl"))])
    for again in (
        pooled("1.whl", content="other"),
        pooled("1.whl", content="other", size=11),
        pooled("1.whl", content="other", size=11, metadata=True),
        pooled("1.whl", content="other", size=11, metadata=True, provenance=True),
        pooled("1.whl", size=12, upload_time="2024-05-01T12:00:00Z"),
    ):
        results.record([synced(ledger, planned("a"), again)])
        row = known(ledger, "a")
        file = ledger.projects.files_of([row.id])[row.id]["1.whl"]
        assert file.sha256.hex() == again.sha256
        assert file.size == again.size
        assert (file.metadata_sha256 is not None) == (again.metadata_sha256 is not None)
        assert file.provenance == again.has_provenance
        assert (file.uploaded_at is not None) == (again.remote.upload_time is not None)
    results.record([synced(ledger, planned("a"), again, location="elsewhere")])
    moved = ledger.projects.files_of([row.id])[row.id]["1.whl"]
    assert moved.location != file.location


def test_a_removed_project_and_its_end(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    a = synced(ledger, planned("a"), pooled("1.whl"), serial=3, **MADE)
    results.record([a, synced(ledger, planned("b"))])
    published(ledger)
    clock.now += 10
    results.record([removed(ledger, planned("a"))])
    row = known(ledger, "a")
    assert (row.status, row.present, row.serial, row.seen_serial) == (REMOVING, False, None, None)
    assert made(ledger, "a") == (None, None)
    assert (row.files, row.bytes) == (0, 0)
    assert files(ledger, "a") == {"1.whl": clock.now}
    assert unpublished(ledger)
    assert [entry.project for entry in ledger.projects.listed()] == ["b"]
    assert ledger.projects.being_removed() == ["a"]
    ledger.projects.removed([name("a"), name("b")])
    assert known(ledger, "a").status == REMOVED
    assert known(ledger, "b").status == "active", "only what was being removed is removed"
    assert ledger.projects.tombstones(int(clock.now), 10) == []
    [(project_id, file)] = ledger.projects.tombstones(int(clock.now) + 1, 10)
    assert (project_id, file.filename) == (row.id, "1.whl")
    ledger.projects.forget_files([(project_id, file.filename)])
    assert ledger.projects.known([name("a")]) == {}


def test_a_removed_project_comes_back(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    results.record([synced(ledger, planned("a"), pooled("1.whl"), pooled("2.whl"), serial=3)])
    before = known(ledger, "a").id
    results.record([removed(ledger, planned("a"))])
    ledger.projects.removed([name("a")])
    published(ledger)
    results.record([synced(ledger, planned("a"), pooled("2.whl"), serial=9)])
    row = known(ledger, "a")
    assert (row.id, row.status, row.serial) == (before, "active", 9)
    assert files(ledger, "a") == {"1.whl": clock.now, "2.whl": None}
    assert unpublished(ledger)


@pytest.mark.servers
def test_a_narrower_allowlist_removes_more_than_a_statement_takes(empty_postgres: str) -> None:
    """PostgreSQL takes 65,535 parameters."""
    with Ledger.open(empty_postgres, Hands()) as ledger:
        with ledger.engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO projects (name, display_name, status, selection, files, bytes, "
                    "dropped_files, dropped_bytes, synced_at) "
                    "SELECT 'p' || n, 'p', 'removing', '', 0, 0, 0, 0, 0 FROM generate_series(1, 66000) n"
                )
            )
        names = ledger.projects.being_removed()
        assert len(names) == 66_000
        ledger.projects.removed(names)
        assert list(ledger.projects.all()) == []


def test_an_unknown_project_that_is_gone_leaves_nothing(ledger: Ledger) -> None:
    _, results = begin(ledger, plan=[planned("a")])
    results.record([removed(ledger, planned("a"))])
    assert list(ledger.projects.all()) == []
    assert not unpublished(ledger)
    assert ledger.plan.unfinished(1) == 0


def test_an_unchanged_page_moves_serial_and_spelling(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a", serial=3), pooled("1.whl"), serial=3)])
    published(ledger)
    results.record([unchanged(ledger, planned("a", serial=8), serial=None)])
    assert (known(ledger, "a").serial, known(ledger, "a").seen_serial) == (3, 8)
    assert not unpublished(ledger)
    results.record([unchanged(ledger, planned("a", serial=8), serial=9)])
    assert (known(ledger, "a").serial, known(ledger, "a").seen_serial) == (9, 9)
    assert unpublished(ledger)
    published(ledger)
    results.record([unchanged(ledger, planned("a", display_name="A"), serial=9)])
    assert known(ledger, "a").display_name == "A"
    assert files(ledger, "a") == {"1.whl": None}
    assert unpublished(ledger)


MADE = {"made_entry": b"e" * 16, "made_decision": b"d" * 16}


def made(ledger: Ledger, project: str) -> tuple[bytes | None, bytes | None]:
    row = known(ledger, project)
    return row.made_entry, row.made_decision


def test_it_is_known_what_a_page_was_made_from(ledger: Ledger) -> None:
    """Until something of it could not be downloaded, or it is removed."""
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), pooled("1.whl"), serial=3, **MADE)])
    assert made(ledger, "a") == (b"e" * 16, b"d" * 16)
    results.record([unchanged(ledger, planned("a"), serial=4)])
    assert made(ledger, "a") == (b"e" * 16, b"d" * 16), "the page is the same"
    results.record([synced(ledger, planned("a"), serial=4)])
    assert made(ledger, "a") == (None, None), "it has to be made again"


def entry(ledger: Ledger, project: str) -> Entry:
    return ledger.catalogue.entries([name(project)])[name(project)]


PAGE = Entry(
    project=name("a"), state=EntryState.PAGE, serial=3, announced=3, checked_at=1, etag='"e"',
    digest=b"e" * 16, encoding=1, body=b"page",
)  # fmt: skip


def test_what_was_read_meanwhile_comes_into_the_catalogue(ledger: Ledger, clock: Hands) -> None:
    _, results = begin(ledger, clock=clock)
    results.record([synced(ledger, planned("a"), serial=3, entry=PAGE)])
    assert entry(ledger, "a") == PAGE
    confirmed = Confirmed(project=name("a"), serial=5, announced=6)
    results.record([replace(unchanged(ledger, planned("a"), serial=5), confirmed=confirmed)])
    assert entry(ledger, "a") == replace(PAGE, serial=5, announced=6, checked_at=int(clock.now))


def test_a_page_that_lost_something_since_waits_for_the_next_plan(ledger: Ledger, clock: Hands) -> None:
    """What upstream has now is kept, our page stays as it is, and the next run looks at it."""
    run, results = begin(ledger, plan=[planned("a", serial=5, exact=True)], clock=clock)
    results.record([synced(ledger, planned("a"), pooled("1.whl"), pooled("2.whl"), serial=3, **MADE)])
    published(ledger)
    later = replace(PAGE, serial=5, digest=b"5" * 16)
    waits = replace(
        unchanged(ledger, planned("a", serial=5, exact=True)),
        waits=Loss(project=False, files=2, bytes=20),
        entry=later,
        selection="all",
    )
    results.record([waits])
    assert files(ledger, "a") == {"1.whl": None, "2.whl": None}
    assert (known(ledger, "a").serial, made(ledger, "a")) == (3, (b"e" * 16, b"d" * 16))
    assert entry(ledger, "a") == later
    assert not unpublished(ledger)
    assert ledger.plan.unfinished(run.id) == 0
    assert ledger.backlog.failed() == [], "nothing went wrong"
    [waiting] = ledger.backlog.due()
    assert (waiting.project, waiting.serial, waiting.exact, waiting.lagging) == ("a", 5, True, True)
    assert (
        waiting.reason
        == "upstream's page lost 2 files after the plan was made; the next run decides about it"
    )
    gone = replace(waits, waits=Loss(project=True, files=2, bytes=20))
    results.record([gone])
    [waiting] = ledger.backlog.due()
    assert waiting.reason.startswith("upstream's page has gone, ours lists 2 files after the plan was made")
    results.record([synced(ledger, planned("a", serial=5, exact=True), serial=5)])
    assert ledger.backlog.all() == []


def test_a_quarantined_project_leaves_the_index_and_comes_back(ledger: Ledger) -> None:
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), pooled("1.whl"), serial=3)])
    published(ledger)
    results.record([synced(ledger, planned("a"), status="quarantined", serial=4)])
    assert unpublished(ledger)
    assert list(ledger.projects.listed()) == []
    published(ledger)
    results.record([synced(ledger, planned("a"), status="quarantined", serial=5)])
    assert not unpublished(ledger), "it was not in the index and is not"
    results.record([synced(ledger, planned("a"), pooled("1.whl"), serial=6)])
    assert unpublished(ledger)
    assert [entry.serial for entry in ledger.projects.listed()] == [6]


@pytest.mark.parametrize("status", [REMOVED, REMOVING, "x" * 100, "nul \0", ""])
def test_a_status_of_upstreams_own_making_is_active(ledger: Ledger, status: str) -> None:
    """Two of these are the ledger's own words, the others PostgreSQL would refuse with the whole group."""
    _, results = begin(ledger)
    results.record([synced(ledger, planned("a"), status=status)])
    assert known(ledger, "a").status == "active"


def test_a_group_is_recorded_whole_or_not_at_all(ledger: Ledger) -> None:
    run, results = begin(ledger, plan=[planned("a"), planned("b"), planned("c")])
    good, bad = synced(ledger, planned("a"), pooled("1.whl")), synced(ledger, planned("b"), pooled("1.whl"))
    # A size beyond 64 bits is what no database takes.
    broken = synced(ledger, planned("c"), pooled("1.whl", size=2**70))
    with pytest.raises(LedgerError):
        results.record([good, failed(planned("b")), broken])
    assert list(ledger.projects.all()) == []
    assert ledger.backlog.failed() == []
    assert not unpublished(ledger)
    assert ledger.plan.unfinished(run.id) == 3
    results.record([good, bad])
    assert ledger.plan.unfinished(run.id) == 1


def test_the_plan_says_what_became_of_each(ledger: Ledger) -> None:
    run, results = begin(ledger, plan=[planned(n) for n in "abcd"])
    tally = Tally(
        projects_done=1,
        files_downloaded=2,
        bytes_downloaded=30,
        files_kept=4,
        files_dropped=5,
        bytes_dropped=6,
    )
    results.record([synced(ledger, planned("a"), tally=tally), synced(ledger, planned("b"))])
    results.record([failed(planned("c")), removed(ledger, planned("b"))])
    assert [p.project for p in ledger.plan.projects(run.id, PlanState.PENDING)] == ["d"]
    assert ledger.plan.failed(run.id) == ["c"]
    assert ledger.plan.outcome(run.id, 0) == Tally(
        projects_done=2, projects_failed=1, projects_removed=1, files_downloaded=2, bytes_downloaded=30,
        files_kept=4, files_dropped=5, bytes_dropped=6,
    )  # fmt: skip


def test_results_of_one_run_leave_another_plan_alone(ledger: Ledger) -> None:
    first, _ = begin(ledger, "first", [planned("a")])
    ledger.lease.release("first")
    second, results = begin(ledger, "second", [planned("a")])
    results.record([synced(ledger, planned("a"))])
    assert ledger.plan.unfinished(first.id) == 1
    assert ledger.plan.unfinished(second.id) == 0


_WRITERS = 3
_GROUPS = 15


def _record_groups(url: str, run_id: int, writer: int) -> None:
    """One batch of a run: groups, renewals and progress, as fast as they go."""
    clock = Hands()
    with Ledger.open(url, clock) as ledger:
        results = Results(ledger.engine, clock, run_id)
        for group in range(_GROUPS):
            plans = [planned(f"w{writer}-g{group}-{n}") for n in range(5)]
            results.record(
                [
                    *(synced(ledger, p, pooled("1.whl"), pooled("2.whl")) for p in plans[:-1]),
                    Failed(planned=plans[-1], error="E", reason="it broke"),
                ]
            )
            ledger.lease.renew("many")
            ledger.facts.table.put({f"writer {writer}": str(group)})
            ledger.plan.progress(run_id)


def _write_plans(url: str, run_id: int) -> None:
    with Ledger.open(url, Hands()) as ledger:
        other = ledger.runs.labelled("other")
        assert other is not None
        for _ in range(_GROUPS):
            ledger.plan.write(other.id, (planned(f"p{n}") for n in range(300)), _sevenths)


def _sevenths(_new_bytes: Iterable[int], /, *, sizes: Iterable[tuple[int, int]]) -> list[int]:
    return [n % 7 for n in range(sum(projects for _, projects in sizes))]


@pytest.mark.slow
def test_processes_that_write_at_once(url: str, clock: Hands) -> None:
    with Ledger.open(url, clock) as ledger:
        other = ledger.runs.begin(RunRequest(label="other"))
        plan = [planned(f"w{w}-g{g}-{n}") for w in range(_WRITERS) for g in range(_GROUPS) for n in range(5)]
        run, _ = begin(ledger, "many", plan)
        with ProcessPoolExecutor(_WRITERS + 1, multiprocessing.get_context("spawn")) as pool:
            writers = [pool.submit(_record_groups, url, run.id, writer) for writer in range(_WRITERS)]
            writers.append(pool.submit(_write_plans, url, run.id))
            for writer in writers:
                writer.result(120)
        assert ledger.plan.unfinished(run.id) == 0
        assert ledger.plan.unfinished(other.id) == 300
        assert ledger.projects.totals().projects == _WRITERS * _GROUPS * 4
        assert ledger.projects.totals().files == _WRITERS * _GROUPS * 8
        assert ledger.backlog.count() == _WRITERS * _GROUPS


@pytest.mark.parametrize(
    ("upload_time", "seconds"),
    [
        ("1970-01-01T00:00:01Z", 1),
        ("2024-05-01T12:00:00.123456Z", 1_714_564_800),
        ("2024-05-01T14:00:00+02:00", 1_714_564_800),
        ("2024-05-01T12:00:00", 1_714_564_800),
        ("yesterday", None),
        ("now", None),
        ("", None),
        (None, None),
    ],
)
def test_upload_times(upload_time: str | None, seconds: int | None) -> None:
    assert upload_seconds(upload_time) == seconds


@given(st.text() | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()))
def test_any_upload_time_is_a_time_or_none(upload_time: str) -> None:
    assert upload_seconds(upload_time) is None or -(2**63) < (upload_seconds(upload_time) or 0) < 2**63


def test_the_reason_of_a_failure_is_plain_text_whoever_worded_it() -> None:
    """A system names files as upstream did, and libraries quote what they read."""
    failed = Failed(planned=planned("a"), error="OSError", reason="x\x1b[2J\u202e <!channel>\nsecond")
    assert failed.reason == "x [2J \u2039!channel> second"
