"""Which failures Airflow retries: those that the engine calls transient, and no others."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from pypi_mirror.errors import MirrorBusy, MirrorError, UpstreamUnavailable
from pypi_mirror.settings.values import Schedule
from pypi_mirror.transport.patience import LONGEST_PAUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

# Airflow misses a killed task after five minutes. With these eight it is retried before the mirror's lease
# ends; a task that fails prolongs the lease itself (see task_mirror).
LONGEST_PAUSE_OF_KILLED = timedelta(minutes=8)
# A task that waits for another run is rescheduled as the same try. Where Airflow's scheduler is slow, it
# takes the end of the earlier process for a killed task: these additional tries are for that.
RETRIES_WHILE_WAITING = 20


class RetryTransientErrors(RetryPolicy):
    """Asks each engine error whether it is transient; retries it ``tries`` times at most.

    The pause is ``delay`` seconds, twice as long each time, or what upstream asks for (``Retry-After``) where
    that is longer, and never more than LONGEST_PAUSE. Any other error is a bug, a full disk or the like,
    which a retry does not change. Errors of Airflow's own services are retried as well.
    """

    def __init__(self, *, tries: int, delay: float) -> None:
        self._tries = tries
        self._delay = delay

    @classmethod
    def of(cls, schedule: Schedule) -> "RetryTransientErrors":
        return cls(tries=schedule.retries, delay=schedule.retry_delay)

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: "Context | None" = None,
    ) -> RetryDecision:
        name = type(exception).__name__
        pause = self.pause(exception, try_number)
        if pause is not None:
            return RetryDecision.retry(delay=timedelta(seconds=pause), reason=f"{name} is transient")
        if _is_transient(exception):
            return RetryDecision.fail(reason=f"failed {try_number} times")
        return RetryDecision.fail(reason=f"{name} is not transient")

    def pause(self, exception: BaseException, try_number: int) -> float | None:
        """Seconds until the try after ``try_number``, which ended in ``exception``; None: there is none."""
        if not _is_transient(exception) or try_number > self._tries:
            return None
        # A large number of retries would overflow the float.
        pause = self._delay * 2.0 ** min(try_number - 1, 30)
        if isinstance(exception, UpstreamUnavailable) and exception.retry_after is not None:
            # "Retry-After: 0" and a date in the past would use up all tries at once.
            pause = max(pause, exception.retry_after)
        return min(pause, LONGEST_PAUSE)

    def serialize(self) -> dict[str, Any]:
        return {"tries": self._tries, "delay": self._delay}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "RetryTransientErrors":
        return cls(tries=data["tries"], delay=data["delay"])


def _is_transient(exception: BaseException) -> bool:
    if isinstance(exception, MirrorBusy):
        # A run that may wait for the other one does not fail with this.
        return False
    if isinstance(exception, MirrorError):
        return exception.retryable
    return isinstance(exception, AirflowException) and not isinstance(exception, AirflowFailException)
