"""Interrupted is raised once: whatever it unwinds is brought to its end, however many signals follow."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pypi_mirror.cli.interruption import Interrupted, handled_signals, interruptible

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def hit() -> None:
    """Every signal there is, each twice."""
    for number in (*ENDING, *ENDING):
        os.kill(os.getpid(), number)
        time.sleep(0)


async def _clean_up(steps: list[str]) -> None:
    hit()
    for _ in range(3):
        await asyncio.sleep(0.001)
    steps.append("cleaned up")


async def _tasks(steps: list[str]) -> None:
    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await _clean_up(steps)

    try:
        # No TaskGroup: with its parent it would cancel tasks a second time, in the middle of their cleaning.
        tasks = [asyncio.create_task(wait()) for _ in range(2)]
        await asyncio.sleep(0.001)
        hit()
        await asyncio.sleep(60)
        assert tasks
    finally:
        await _clean_up(steps)


def in_a_loop(steps: list[str]) -> None:
    asyncio.run(_tasks(steps))


def in_a_finally(steps: list[str]) -> None:
    try:
        hit()
        time.sleep(60)
    finally:
        hit()
        steps.append("cleaned up")


def in_the_end_of_a_with(steps: list[str]) -> None:
    @contextmanager
    def resource() -> Iterator[None]:
        try:
            yield
        finally:
            hit()
            steps.append("cleaned up")

    with resource():
        hit()
        time.sleep(60)


def in_a_loop_that_cleans_up(steps: list[str]) -> None:
    try:
        hit()
        time.sleep(60)
    finally:
        asyncio.run(_clean_up(steps))


@pytest.mark.parametrize(
    ("verb", "ends"),
    [(in_a_loop, 3), (in_a_finally, 1), (in_the_end_of_a_with, 1), (in_a_loop_that_cleans_up, 1)],
)
def test_what_a_signal_ends_is_ended_whole_whatever_comes_after_it(
    verb: Callable[[list[str]], None], ends: int
) -> None:
    steps: list[str] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        with pytest.raises(Interrupted) as raised, handled_signals(), interruptible():
            verb(steps)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (steps, raised.value.code) == (["cleaned up"] * ends, 130)


def test_one_that_a_finalizer_lost_is_raised_by_the_next(recwarn: pytest.WarningsRecorder) -> None:
    class Finalized:
        def __del__(self) -> None:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(0)
            except Interrupted:
                lost.append(True)

    def interrupt_twice() -> None:
        Finalized()
        assert lost == [True]
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    lost: list[bool] = []
    before = {number: signal.getsignal(number) for number in ENDING}
    try:
        with pytest.raises(Interrupted) as raised, handled_signals(), interruptible():
            interrupt_twice()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert raised.value.code == 128 + signal.SIGTERM


def test_those_that_follow_a_verb_with_handlers_of_its_own_change_nothing() -> None:
    before = {number: signal.getsignal(number) for number in ENDING}
    seen: list[int] = []
    try:
        with handled_signals():
            for number in ENDING:
                signal.signal(number, lambda number, _frame: seen.append(number))
            os.kill(os.getpid(), signal.SIGTERM)
        hit()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert seen == [signal.SIGTERM]
