"""Sums that took long are not added up again at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from pypi_mirror.observing.remembered import Remembered

ONE, OTHER = "one.sqlite", "other.sqlite"


class Asked:
    """A sum that takes ``seconds``; counts how often it was added up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.times = 0
        self.remembered = Remembered(lambda: self.now)

    def add_up(self) -> int:
        self.times += 1
        self.now += self.seconds
        return self.times

    def __call__(self, *about: Any, whose: str = ONE) -> int:
        return self.remembered(whose, "sum", self.add_up, *about)


def test_what_is_fast_is_asked_each_time() -> None:
    asked = Asked(0.01)
    assert [asked(), asked()] == [1, 2]


def test_what_is_slow_is_remembered_for_ten_times_as_long() -> None:
    asked = Asked(0.5)
    assert asked() == 1
    asked.now += 4.9
    assert asked() == 1
    asked.now += 0.2
    assert asked() == 2


def test_another_ledger_and_another_run_are_other_questions() -> None:
    asked = Asked(0.5)
    assert [asked(1), asked(2), asked(1, whose=OTHER), asked(1)] == [1, 2, 3, 1]


def test_it_does_not_grow_with_the_runs() -> None:
    asked = Asked(0.5)
    for run in range(500):
        asked(run)
    assert len(asked.remembered._kept) < 100
    assert len(asked.remembered._locks) == 1


def test_of_two_that_ask_at_once_one_waits_for_the_other() -> None:
    asked, entered, go_on = Asked(0.5), Event(), Event()

    def slow() -> int:
        entered.set()
        assert go_on.wait(30)
        return asked.add_up()

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(asked.remembered, ONE, "sum", slow)
        assert entered.wait(30)
        second = pool.submit(asked.remembered, ONE, "sum", asked.add_up)
        go_on.set()
        assert (first.result(30), second.result(30)) == (1, 1)
    assert asked.times == 1
