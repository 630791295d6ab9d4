"""When a run has to stop: stop-on-error at its first failed project, max-failures past a number of them."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from pypi_mirror.ledger.results import Failed

# Seconds between two looks into the ledger, where the failures of the other batches are.
_ASK_EVERY: Final = 3.0


class FailureLimit:
    """Call it to hear why the run has to stop, None while it may go on.

    ``most`` failed projects are tolerated in the whole run, any number where it is None; ``option`` is what
    the message calls that. ``in_ledger`` counts the run's failed projects over all batches, ``clock`` tells
    seconds. What the ledger had when this batch began does not stop it alone: after a run was stopped, its
    batches are run again one after the other.
    """

    def __init__(
        self,
        most: int | None,
        in_ledger: Callable[[], int],
        *,
        option: str = "stop-on-error",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._option = option
        self._in_ledger = in_ledger
        self._clock = clock
        self._recorded = 0 if most is None else in_ledger()
        self._tolerated = max(most or 0, self._recorded)
        self._asked = clock()
        self._unrecorded = 0
        self._last: Failed | None = None

    def reached(self, failed: Sequence[str]) -> str | None:
        """Why a batch must not go on as if nothing were that has the projects ``failed`` from an earlier try,
        and does not try them again now; None where it may.
        """
        if self._most is None or not failed or self._recorded <= self._most:
            return None
        return self._said(self._recorded, f"{failed[0]} failed before and is not tried again yet")

    def failed(self, failure: Failed) -> None:
        """A project of this batch has failed; the ledger does not have it yet."""
        self._unrecorded += 1
        self._last = failure

    def recorded(self, failures: Sequence[Failed]) -> None:
        """The ledger has these failures of this batch now."""
        if failures and self._most is not None:
            self._last = self._last or failures[-1]
            self._unrecorded = max(0, self._unrecorded - len(failures))
            self._look()

    def __call__(self) -> str | None:
        if self._most is None:
            return None
        if self._clock() - self._asked >= _ASK_EVERY:
            self._look()
        number = self._recorded + self._unrecorded
        return self._reason(number) if number > self._tolerated else None

    def _look(self) -> None:
        self._recorded = self._in_ledger()
        self._asked = self._clock()

    def _reason(self, number: int) -> str:
        last = self._last
        failed = "in other batches" if last is None else f"{last.planned.project} failed: {last.reason}"
        return self._said(number, failed)

    def _said(self, number: int, failed: str) -> str:
        if not self._most:
            return f"{self._option}: {failed}"
        return (
            f"{self._option}: {number} projects of this run have failed, {self._most} are tolerated; nothing "
            f"is published, what was downloaded is kept. The last one: {failed}"
        )
