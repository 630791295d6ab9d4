"""Since when the mirror is behind: from the first event that it would have to follow, run or no run."""

from datetime import UTC, datetime, timedelta

import pytest

from pypi_mirror.changes.upstream_state import ask_upstream, lag_of, upstream_state
from pypi_mirror.errors import UpstreamError
from pypi_mirror.facts.values import UpstreamState
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import (
    SERIAL_LESS,
    STATIC,
    AddRole,
    Behaviour,
    Fault,
    Instead,
    Status,
    Upload,
    Wheel,
    Yank,
    small,
)

DOWN = Fault(path="/*", effect=Status(code=503), times=None)


def look(made: Bench) -> UpstreamState:
    with made.open() as mirror:
        return ask_upstream(mirror)


def lag(made: Bench) -> int | None:
    with made.open() as mirror:
        return lag_of(mirror)


def at(made: Bench, *, minutes: float = 0) -> datetime:
    """A moment so many minutes from the mirror's present."""
    return datetime.fromtimestamp(made.clock.now, UTC) + timedelta(minutes=minutes)


def upload(version: str, when: datetime, name: str = "alpha") -> Upload:
    return Upload(distribution=Wheel(name=name, version=version), at=when)


@pytest.fixture
def made(bench: MakeBench) -> Bench:
    """A mirror that has all of a small upstream, an hour after its sync."""
    found = bench(scenario=small())
    found.sync()
    found.clock.advance(minutes=60)
    found.server.requests.reset()
    return found


def test_before_the_first_sync_nothing_is_known(bench: MakeBench) -> None:
    made = bench(scenario=small())
    assert lag(made) is None
    assert look(made).serial == made.server.warehouse.serial
    assert lag(made) is None


def test_a_mirror_that_has_everything_is_not_behind(made: Bench) -> None:
    assert lag(made) == 0
    found = look(made)
    assert (found.serial, found.missed_serial) == (made.cursor, None)
    assert found.asked_at == made.clock.now
    assert made.server.requests.count("xmlrpc") == 1
    assert lag(made) == 0


def test_lag_counts_from_when_the_event_happened_upstream(made: Bench) -> None:
    made.server.apply(upload("2.0", at(made, minutes=-25)))
    found = look(made)
    assert found.missed_serial is not None
    assert found.missed_serial > (made.cursor or 0)
    assert lag(made) == 25 * 60
    made.clock.advance(minutes=5)
    assert lag(made) == 30 * 60
    made.sync()
    assert lag(made) == 0


def test_it_counts_from_the_first_of_several_events(made: Bench) -> None:
    made.server.apply(upload("2.0", at(made, minutes=-25)))
    look(made)
    made.clock.advance(minutes=10)
    made.server.apply(upload("3.0", at(made)))
    look(made)
    assert lag(made) == 35 * 60


def test_events_that_change_no_page_leave_an_idle_mirror_fresh(made: Bench) -> None:
    made.server.apply(AddRole(project="alpha", user="mallory", at=at(made, minutes=-30)))
    found = look(made)
    assert found.serial == made.server.warehouse.serial
    assert found.serial > (made.cursor or 0)
    assert lag(made) == 0


def test_so_do_events_of_projects_that_the_filters_leave_out(made: Bench) -> None:
    made.allow("alpha")
    made.sync()
    made.server.apply(Yank(project="Beta.Lib", version="1.0", at=at(made)))
    made.clock.advance(minutes=60)
    look(made)
    assert lag(made) == 0
    made.server.apply(Yank(project="alpha", version="1.0", at=at(made, minutes=-7)))
    look(made)
    assert lag(made) == 7 * 60


def test_each_event_is_read_once(made: Bench) -> None:
    made.server.apply(AddRole(project="alpha", user="mallory", at=at(made)))
    look(made)
    made.server.requests.reset()
    look(made)
    # Its newest serial is all that upstream is asked for.
    assert made.server.requests.count("xmlrpc") == 1
    made.server.apply(AddRole(project="alpha", user="trudy", at=at(made)))
    made.server.requests.reset()
    look(made)
    assert made.server.requests.count("xmlrpc") == 3


def test_a_clock_upstream_that_is_wrong_makes_no_lag_of_years(made: Bench) -> None:
    made.server.apply(upload("2.0", datetime(1999, 1, 1, tzinfo=UTC)))
    look(made)
    # Before the run that set the cursor asked upstream, the event cannot have been.
    assert lag(made) == 60 * 60
    made.sync()
    made.server.apply(upload("3.0", at(made, minutes=600)))
    look(made)
    assert lag(made) == 0
    made.clock.advance(minutes=1)
    assert lag(made) == 60


