from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.retry import RetryWhatCanBeMended, busy_delay
from pypi_mirror.errors import (
    ConfigurationError,
    MirrorBusy,
    RunStopped,
    StalePage,
    UpstreamDown,
    UpstreamMalformed,
    UpstreamUnavailable,
    WebServerError,
)
from pypi_mirror.settings.values import Schedule

POLICY = RetryWhatCanBeMended(tries=3, busy_delay=7.0)
URL = "https://index.example/simple/"
BUSY = MirrorBusy(owner="a run", since="noon", expires="one")


@pytest.mark.parametrize(
    "error",
    [
        UpstreamUnavailable("lost", url=URL),
        StalePage(url=URL, serial=1, wanted=2),
        UpstreamDown(f"{URL}: answered 503"),
    ],
)
def test_what_a_retry_can_mend_is_left_to_the_tasks_own_backoff(error: Exception) -> None:
    decision = POLICY.evaluate(error, try_number=1, max_tries=3)
    assert decision.action is RetryAction.DEFAULT
    assert decision.retry_delay is None


@pytest.mark.parametrize(
    "error",
    [
        UpstreamMalformed("no JSON", url=URL),
        ConfigurationError(Path("mirror.conf"), ()),
        WebServerError("nginx: [emerg]"),
        RunStopped("another batch failed"),
        OSError(28, "No space left on device"),
        KeyError("a bug"),
    ],
)
def test_what_a_retry_cannot_mend_fails_at_once(error: Exception) -> None:
    assert POLICY.evaluate(error, try_number=1, max_tries=3).action is RetryAction.FAIL


def test_the_last_try_is_the_last_however_many_airflow_allows() -> None:
    error = UpstreamUnavailable("lost", url=URL)
    assert POLICY.evaluate(error, try_number=3, max_tries=1000).action is RetryAction.DEFAULT
    assert POLICY.evaluate(error, try_number=4, max_tries=1000).action is RetryAction.FAIL


def test_upstreams_own_delay_is_kept() -> None:
    error = UpstreamUnavailable("slow down", url=URL, retry_after=300)
    decision = POLICY.evaluate(error, try_number=1, max_tries=3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=300)


def test_a_run_waits_for_its_turn_beyond_the_tries_for_errors() -> None:
    decision = POLICY.evaluate(BUSY, try_number=200, max_tries=1000)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=7)


def test_a_run_that_is_not_to_wait_fails_at_once() -> None:
    assert busy_delay(Schedule(when_busy="wait", retry_delay=9)) == 9
    policy = RetryWhatCanBeMended(tries=3, busy_delay=busy_delay(Schedule(when_busy="fail")))
    again = RetryWhatCanBeMended.deserialize(policy.serialize())
    assert again.evaluate(BUSY, try_number=1, max_tries=1000).action is RetryAction.FAIL


def test_airflows_own_trouble_is_retried_as_often_as_other_trouble() -> None:
    error = AirflowException("the API server did not answer")
    assert POLICY.evaluate(error, try_number=1, max_tries=1000).action is RetryAction.DEFAULT
    assert POLICY.evaluate(error, try_number=4, max_tries=1000).action is RetryAction.FAIL


def test_the_policy_survives_serialization() -> None:
    again = RetryWhatCanBeMended.deserialize(POLICY.serialize())
    assert again.serialize() == POLICY.serialize()
    assert again.evaluate(BUSY, try_number=1, max_tries=3).retry_delay == timedelta(seconds=7)
