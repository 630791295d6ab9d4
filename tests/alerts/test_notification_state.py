"""What is told, and how often."""

from dataclasses import replace

import msgspec
import pytest
from packaging.utils import NormalizedName

from pypi_mirror.alerts.conditions import Condition, Parked, ProjectsParked, RunFails, UpstreamSilent
from pypi_mirror.alerts.notification_state import (
    BEING_SENT,
    GIVE_UP_AFTER,
    MOST_UNSENT,
    AlertState,
    Notice,
    Phase,
    Unsent,
    after,
    delivered,
    due,
    enqueued,
    notices,
    tell_once,
)

DAY = 86_400
SILENT = UpstreamSilent(since=0, now=0, master="https://index.example", trouble="refused")
ALPHA = Parked(project=NormalizedName("alpha"), error="StalePage", reason="it is old")
BETA = replace(ALPHA, project=NormalizedName("beta"))
UNSENT = Unsent(id="1", message="{}", channels=("mail", "slack"), at=1000)


class Watching:
    """A state through a number of watches."""

    def __init__(self, repeat_after: int = DAY) -> None:
        self.state = AlertState()
        self.repeat_after = repeat_after

    def __call__(self, now: int, *conditions: Condition) -> list[tuple[str, Phase]]:
        given = self.notices(now, *conditions)
        self.state = after(self.state, conditions, given, now=now)
        return [(notice.key, notice.phase) for notice in given]

    def notices(self, now: int, *conditions: Condition) -> tuple[Notice, ...]:
        return notices(self.state, conditions, now=now, repeat_after=self.repeat_after)


def test_a_condition_is_told_once_again_after_a_time_and_once_when_it_ended() -> None:
    watch = Watching()
    assert watch(0, SILENT) == [(SILENT.key, Phase.BEGUN)]
    assert watch(900, SILENT) == []
    assert watch(DAY, SILENT) == [(SILENT.key, Phase.LASTS)]
    assert watch(DAY + 900, SILENT) == []
    (ended,) = watch.notices(2 * DAY - 1)
    assert (ended.phase, ended.since, ended.condition) == (Phase.ENDED, 0, None)
    assert watch(2 * DAY - 1) == [(SILENT.key, Phase.ENDED)]
    assert watch(2 * DAY) == []
    assert watch(3 * DAY, SILENT) == [(SILENT.key, Phase.BEGUN)]


def test_it_is_not_repeated_where_once_is_enough() -> None:
    watch = Watching(repeat_after=0)
    assert watch(0, SILENT)
    assert watch(1000 * DAY, SILENT) == []


def test_another_failed_run_is_news_and_the_trouble_as_old_as_it_is() -> None:
    watch = Watching()
    watch(0, RunFails(label="first", failed_at=0, reason="x"))
    (notice,) = watch.notices(60, RunFails(label="second", failed_at=60, reason="x"))
    assert (notice.phase, notice.since) == (Phase.BEGUN, 0)


def test_a_parked_project_is_told_again_only_for_another_reason() -> None:
    watch = Watching()
    news = [("projects-parked", Phase.BEGUN)]
    assert watch(0, ProjectsParked(projects=(ALPHA,))) == news
    assert watch(30 * DAY, ProjectsParked(projects=(ALPHA,))) == []
    assert watch(31 * DAY, ProjectsParked(projects=(ALPHA, BETA))) == news
    # Another sentence of the same class of error: serials and sizes in it change each time.
    assert watch(32 * DAY, ProjectsParked(projects=(replace(ALPHA, reason="older"), BETA))) == []
    assert watch(33 * DAY, ProjectsParked(projects=(replace(ALPHA, error="CutOff"), BETA))) == news
    assert watch(34 * DAY, ProjectsParked(projects=(BETA,))) == []
    # It was mended and has failed ten times since.
    assert watch(35 * DAY, ProjectsParked(projects=(ALPHA, BETA))) == news
    assert watch(36 * DAY) == [("projects-parked", Phase.ENDED)]


def test_what_somebody_told_who_saw_it_is_not_told_again() -> None:
    state = tell_once(AlertState(), "run-failed", about="a run", title="alpha failed", now=100)
    assert state is not None
    assert tell_once(state, "run-failed", about="a run", title="again", now=200) is None
    watch = Watching()
    watch.state = state
    assert watch(200, RunFails(label="a run", failed_at=100, reason="x")) == []
    other = tell_once(watch.state, "run-failed", about="the next", title="beta failed", now=300)
    assert other is not None
    assert other.told["run-failed"].since == 100


@pytest.mark.parametrize(("told_at", "stays"), [(999, False), (1000, True), (1002, True), (9999, False)])
def test_what_is_told_while_a_watch_looks_has_not_ended(told_at: int, *, stays: bool) -> None:
    """A run that begins to wait for approval tells of it itself; the watch looked a moment before."""
    state = tell_once(AlertState(), "approval-needed", about="a plan", title="waits", now=told_at)
    assert state is not None
    watch = Watching()
    watch.state = state
    assert watch(1000) == ([] if stays else [("approval-needed", Phase.ENDED)])
    assert ("approval-needed" in watch.state.told) == stays
    assert watch(30_000) == ([("approval-needed", Phase.ENDED)] if stays else [])


def test_a_state_goes_through_json() -> None:
    state = enqueued(AlertState(), [UNSENT])
    told = tell_once(state, "run-failed", about="a run", title="alpha failed", now=100)
    assert msgspec.json.decode(msgspec.json.encode(told), type=AlertState) == told


def test_a_message_waits_for_the_channels_that_failed() -> None:
    state = enqueued(AlertState(), [UNSENT, replace(UNSENT, id="2")])
    state = delivered(state, "1", still=("slack",), now=1001)
    assert [u.channels for u in state.unsent] == [("slack",), ("mail", "slack")]
    state = delivered(state, "2", still=(), now=1001)
    assert [u.id for u in state.unsent] == ["1"]
    assert delivered(state, "1", still=("slack",), now=1000 + GIVE_UP_AFTER).unsent == ()


def test_a_message_that_somebody_is_sending_is_left_to_them() -> None:
    state = enqueued(AlertState(), [UNSENT])
    assert due(state, now=1000 + BEING_SENT - 1) == ()
    assert due(state, now=1000 + BEING_SENT) == (UNSENT,)
    # A clock that was set back does not keep it for ever.
    assert due(state, now=0) == (UNSENT,)


@pytest.mark.parametrize("more", [0, 5])
def test_only_so_many_messages_wait(more: int) -> None:
    many = [replace(UNSENT, id=str(number)) for number in range(MOST_UNSENT + more)]
    assert [u.id for u in enqueued(AlertState(), many).unsent] == [u.id for u in many[more:]]
