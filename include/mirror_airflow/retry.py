"""Which failures Airflow retries: those that the engine says a retry can mend, and no others."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryAction, RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException

from pypi_mirror.errors import MirrorBusy, MirrorError, UpstreamUnavailable
from pypi_mirror.settings.values import Schedule

if TYPE_CHECKING:
    from airflow.sdk import Context

# A run waits for its turn as long as a long first sync may take; Airflow stops at this many tries.
WAITS_FOR_TURN = 1000


def busy_delay(schedule: Schedule) -> float | None:
    """Seconds between two questions whether the mirror is free; None: a busy one ends the run."""
    return schedule.retry_delay if schedule.when_busy == "wait" else None


class RetryWhatCanBeMended(RetryPolicy):
    """Asks each engine error whether a retry can help; retries it ``tries`` times at most.

    The delay is the task's exponential backoff, except where something better is known: upstream's own
    word (``Retry-After``), and the mirror's lease, which a run asks for every ``busy_delay`` seconds
    until the run that holds it has ended; with None it fails at once. Airflow counts those tries too, so that
    a run that waited long has none left for an upstream that is then out of reach: the next run has.
    An error that is not the engine's is a bug, a full disk or the like: trying again changes nothing. What
    Airflow's own services did wrong is Airflow's to retry.
    """

    def __init__(self, *, tries: int, busy_delay: float | None) -> None:
        self._tries = tries
        self._busy_delay = busy_delay

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: "Context | None" = None,
    ) -> RetryDecision:
        if isinstance(exception, MirrorBusy):
            if self._busy_delay is None:
                return RetryDecision.fail(reason="[schedule] when-busy = fail")
            return RetryDecision.retry(delay=timedelta(seconds=self._busy_delay), reason="waits for its turn")
        if isinstance(exception, AirflowException):
            return RetryDecision.default() if try_number <= self._tries else RetryDecision.fail()
        if not isinstance(exception, MirrorError) or not exception.retryable:
            return RetryDecision.fail(reason=f"{type(exception).__name__}: a retry cannot mend this")
        if try_number > self._tries:
            return RetryDecision.fail(reason=f"failed {try_number} times")
        if isinstance(exception, UpstreamUnavailable) and exception.retry_after is not None:
            return RetryDecision.retry(
                delay=timedelta(seconds=exception.retry_after), reason="upstream named the delay"
            )
        return RetryDecision(action=RetryAction.DEFAULT, reason=f"{type(exception).__name__} may pass")

    def serialize(self) -> dict[str, Any]:
        return {"tries": self._tries, "busy_delay": self._busy_delay}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "RetryWhatCanBeMended":
        return cls(tries=data["tries"], busy_delay=data["busy_delay"])
