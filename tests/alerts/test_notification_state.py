"""What people are notified of, and how often."""

import msgspec
import pytest
from msgspec.structs import replace
from packaging.utils import NormalizedName

from pypi_mirror.alerts.conditions import Condition, Parked, projects_parked, run_failed
from pypi_mirror.alerts.notification_state import (
    IN_DELIVERY,
    MOST_PENDING,
    RETRIED_FOR,
    Notification,
    NotificationState,
    PendingMessage,
    Phase,
    deliverable,
    notifications_due,
    with_delivery,
    with_event,
    with_notified,
    with_pending,
)

DAY = 86_400
UNREACHABLE = Condition(key="upstream-unreachable", title="it does not answer", advice="Wait.")
ALPHA = Parked(project=NormalizedName("alpha"), error="StalePage", reason="it is old")
BETA = replace(ALPHA, project=NormalizedName("beta"))
MESSAGE = PendingMessage(id="1", message="{}", channels=("mail", "slack"), created_at=1000)


class Watching:
    """A state through a number of watches."""

    def __init__(self, repeat_after: int = DAY) -> None:
        self.state = NotificationState()
        self.repeat_after = repeat_after

    def __call__(self, now: int, *conditions: Condition) -> list[tuple[str, Phase]]:
        due = self.due(now, *conditions)
        self.state = with_notified(self.state, conditions, due, now=now)
        return [(notice.key, notice.phase) for notice in due]

    def due(self, now: int, *conditions: Condition) -> tuple[Notification, ...]:
        return notifications_due(self.state, conditions, now=now, repeat_after=self.repeat_after)


def test_people_are_notified_when_a_condition_starts_by_reminders_and_when_it_ends() -> None:
    watch = Watching()
    assert watch(0, UNREACHABLE) == [(UNREACHABLE.key, Phase.STARTED)]
    assert watch(900, UNREACHABLE) == []
    assert watch(DAY, UNREACHABLE) == [(UNREACHABLE.key, Phase.ONGOING)]
    assert watch(DAY + 900, UNREACHABLE) == []
    (ended,) = watch.due(2 * DAY - 1)
    assert (ended.phase, ended.since, ended.condition) == (Phase.ENDED, 0, None)
    assert watch(2 * DAY - 1) == [(UNREACHABLE.key, Phase.ENDED)]
    assert watch(2 * DAY) == []
    assert watch(3 * DAY, UNREACHABLE) == [(UNREACHABLE.key, Phase.STARTED)]


def test_it_is_not_repeated_where_once_is_enough() -> None:
    watch = Watching(repeat_after=0)
    assert watch(0, UNREACHABLE)
    assert watch(1000 * DAY, UNREACHABLE) == []


def test_another_failed_run_is_news_of_a_condition_as_old_as_it_is() -> None:
    watch = Watching()
    watch(0, run_failed(label="first", failed_at=0, reason="x"))
    (notice,) = watch.due(60, run_failed(label="second", failed_at=60, reason="x"))
    assert (notice.phase, notice.since) == (Phase.STARTED, 0)


def test_a_parked_project_is_notified_again_only_for_another_reason() -> None:
    watch = Watching()
    news = [("projects-parked", Phase.STARTED)]
    assert watch(0, projects_parked((ALPHA,))) == news
    assert watch(30 * DAY, projects_parked((ALPHA,))) == []
    assert watch(31 * DAY, projects_parked((ALPHA, BETA))) == news
    # Another sentence of the same class of error: serials and sizes in it change each time.
    assert watch(32 * DAY, projects_parked((replace(ALPHA, reason="older"), BETA))) == []
    assert watch(33 * DAY, projects_parked((replace(ALPHA, error="CutOff"), BETA))) == news
    assert watch(34 * DAY, projects_parked((BETA,))) == []
    # It was mended and has failed ten times since.
    assert watch(35 * DAY, projects_parked((ALPHA, BETA))) == news
    assert watch(36 * DAY) == [("projects-parked", Phase.ENDED)]


def test_what_a_run_reported_itself_is_not_notified_again() -> None:
    state = with_event(NotificationState(), "run-failed", about="a run", title="alpha failed", now=100)
    assert state is not None
    assert with_event(state, "run-failed", about="a run", title="again", now=200) is None
    watch = Watching()
    watch.state = state
    assert watch(200, run_failed(label="a run", failed_at=100, reason="x")) == []
    other = with_event(watch.state, "run-failed", about="the next", title="beta failed", now=300)
    assert other is not None
    assert other.notified["run-failed"].since == 100


@pytest.mark.parametrize(("notified_at", "stays"), [(999, False), (1000, True), (1002, True), (9999, False)])
def test_what_is_reported_during_the_observation_has_not_ended(notified_at: int, *, stays: bool) -> None:
    """A run that awaits approval reports it itself; the watch observed a moment before."""
    state = with_event(NotificationState(), "approval-needed", about="a plan", title="waits", now=notified_at)
    assert state is not None
    watch = Watching()
    watch.state = state
    assert watch(1000) == ([] if stays else [("approval-needed", Phase.ENDED)])
    assert ("approval-needed" in watch.state.notified) == stays
    assert watch(30_000) == ([("approval-needed", Phase.ENDED)] if stays else [])


def test_a_state_goes_through_json() -> None:
    state = with_pending(NotificationState(), [MESSAGE])
    told = with_event(state, "run-failed", about="a run", title="alpha failed", now=100)
    assert msgspec.json.decode(msgspec.json.encode(told), type=NotificationState) == told


def test_a_message_is_retried_by_the_channels_that_failed() -> None:
    state = with_pending(NotificationState(), [MESSAGE, msgspec.structs.replace(MESSAGE, id="2")])
    state = with_delivery(state, "1", failed=("slack",), now=1001)
    assert [u.channels for u in state.pending] == [("slack",), ("mail", "slack")]
    state = with_delivery(state, "2", failed=(), now=1001)
    assert [u.id for u in state.pending] == ["1"]
    assert with_delivery(state, "1", failed=("slack",), now=1000 + RETRIED_FOR).pending == ()


def test_a_message_in_delivery_is_left_to_its_sender() -> None:
    state = with_pending(NotificationState(), [MESSAGE])
    assert deliverable(state, now=1000 + IN_DELIVERY - 1) == ()
    assert deliverable(state, now=1000 + IN_DELIVERY) == (MESSAGE,)
    # A clock that was set back does not keep it for ever.
    assert deliverable(state, now=0) == (MESSAGE,)


@pytest.mark.parametrize("more", [0, 5])
def test_only_so_many_messages_are_pending(more: int) -> None:
    many = [msgspec.structs.replace(MESSAGE, id=str(number)) for number in range(MOST_PENDING + more)]
    assert [u.id for u in with_pending(NotificationState(), many).pending] == [u.id for u in many[more:]]
