"""Whatever the size of the pieces and whenever they come, the rate holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.transport.bandwidth import Bandwidth

RATE = 1_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("piece", [100, 20_000, 5_000_000])
def test_what_is_taken_is_paid_for(piece: int) -> None:
    clock = Clock()
    bandwidth = Bandwidth(RATE, now=clock)
    start = clock.now
    for _ in range(50):
        clock.now += bandwidth.wait()
        bandwidth.take(piece)
    clock.now += bandwidth.wait()
    assert clock.now - start == pytest.approx(50 * piece / RATE, rel=0.001)


def test_a_loop_that_is_late_each_time_still_gets_the_rate() -> None:
    clock = Clock()
    bandwidth = Bandwidth(RATE, now=clock)
    start = clock.now
    for _ in range(1_000):
        clock.now += bandwidth.wait() + 0.01
        while not bandwidth.wait():
            bandwidth.take(16_384)
    assert (1_000 * 16_384) / (clock.now - start) > 0
    # What it took is what the time was worth, but for the last piece and the hundredth that it was late.
    assert bandwidth.wait() <= 16_384 / RATE


def test_a_long_silence_is_not_made_up_for() -> None:
    clock = Clock()
    bandwidth = Bandwidth(RATE, now=clock)
    clock.now += 3_600
    taken = 0
    while not bandwidth.wait():
        bandwidth.take(10_000)
        taken += 10_000
    assert taken <= 0.1 * RATE + 10_000


@given(steps=st.lists(st.tuples(st.floats(0, 2), st.integers(1, 2_000_000)), min_size=1, max_size=100))
def test_no_more_than_the_rate_over_any_time(steps: list[tuple[float, int]]) -> None:
    clock = Clock()
    bandwidth = Bandwidth(RATE, now=clock)
    start, taken, largest = clock.now, 0, 0
    for pause, size in steps:
        clock.now += pause
        if not bandwidth.wait():
            bandwidth.take(size)
            taken += size
            largest = max(largest, size)
    assert taken <= (clock.now - start + 0.1) * RATE + largest + 1
