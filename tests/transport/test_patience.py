"""Waits have the length they were given, whatever their parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypi_mirror.transport.patience import Patience

positive = st.floats(min_value=0.001, max_value=1000)


def test_pauses_double_up_to_the_longest() -> None:
    pauses = list(Patience(attempts=6, first_delay=1, longest_delay=5).delays())

    assert len(pauses) == 5
    for pause, about in zip(pauses, [1, 2, 4, 5, 5], strict=True):
        assert about * 0.9 <= pause <= about * 1.1


@pytest.mark.parametrize("attempts", [0, 1])
def test_one_attempt_has_no_pauses(attempts: int) -> None:
    assert list(Patience(attempts=attempts).delays()) == []


@given(first=positive, longest=positive, total=st.floats(min_value=0, max_value=2))
def test_a_wait_is_as_long_as_was_said(first: float, longest: float, total: float) -> None:
    pauses = list(Patience(first_delay=first, longest_delay=longest).delays_within(total))

    assert sum(pauses) == pytest.approx(total)
    assert all(0 < pause <= longest * 1.1 for pause in pauses)


def test_thousands_of_short_pauses_do_not_overflow() -> None:
    patience = Patience(first_delay=0.001, longest_delay=0.01, attempts=3000)

    assert sum(patience.delays_within(30)) == pytest.approx(30)
    assert len(list(patience.delays())) == 2999


def test_workers_that_fail_together_do_not_come_back_together() -> None:
    assert len({next(Patience().delays()) for _ in range(20)}) > 1


@pytest.mark.parametrize("bad", [{"first_delay": 0}, {"longest_delay": 0}, {"first_delay": -1}])
def test_a_pause_without_length_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Patience(**bad)  # type: ignore[arg-type]  # mypy takes the dictionary for all parameters


def test_upstream_may_ask_for_longer_pauses_within_bounds() -> None:
    patience = Patience(longest_delay=60)

    assert patience.pause(2.0, None) == 2.0
    assert patience.pause(2.0, 30.0) == 30.0
    assert patience.pause(2.0, 1.0) == 2.0
    assert patience.pause(2.0, float("inf")) == 60
