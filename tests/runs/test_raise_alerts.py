"""What a watch finds in a real ledger, and what is told of it."""

import msgspec

from pypi_mirror.alerts.conditions import about_parked
from pypi_mirror.alerts.notification_state import BEING_SENT, Notice
from pypi_mirror.runs.raise_alerts import (
    FACT,
    Happened,
    alert_state,
    known_parked,
    raise_alerts,
    sent,
    sight_of,
    tell,
)
from pypi_mirror.settings.values import Alerts, DiskReserve
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Fault, Upload, Wheel
from tests.warehouse.faults import Instead, Status

BROKEN = Fault(path="/simple/alpha/*", effect=Instead(body="{"), times=None)
CHANNELS = ("mail", "hook")


def compose(notice: Notice) -> str:
    return f"{notice.key} {notice.phase}"


def watch(on: Bench, *, failing: tuple[str, ...] = ()) -> list[str]:
    """A watch whose messages all get out but by ``failing`` channels; what it tried to send, and where to."""
    with on.open() as mirror:
        told = []
        for unsent in raise_alerts(mirror, compose=compose, channels=CHANNELS):
            told.append(f"{unsent.message} {'+'.join(unsent.channels)}")
            sent(mirror, unsent, still=[c for c in unsent.channels if c in failing])
        return told


def test_a_mirror_that_falls_behind_is_told_and_told_again_when_it_caught_up(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    assert watch(on) == []
    on.server.apply(Upload(distribution=Wheel(name="beta")))
    on.clock.advance(minutes=5)
    assert watch(on) == []
    on.clock.advance(days=2)
    assert watch(on) == ["stale begun mail+hook"]
    assert watch(on) == []
    on.clock.advance(days=1)
    assert watch(on) == ["stale lasts mail+hook"]
    on.sync()
    assert watch(on) == ["stale ended mail+hook"]


def test_what_did_not_get_out_goes_where_it_did_not_get_to(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.change(disk_reserve=DiskReserve(percent=100))
    assert watch(on, failing=("hook",)) == ["disk-filling begun mail+hook"]
    assert watch(on) == [], "whoever put it there may still be sending it"
    on.clock.advance(minutes=BEING_SENT / 60)
    assert watch(on, failing=("hook",)) == ["disk-filling begun hook"]
    assert watch(on) == ["disk-filling begun hook"]
    assert watch(on) == []


def test_a_failed_run_is_told_by_the_watch_where_nobody_else_did(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    on.sync()
    assert watch(on) == []
    on.clock.advance(minutes=6)
    assert watch(on) == ["run-failed begun mail+hook"]
    on.server.faults.clear()
    on.clock.advance(minutes=60)
    on.sync()
    assert watch(on) == ["run-failed ended mail+hook"]


def test_what_happened_is_told_once_whoever_sees_it(bench: MakeBench) -> None:
    happened = Happened(key="run-failed", about="run 1", title="alpha failed")
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    on.sync()
    with on.open() as mirror:
        unsent = tell(mirror, happened, message="words", channels=CHANNELS)
        assert unsent is not None
        assert [u.message for u in alert_state(mirror).unsent] == ["words"]
        sent(mirror, unsent, still=())
        assert tell(mirror, happened, message="words", channels=CHANNELS) is None
    on.clock.advance(minutes=6)
    assert watch(on) == []


def test_a_project_that_is_parked_is_told_once(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    for _ in range(10):
        on.clock.advance(days=1.1)
        on.sync()
    with on.open() as mirror:
        assert [(p.project, p.error) for p in sight_of(mirror).parked] == [("alpha", "CutOff")]
    on.change(alerts=Alerts(stale_after=0))
    assert "projects-parked begun mail+hook" in watch(on)
    on.clock.advance(days=30)
    assert not [told for told in watch(on) if told.startswith("projects-parked")]
    with on.open() as mirror:
        assert known_parked(mirror) == {about_parked("alpha", "CutOff")}


def test_an_upstream_that_stays_away_is_told_and_no_error(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.server.faults.inject(Fault(path="/*", effect=Status(code=503), times=None))
    assert watch(on) == []
    on.clock.advance(minutes=61)
    assert watch(on) == ["upstream-unreachable begun mail+hook"]
    on.server.faults.clear()
    on.clock.advance(minutes=1)
    assert watch(on) == ["upstream-unreachable ended mail+hook"]


def test_a_watch_takes_no_lease_and_no_channel_means_no_message(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.change(disk_reserve=DiskReserve(percent=100))
    with on.open() as mirror:
        mirror.ledger.lease.take("a run")
        assert raise_alerts(mirror, compose=compose, channels=()) == ()
        # What nobody was told of is news to the first channel that there is.
        assert len(raise_alerts(mirror, compose=compose, channels=("mail",))) == 1
        assert set(alert_state(mirror).told) == {"disk-filling"}
        mirror.ledger.lease.renew("a run")


def test_a_key_of_another_program_version_ends_without_a_word(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    told = {"since": 0, "told_at": 0, "title": "x", "about": ["y"]}
    with on.open() as mirror:
        mirror.ledger.facts.put({FACT: msgspec.json.encode({"told": {"of-another": told}}).decode()})
        assert raise_alerts(mirror, compose=compose, channels=CHANNELS) == ()
        assert alert_state(mirror).told == {}
