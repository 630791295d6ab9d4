"""A clock that jumps ahead ends no grace period: what is deleted is over by upstream's clock, too."""

import pytest

from pypi_mirror.cli.sync import print_clock
from pypi_mirror.model import RunState
from pypi_mirror.publishing.grace import clock_warning, note_clock
from pypi_mirror.publishing.site import mirror_status
from pypi_mirror.runs.audit import AuditRequest
from pypi_mirror.runs.audit import audit as run_audit
from pypi_mirror.transport.answers import Lead
from tests.runs.audit import audit, compare
from tests.runs.bench import Bench, MakeBench, ManualClock
from tests.warehouse import Drop, Fault, RemoveFile, Status, Upload, Wheel

ONE = Wheel(name="alpha", version="1.0")
TWO = Wheel(name="alpha", version="2.0")
DAY = 24 * 3600


@pytest.fixture
def upstream() -> ManualClock:
    """Upstream's own clock."""
    return ManualClock()


@pytest.fixture
def removed(bench: MakeBench, upstream: ManualClock) -> Bench:
    """A mirror that holds a tombstone and an orphan, both quite new."""
    made = bench(Upload(distribution=ONE), Upload(distribution=TWO), Upload(distribution=Wheel(name="other")))
    made.sync()
    made.server.apply(RemoveFile(project="alpha", filename=TWO.file_name))
    made.sync()
    place = made.web / "packages/aa/bb" / ("c" * 60)
    place.mkdir(parents=True)
    (place / "nobody-1.0.tar.gz").write_bytes(b"x")
    audited(made)
    made.server.requests.reset()
    upstream.now = made.clock.now
    made.server.follow(upstream)
    return made


def audited(bench: Bench) -> int:
    """A whole audit; returns how many orphans it deleted."""
    bench.runs += 1
    with bench.open() as mirror:
        return run_audit(mirror, AuditRequest(label=f"audit {bench.runs}", everything=True)).swept


def remain(bench: Bench) -> bool:
    """Whether what is in its grace period is there: all of it, or nothing."""
    there = {bench.pooled(name) is not None for name in (TWO.file_name, "nobody-1.0.tar.gz")}
    assert len(there) == 1
    return there.pop()


def ahead(bench: Bench) -> int | None:
    with bench.open() as mirror:
        status = mirror_status(mirror)
        assert status.clock_ahead == mirror.ledger.facts.clock_ahead
        return status.clock_ahead


def test_a_jump_of_a_month_deletes_nothing(
    removed: Bench, upstream: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    removed.clock.advance(days=30)
    removed.sync()
    removed.selected("other")
    assert audited(removed) == 0
    assert remain(removed)
    assert round((ahead(removed) or 0) / DAY) == 30
    with removed.open() as mirror:
        print_clock(mirror)
    assert "30 days ahead of upstream's" in capsys.readouterr().err

    # The clock is set right, and the grace period ends where it would have.
    removed.clock.now = upstream.now
    removed.sync()
    assert ahead(removed) is None
    removed.clock.advance(days=6.9)
    upstream.now = removed.clock.now
    removed.sync()
    audited(removed)
    assert remain(removed)
    removed.clock.advance(days=0.2)
    upstream.now = removed.clock.now
    removed.sync()
    assert audited(removed) == 1
    assert not remain(removed)
    audit(removed)
    compare(removed)


def test_a_jump_between_asking_and_deleting_deletes_nothing(
    removed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step finds the clock right; by the fourth it is a month ahead."""
    from tests.runs import bench as module

    real = module.download_projects

    def download(*arguments: object) -> object:
        removed.clock.advance(days=30)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "download_projects", download)
    removed.server.apply(Upload(distribution=Wheel(name="new")))
    assert removed.sync().state is RunState.SUCCESS
    assert remain(removed)


def test_a_clock_that_is_always_ahead_deletes_that_much_later(removed: Bench, upstream: ManualClock) -> None:
    removed.clock.advance(days=1)
    removed.clock.advance(days=6.5)
    upstream.advance(days=6.5)
    removed.sync()
    audited(removed)
    assert remain(removed)
    removed.clock.advance(days=0.6)
    upstream.advance(days=0.6)
    removed.sync()
    assert audited(removed) == 1
    assert not remain(removed)


def test_clocks_that_nearly_agree_are_left_alone(removed: Bench, upstream: ManualClock) -> None:
    removed.clock.advance(days=7.1)
    upstream.now = removed.clock.now - 9 * 60
    removed.sync(clock_step=0.1)
    assert audited(removed) == 1
    assert not remain(removed)
    assert ahead(removed) is None


def test_a_clock_that_is_behind_deletes_later_and_is_no_trouble(
    removed: Bench, upstream: ManualClock
) -> None:
    removed.clock.advance(days=-400)
    upstream.advance(days=30)
    assert removed.sync().state is RunState.SUCCESS
    audited(removed)
    assert remain(removed)
    assert ahead(removed) is None


def test_upstream_is_asked_only_where_something_is_to_be_deleted(
    removed: Bench, upstream: ManualClock
) -> None:
    removed.sync()
    assert [each.path for each in removed.server.requests.of() if each.method == "HEAD"] == []
    removed.clock.advance(days=7.1)
    upstream.now = removed.clock.now
    removed.sync()
    removed.sync()
    assert [each.path for each in removed.server.requests.of() if each.method == "HEAD"] == ["/simple/"]


@pytest.mark.parametrize(
    ("effect", "kept"), [(Drop(), True), (Status(code=503), False), (Status(code=405), False)], ids=str
)
def test_an_answer_of_any_kind_tells_the_time_and_none_deletes_nothing(
    removed: Bench, upstream: ManualClock, effect: Drop | Status, kept: bool
) -> None:
    removed.clock.advance(days=7.1)
    upstream.now = removed.clock.now
    removed.server.inject(Fault(path="/simple/", method="HEAD", effect=effect, times=None))
    assert removed.sync().state is RunState.SUCCESS
    audited(removed)
    assert remain(removed) is kept


def test_events_are_kept_through_a_jump(removed: Bench) -> None:
    def events() -> int:
        with removed.open() as mirror:
            return len(list(mirror.ledger.events.between(0, 10**9)))

    known = events()
    assert known
    removed.clock.advance(days=400)
    removed.server.apply(Upload(distribution=Wheel(name="new")))
    removed.sync()
    assert events() > known


def test_an_upstream_without_dates_and_stale_caches_do_not_put_the_clock_in_the_wrong(removed: Bench) -> None:
    with removed.open() as mirror:
        note_clock(mirror, Lead(least=7200, most=7200))
        assert mirror.ledger.facts.clock_ahead == 7200
        note_clock(mirror, None)
        assert mirror.ledger.facts.clock_ahead == 7200, "nothing new is known"
        note_clock(mirror, Lead(least=30, most=7200))
        assert mirror.ledger.facts.clock_ahead is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (660, "11 minutes"),
        (3 * 3600 + 125, "3 hours 2 minutes"),
        (45 * DAY, "45 days"),
        (4000 * DAY, "4,000 days"),
    ],
)
def test_what_people_are_told(seconds: int, said: str) -> None:
    assert f"clock is {said} ahead of upstream's: set it" in clock_warning(seconds)
