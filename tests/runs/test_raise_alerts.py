"""What a watch finds in a real ledger, and what people are notified of."""

import msgspec

from pypi_mirror.alerts.conditions import about_parked
from pypi_mirror.alerts.notification_state import IN_DELIVERY, Notification
from pypi_mirror.ledger.runs import Outcome, RunRequest
from pypi_mirror.model import RunState
from pypi_mirror.options.disk_reserve import DiskReserve
from pypi_mirror.runs.raise_alerts import (
    Event,
    known_parked,
    note_delivery,
    note_event,
    notification_state,
    observe,
    raise_alerts,
)
from pypi_mirror.settings.values import Alerts
from tests.runs.bench import Bench, MakeBench
from tests.warehouse import Fault, Upload, Wheel
from tests.warehouse.faults import Instead, Status

BROKEN = Fault(path="/simple/alpha/*", effect=Instead(body="{"), times=None)
CHANNELS = ("mail", "hook")


def compose(notification: Notification) -> str:
    return f"{notification.key} {notification.phase}"


def watch(on: Bench, *, failing: tuple[str, ...] = ()) -> list[str]:
    """A watch whose messages are delivered but by ``failing`` channels; what it sent where."""
    with on.open() as mirror:
        sent = []
        for message in raise_alerts(mirror, compose=compose, channels=CHANNELS):
            sent.append(f"{message.message} {'+'.join(message.channels)}")
            note_delivery(mirror, message, failed=[c for c in message.channels if c in failing])
        return sent


def test_people_are_notified_when_the_mirror_falls_behind_and_when_it_has_caught_up(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    assert watch(on) == []
    on.server.apply(Upload(distribution=Wheel(name="beta")))
    on.clock.advance(minutes=5)
    assert watch(on) == []
    on.clock.advance(days=2)
    assert watch(on) == ["stale started mail+hook"]
    assert watch(on) == []
    on.clock.advance(days=1)
    assert watch(on) == ["stale ongoing mail+hook"]
    on.sync()
    assert watch(on) == ["stale ended mail+hook"]


def test_a_failed_delivery_is_retried_by_the_channel_that_failed(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.change(disk_reserve=DiskReserve(percent=100))
    assert watch(on, failing=("hook",)) == ["disk-filling started mail+hook"]
    assert watch(on) == [], "its sender may still be at it"
    on.clock.advance(minutes=IN_DELIVERY / 60)
    assert watch(on, failing=("hook",)) == ["disk-filling started hook"]
    assert watch(on) == ["disk-filling started hook"]
    assert watch(on) == []


def test_a_failed_run_is_notified_by_the_watch_where_the_run_did_not(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    on.sync()
    assert watch(on) == []
    on.clock.advance(minutes=6)
    assert watch(on) == ["run-failed started mail+hook"]
    on.server.faults.clear()
    on.clock.advance(minutes=60)
    on.sync()
    assert watch(on) == ["run-failed ended mail+hook"]


def test_a_run_that_takes_too_long_is_notified_until_it_has_ended(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.change(alerts=Alerts(stale_after=0, run_deadline=2))
    with on.open() as mirror:
        run = mirror.ledger.runs.begin(RunRequest(label="a run"))
    assert watch(on) == []
    on.clock.advance(minutes=121)
    assert watch(on) == ["run-overdue started mail+hook"]
    assert watch(on) == []
    on.clock.advance(minutes=15)
    with on.open() as mirror:
        mirror.ledger.runs.finish(run.id, RunState.SUCCESS, Outcome())
    assert watch(on) == ["run-overdue ended mail+hook"]


def test_an_event_is_notified_once_whoever_sees_it(bench: MakeBench) -> None:
    event = Event(key="run-failed", about="run 1", title="alpha failed")
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    on.sync()
    with on.open() as mirror:
        message = note_event(mirror, event, message="words", channels=CHANNELS)
        assert message is not None
        assert [u.message for u in notification_state(mirror).pending] == ["words"]
        note_delivery(mirror, message, failed=())
        assert note_event(mirror, event, message="words", channels=CHANNELS) is None
    on.clock.advance(minutes=6)
    assert watch(on) == []


def test_a_parked_project_is_notified_once(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.server.faults.inject(BROKEN)
    for _ in range(10):
        on.clock.advance(days=1.1)
        on.sync()
    with on.open() as mirror:
        assert [(p.project, p.error) for p in observe(mirror).parked] == [("alpha", "CutOff")]
    on.change(alerts=Alerts(stale_after=0))
    assert "projects-parked started mail+hook" in watch(on)
    on.clock.advance(days=30)
    assert not [sent for sent in watch(on) if sent.startswith("projects-parked")]
    with on.open() as mirror:
        assert known_parked(mirror) == {about_parked("alpha", "CutOff")}


def test_an_unreachable_upstream_is_notified_and_no_error(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    on.sync()
    on.server.faults.inject(Fault(path="/*", effect=Status(code=503), times=None))
    assert watch(on) == []
    on.clock.advance(minutes=61)
    assert watch(on) == ["upstream-unreachable started mail+hook"]
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
        # What nobody was notified of is news to the first channel.
        assert len(raise_alerts(mirror, compose=compose, channels=("mail",))) == 1
        assert set(notification_state(mirror).notified) == {"disk-filling"}
        mirror.ledger.lease.renew("a run")


def test_a_key_of_another_program_version_ends_without_a_word(bench: MakeBench) -> None:
    on = bench(Upload(distribution=Wheel(name="alpha")))
    told = {"since": 0, "told_at": 0, "title": "x", "about": ["y"]}
    with on.open() as mirror:
        text = msgspec.json.encode({"told": {"of-another": told}}).decode()
        mirror.ledger.facts.table.put({"alerts": text})
        assert raise_alerts(mirror, compose=compose, channels=CHANNELS) == ()
        assert notification_state(mirror).notified == {}
