"""Samples: one a minute, thinned as they grow old, and read as many as a chart can show."""

from itertools import pairwise

from pypi_mirror.ledger.store import Ledger
from tests.ledger.samples import NOON, sample

MINUTE, HOUR, DAY = 60, 3600, 24 * 3600
# The begin of an hour and of a day.
START = NOON // DAY * DAY


def times(ledger: Ledger, since: int = 0) -> list[int]:
    return [each.at for each in ledger.samples.between(since, START + 1000 * DAY, most=10**12)]


def test_what_was_added_is_read(ledger: Ledger) -> None:
    of_a_run = sample(NOON, lag_seconds=None, run_id=3, run_projects=5, run_bytes=10**13)
    ledger.samples.add(of_a_run)
    assert ledger.samples.newest() == of_a_run
    assert ledger.samples.of_run(3, since=NOON) == [of_a_run]
    assert ledger.samples.of_run(3, since=NOON + 1) == []
    assert ledger.samples.of_run(4, since=0) == []


def test_one_is_due_a_minute_after_the_last(ledger: Ledger) -> None:
    assert ledger.samples.is_due(NOON)
    ledger.samples.add(sample(NOON))
    assert not ledger.samples.is_due(NOON)
    assert not ledger.samples.is_due(NOON + 59)
    assert ledger.samples.is_due(NOON + 60)


def test_a_sample_of_a_clock_that_ran_ahead_keeps_no_other_away(ledger: Ledger) -> None:
    ledger.samples.add(sample(NOON + 400 * DAY))
    assert ledger.samples.is_due(NOON)


def test_two_of_one_second_are_one(ledger: Ledger) -> None:
    ledger.samples.add(sample(NOON))
    ledger.samples.add(sample(NOON, files=7))
    assert [each.files for each in ledger.samples.between(NOON, NOON, most=10)] == [7]


def test_a_week_is_kept_whole_and_older_samples_one_an_hour(ledger: Ledger) -> None:
    for minute in range(0, 180, 20):
        ledger.samples.add(sample(START + minute * MINUTE))
    now = START + 7 * DAY + 2 * HOUR
    ledger.samples.add(sample(now))
    kept = [START + minute * MINUTE for minute in (40, 100, 120, 140, 160)]
    assert times(ledger) == [*kept, now]


def test_after_ninety_days_one_a_day_is_left(ledger: Ledger) -> None:
    for hour in range(0, 72, 6):
        ledger.samples.add(sample(START + hour * HOUR))
    now = START + 92 * DAY
    ledger.samples.add(sample(now))
    assert times(ledger) == [START + hour * HOUR for hour in (18, 42, 48, 54, 60, 66)] + [now]


def test_thinning_again_takes_no_more(ledger: Ledger) -> None:
    for hour in range(0, 96, 6):
        ledger.samples.add(sample(START + hour * HOUR))
    for later in range(3):
        ledger.samples.add(sample(START + 200 * DAY + later * HOUR))
    days = [at for at in times(ledger) if at < START + 100 * DAY]
    assert days == [START + day * DAY + 18 * HOUR for day in range(4)]


def test_a_chart_gets_as_many_as_it_asks_for_spread_over_the_time(ledger: Ledger) -> None:
    for minute in range(100):
        ledger.samples.add(sample(START + minute * MINUTE))
    end = START + 99 * MINUTE
    shown = [each.at for each in ledger.samples.between(START, end, most=10)]
    assert len(shown) == 10
    assert shown == sorted(shown)
    assert shown[-1] == end
    gaps = {b - a for a, b in pairwise(shown)}
    assert max(gaps) <= 11 * MINUTE