def test_other_filters_are_asked_anew(made: Bench) -> None:
    made.allow("old")
    made.sync()
    made.server.apply(upload("2.0", at(made)))
    made.clock.advance(minutes=10)
    look(made)
    assert lag(made) == 0
    made.allow("old", "alpha")
    look(made)
    assert lag(made) == 10 * 60


def test_an_upstream_that_is_silent_is_noted_from_the_first_time_on(made: Bench) -> None:
    began = made.clock.now
    made.server.inject(DOWN)
    first = look(made)
    assert (first.silent_since, first.serial) == (began, made.cursor)
    assert first.trouble is not None
    assert "503" in first.trouble
    made.clock.advance(minutes=30)
    assert look(made).silent_since == began
    made.server.faults.clear()
    found = look(made)
    assert (found.silent_since, found.trouble) == (None, None)


def test_lag_goes_on_while_upstream_is_silent(made: Bench) -> None:
    made.server.apply(upload("2.0", at(made, minutes=-5)))
    look(made)
    made.server.inject(DOWN)
    made.clock.advance(minutes=30)
    look(made)
    assert lag(made) == 35 * 60


def test_a_run_that_cannot_ask_upstream_notes_it_too(made: Bench) -> None:
    made.server.inject(DOWN)
    with pytest.raises(UpstreamError):
        made.sync()
    with made.open() as mirror:
        assert upstream_state(mirror).silent_since == made.clock.now
    made.server.faults.clear()
    made.sync()
    with made.open() as mirror:
        assert upstream_state(mirror).silent_since is None


def test_a_run_that_fails_later_leaves_what_it_heard(made: Bench) -> None:
    made.change(stop_on_error=True)
    made.server.apply(upload("2.0", at(made, minutes=-5)))
    made.server.inject(Fault(path="/simple/alpha/", effect=Status(code=403), times=None))
    with pytest.raises(Exception, match="alpha"):
        made.sync()
    # No watch has looked: 5 minutes before, and the one that Bench.sync lets pass.
    assert lag(made) == 6 * 60


def test_an_answer_that_is_none_is_trouble_and_no_error(made: Bench) -> None:
    no_answer = Instead(body="<methodResponse>", content_type="text/xml")
    made.server.inject(Fault(path="/pypi", effect=no_answer, times=2))
    assert look(made).trouble is None  # the root index says it as well
    made.server.inject(Fault(path="/simple/", effect=no_answer))
    assert look(made).trouble is not None


class TestWithoutAChangelog:
    @pytest.fixture
    def made(self, bench: MakeBench) -> Bench:
        found = bench(scenario=small(), behaviour=STATIC)
        found.allow("alpha", "beta-lib")
        found.sync()
        found.clock.advance(minutes=60)
        found.server.requests.reset()
        return found

    def test_the_root_index_says_what_changed(self, made: Bench) -> None:
        made.server.apply(upload("2.0", at(made, minutes=-5)))
        look(made)
        # It says no times: what counts is when it was first heard of.
        assert lag(made) == 0
        made.clock.advance(minutes=10)
        look(made)
        assert lag(made) == 10 * 60
        made.sync()
        assert lag(made) == 0

    def test_projects_that_the_filters_leave_out_do_not_count(self, made: Bench) -> None:
        made.server.apply(upload("2.0", at(made), name="old"))
        assert look(made).serial == made.server.warehouse.serial
        made.clock.advance(minutes=10)
        assert lag(made) == 0

    def test_an_index_that_did_not_change_is_not_sent_again(self, made: Bench) -> None:
        look(made)
        made.clock.advance(minutes=10)
        found = look(made)
        assert (found.asked_at, found.serial) == (made.clock.now, made.cursor)
        assert made.server.requests.of("index")[-1].status == 304

    def test_without_serials_nothing_can_be_told(self, bench: MakeBench) -> None:
        made = bench(scenario=small(), behaviour=SERIAL_LESS)
        made.sync()
        assert look(made).serial is None
        assert lag(made) is None


def test_more_events_than_are_worth_reading_count_as_behind(bench: MakeBench) -> None:
    made = bench(scenario=small(), behaviour=Behaviour(changelog_page=2))
    made.allow("alpha")
    made.sync()
    made.clock.advance(minutes=60)
    for number in range(45):
        made.server.apply(AddRole(project="old", user=f"user-{number}", at=at(made, minutes=-30)))
    look(made)
    assert lag(made) == 30 * 60
    assert made.server.requests.count("xmlrpc") >= 20
