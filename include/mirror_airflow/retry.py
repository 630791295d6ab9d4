"""Which failures Airflow retries: those that the engine says a retry can mend, and no others."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from pypi_mirror.errors import MirrorBusy, MirrorError, UpstreamUnavailable
from pypi_mirror.settings.values import Schedule
from pypi_mirror.transport.patience import LONGEST_PAUSE

if TYPE_CHECKING:
    from airflow.sdk import Context

# A task that was killed is missed after five minutes. With these eight it is back before the mirror's lease
# ends, which it could not have made last longer; a task that fails does that (see task_mirror).
LONGEST_PAUSE_OF_KILLED = timedelta(minutes=8)
# A task that waits for its turn comes back as the same try. Where Airflow's scheduler is slower than that, it
# takes the end of the earlier process for a task that was killed: these tries on top are for it.
LOST_WHILE_WAITING = 20


class RetryWhatCanBeMended(RetryPolicy):
    """Asks each engine error whether a retry can help; retries it ``tries`` times at most.

    The pause is ``delay`` seconds, twice as long each time, or what upstream asks for (``Retry-After``) where
    that is longer, and never more than LONGEST_PAUSE. An error that is not the engine's is a bug, a full disk
    or the like: trying again changes nothing. What Airflow's own services did wrong is retried as well.
    """

    def __init__(self, *, tries: int, delay: float) -> None:
        self._tries = tries
        self._delay = delay

    @classmethod
    def of(cls, schedule: Schedule) -> "RetryWhatCanBeMended":
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
            return RetryDecision.retry(delay=timedelta(seconds=pause), reason=f"{name} may pass")
        if _may_pass(exception):
            return RetryDecision.fail(reason=f"failed {try_number} times")
        return RetryDecision.fail(reason=f"{name}: a retry cannot mend this")

    def pause(self, exception: BaseException, try_number: int) -> float | None:
        """Seconds until the try after ``try_number``, which ended in ``exception``; None: there is none."""
        if not _may_pass(exception) or try_number > self._tries:
            return None
        # An exponent that a long number of retries makes is no float any more.
        pause = self._delay * 2.0 ** min(try_number - 1, 30)
        if isinstance(exception, UpstreamUnavailable) and exception.retry_after is not None:
            # "Retry-After: 0" and a date in the past would use up all tries at once.
            pause = max(pause, exception.retry_after)
        return min(pause, LONGEST_PAUSE)

    def serialize(self) -> dict[str, Any]:
        return {"tries": self._tries, "delay": self._delay}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> "RetryWhatCanBeMended":
        return cls(tries=data["tries"], delay=data["delay"])


def _may_pass(exception: BaseException) -> bool:
    if isinstance(exception, MirrorBusy):
        # A run that may wait for its turn does not fail of this.
        return False
    if isinstance(exception, MirrorError):
        return exception.retryable
    return isinstance(exception, AirflowException) and not isinstance(exception, AirflowFailException)
