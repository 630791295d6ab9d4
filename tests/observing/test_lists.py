"""Backlog, tombstones and waiting removals, a page at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from pypi_mirror.mirror import Mirror
from pypi_mirror.observing.overview import removals_waiting
from pypi_mirror.observing.paging import MOST, BadKey, page_of
from pypi_mirror.observing.projects import backlog_page
from pypi_mirror.observing.tombstones import Tombstone, tombstone_page
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.partition_projects import partition_projects
from pypi_mirror.settings.values import RemovalGuard
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Corrupt, Event, Fault, RemoveFile, RemoveProject, Upload, Wheel

NAMES = ("a", "b", "c", "d", "e")
UPLOADS: tuple[Event, ...] = tuple(Upload(distribution=Wheel(name=name)) for name in NAMES)


def test_a_page_ends_where_the_next_begins() -> None:
    rows = list(range(5))
    page = page_of(rows[:4], 3, show=str, key=str)
    assert (page.items, page.next) == (("0", "1", "2"), "2")
    page = page_of(rows[3:], 3, show=str, key=str)
    assert (page.items, page.next) == (("3", "4"), None)
    page = page_of(rows[:3], 3, show=str, key=str)
    assert (len(page.items), page.next) == (3, None)


def test_nobody_is_given_more_than_a_page() -> None:
    rows = list(range(MOST + 1))
    assert len(page_of(rows, 10**6, show=str, key=str).items) == MOST
    assert len(page_of(rows, -3, show=str, key=str).items) == 1


def test_the_backlog_with_reasons(bench: MakeBench) -> None:
    made = bench(*UPLOADS)
    made.server.inject(Fault(path="/packages/*", effect=Corrupt(), times=None))
    made.sync()
    failed_at = datetime.fromtimestamp(made.clock.now, UTC)
    with made.open() as mirror:
        first = backlog_page(mirror, limit=2)
        assert [each.project for each in first.items] == ["a", "b"]
        rest = backlog_page(mirror, first.next, limit=5)
        assert ([each.project for each in rest.items], rest.next) == (["c", "d", "e"], None)
        assert backlog_page(mirror, parked=True).items == ()
        assert len(backlog_page(mirror, parked=False).items) == 5
    entry = first.items[0]
    assert (entry.error, entry.attempts, entry.parked, entry.lagging) == ("DigestMismatch", 1, False, False)
    assert "sha256 is" in entry.reason
    assert entry.first_failed_at == entry.last_failed_at == failed_at
    assert entry.next_try_at == failed_at + timedelta(minutes=15)


def all_tombstones(mirror: Mirror, limit: int) -> list[Tombstone]:
    found: list[Tombstone] = []
    after = None
    while True:
        page = tombstone_page(mirror, after, limit)
        found += page.items
        after = page.next
        if after is None:
            return found


def removed_one_by_one(bench: MakeBench) -> Bench:
    made = bench(*UPLOADS, Upload(distribution=Wheel(name="a", version="2.0")), grace_days=3.0)
    made.sync()
    made.server.apply(RemoveProject(project="c"))
    made.sync()
    made.server.apply(RemoveFile(project="a", filename="a-1.0-py3-none-any.whl"), RemoveProject(project="b"))
    made.sync()
    return made


def test_tombstones_in_the_order_in_which_they_go(bench: MakeBench) -> None:
    made = removed_one_by_one(bench)
    removed_at = datetime.fromtimestamp(made.clock.now, UTC)
    with made.open() as mirror:
        pages = [all_tombstones(mirror, limit) for limit in (1, 2, 50)]
    assert pages[0] == pages[1] == pages[2]
    first, *others = pages[0]
    assert (first.project, first.filename) == ("c", "c-1.0-py3-none-any.whl")
    assert {each.project for each in others} == {"a", "b"}
    assert all((made.web / each.path).stat().st_size == each.size for each in pages[0])
    last = others[-1]
    assert (last.removed_at, last.deleted_at) == (removed_at, removed_at + timedelta(days=3))


def test_tombstones_that_nobody_deletes(bench: MakeBench) -> None:
    made = removed_one_by_one(bench)
    made.change(delete_packages=False)
    with made.open() as mirror:
        assert {each.deleted_at for each in tombstone_page(mirror).items} == {None}


@pytest.mark.parametrize("key", ["", "x", "1/2", "1/2/a/b", "-1/2/a", f"{'9' * 30}/1/a", "１/2/a"])
def test_a_key_that_is_none_of_ours_is_refused(bench: MakeBench, key: str) -> None:
    with bench().open() as mirror, pytest.raises(BadKey, match="use the `next` of the page before"):
        tombstone_page(mirror, key)


def test_what_a_waiting_plan_removes(bench: MakeBench) -> None:
    made = bench(*UPLOADS, guard=RemovalGuard(max_projects=0, always_allowed=0))
    report = made.sync()
    with made.open() as mirror:
        assert removals_waiting(mirror).items == ()
    made.server.apply(*(RemoveProject(project=name) for name in "abd"))
    with made.open() as mirror:
        run_id = fetch_changelog(mirror, made.request()).run_id
        partition_projects(mirror, run_id)
        first = removals_waiting(mirror, limit=2)
        rest = removals_waiting(mirror, first.next, limit=2)
    assert [each.project for each in first.items] == ["a", "b"]
    assert ([each.project for each in rest.items], rest.next) == (["d"], None)
    assert all((each.whole, each.files) == (True, 1) for each in first.items)
    assert sum(each.bytes for each in first.items + rest.items) == report.bytes * 3 // 5
    assert "remove project" in first.items[0].reason
