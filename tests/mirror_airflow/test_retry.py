from datetime import timedelta
from pathlib import Path

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from mirror_airflow.retry import RetryTransientErrors
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
from pypi_mirror.transport.patience import LONGEST_PAUSE

POLICY = RetryTransientErrors(tries=3, delay=60)
URL = "https://index.example/simple/"


@pytest.mark.parametrize(
    "error",
    [
        UpstreamUnavailable("lost", url=URL),
        StalePage(url=URL, serial=1, wanted=2),
        UpstreamDown(f"{URL}: answered 503"),
        AirflowException("the API server did not answer"),
    ],
)
def test_transient_errors_are_retried_ever_later(error: Exception) -> None:
    decisions = [POLICY.evaluate(error, try_number=number, max_tries=3) for number in (1, 2, 3)]
    assert {d.action for d in decisions} == {RetryAction.RETRY}
    assert [d.retry_delay for d in decisions] == [timedelta(seconds=s) for s in (60, 120, 240)]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamMalformed("no JSON", url=URL),
        ConfigurationError(Path("mirror.conf"), ()),
        WebServerError("nginx: [emerg]"),
        RunStopped("another batch failed"),
        # Where runs wait for each other, it never comes to this.
        MirrorBusy(owner="a run", since="noon", expires="one"),
        AirflowFailException("the run has failed"),
        OSError(28, "No space left on device"),
        KeyError("a bug"),
    ],
)
def test_other_errors_fail_at_once(error: Exception) -> None:
    assert POLICY.evaluate(error, try_number=1, max_tries=3).action is RetryAction.FAIL
    assert POLICY.pause(error, 1) is None


def test_the_last_try_is_the_last_however_many_airflow_allows() -> None:
    error = UpstreamUnavailable("lost", url=URL)
    assert POLICY.evaluate(error, try_number=3, max_tries=1000).action is RetryAction.RETRY
    assert POLICY.evaluate(error, try_number=4, max_tries=1000).action is RetryAction.FAIL


@pytest.mark.parametrize(("asked", "pause"), [(300, 300), (86_400, LONGEST_PAUSE)])
def test_upstreams_own_delay_is_kept_as_long_as_the_lease_can_be(asked: int, pause: int) -> None:
    error = UpstreamUnavailable("slow down", url=URL, retry_after=asked)
    decision = POLICY.evaluate(error, try_number=1, max_tries=3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == timedelta(seconds=pause)


@pytest.mark.parametrize("asked", [0.0, 0.5, 59.0])
def test_what_upstream_asks_for_never_shortens_our_own_pause(asked: float) -> None:
    error = UpstreamUnavailable("busy", url=URL, retry_after=asked)
    decisions = [POLICY.evaluate(error, try_number=number, max_tries=3) for number in (1, 2, 3)]
    assert [d.retry_delay for d in decisions] == [timedelta(seconds=s) for s in (60, 120, 240)]


def test_no_pause_is_longer_than_the_lease_can_be_kept() -> None:
    policy = RetryTransientErrors(tries=5_000, delay=600)
    error = UpstreamUnavailable("lost", url=URL)
    assert policy.pause(error, 4) == policy.pause(error, 5_000) == LONGEST_PAUSE


def test_the_policy_survives_serialization() -> None:
    policy = RetryTransientErrors.of(Schedule(retries=2, retry_delay=9))
    again = RetryTransientErrors.deserialize(policy.serialize())
    error = UpstreamUnavailable("lost", url=URL)
    assert (again.pause(error, 1), again.pause(error, 2), again.pause(error, 3)) == (9, 18, None)
