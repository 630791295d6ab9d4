"""How many projects may fail before the run stops, over all batches and exactly."""

from packaging.utils import NormalizedName

from pypi_mirror.fetching.failure_limit import FailureLimit
from pypi_mirror.ledger.results import Failed
from pypi_mirror.model import Action, PlannedProject


def failure(name: str) -> Failed:
    project = PlannedProject(
        project=NormalizedName(name), display_name=name, action=Action.SYNC, reason="test"
    )
    return Failed(planned=project, error="FileRefused", reason="no such thing")


class Scene:
    """A limit over a ledger of which ``in_ledger`` is the count, ``asked`` times, at ``now``."""

    def __init__(self, most: int | None, *, in_ledger: int = 0) -> None:
        self.in_ledger = in_ledger
        self.asked = 0
        self.now = 0.0
        self.limit = FailureLimit(most, self.count, option="max-failures = 2", clock=lambda: self.now)

    def count(self) -> int:
        self.asked += 1
        return self.in_ledger

    def fail(self, *names: str) -> str | None:
        for name in names:
            self.limit.failed(failure(name))
        return self.limit()

    def record(self, *names: str) -> None:
        self.in_ledger += len(names)
        self.limit.recorded([failure(name) for name in names])


def test_without_a_limit_nothing_stops_the_run_and_nobody_asks_the_ledger() -> None:
    scene = Scene(None)
    assert scene.fail(*"abcdefgh") is None
    scene.record(*"abcdefgh")
    scene.now = 100
    assert scene.limit() is None
    assert scene.asked == 0


def test_the_first_failure_is_too_much_for_stop_on_error() -> None:
    limit = FailureLimit(0, lambda: 0)
    assert limit() is None
    limit.failed(failure("bad"))
    assert limit() == "stop-on-error: bad failed: no such thing"


def test_as_many_as_are_tolerated_do_not_stop_it_and_one_more_does() -> None:
    scene = Scene(2)
    assert scene.fail("a", "b") is None
    assert scene.fail("c") == (
        "max-failures = 2: 3 projects of this run have failed, 2 are tolerated; nothing is published, "
        "what was downloaded is kept. The last one: c failed: no such thing"
    )


def test_a_failure_that_the_ledger_has_counts_once() -> None:
    scene = Scene(2)
    scene.fail("a", "b")
    scene.record("a", "b")
    assert scene.limit() is None
    assert scene.fail("c") is not None


def test_those_of_other_batches_count_within_seconds() -> None:
    scene = Scene(2)
    scene.fail("a")
    scene.in_ledger = 2
    assert scene.limit() is None
    scene.now = 3
    reason = scene.limit()
    assert reason is not None
    assert "3 projects of this run have failed" in reason


def test_the_ledger_is_not_asked_before_every_project() -> None:
    scene = Scene(2)
    for _ in range(1000):
        scene.now += 0.01
        scene.limit()
    assert scene.asked <= 5


def test_a_failure_that_nobody_saw_before_the_ledger_had_it_counts() -> None:
    """A page that could not be written."""
    limit = Scene(0)
    limit.record("bad")
    assert limit.limit() == "max-failures = 2: bad failed: no such thing"


def test_other_batches_alone_can_be_too_much() -> None:
    scene = Scene(2)
    scene.in_ledger, scene.now = 3, 3
    assert "in other batches" in (scene.limit() or "")


def test_a_batch_that_is_run_again_is_not_stopped_by_what_the_others_left() -> None:
    scene = Scene(2, in_ledger=10)
    scene.now = 3
    assert scene.limit() is None
    assert "11 projects of this run" in (scene.fail("a") or "")
