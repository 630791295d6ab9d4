"""stop-on-error and max-failures between batches: each batch checks regularly whether another one failed.

Airflow's ``fail_fast`` lets mapped siblings run to their end and ends the run as a success. A batch that
fails itself keeps everything after it from running, and can be cleared to run again.
"""

import logging
import time
from collections.abc import Callable
from typing import Protocol

from airflow.sdk.exceptions import AirflowRuntimeError

log = logging.getLogger(__name__)

ASK_EVERY = 2.0


class CountsTasks(Protocol):
    """The part of Airflow's task instance that is used here."""

    dag_id: str
    task_id: str
    run_id: str

    def get_ti_count(
        self, dag_id: str, *, task_ids: list[str], run_ids: list[str], states: list[str]
    ) -> int: ...


class SiblingWatch:
    """Call it between projects: it gives the reason to stop, None to go on.

    It asks Airflow at most every ``every`` seconds, however often it is called, and not at all unless
    ``enabled``. If Airflow does not answer, the batch continues.
    """

    def __init__(
        self,
        ti: CountsTasks,
        *,
        enabled: bool,
        every: float = ASK_EVERY,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ti = ti
        self._enabled = enabled
        self._every = every
        self._now = now
        self._asked: float | None = None
        self._reason: str | None = None

    def __call__(self) -> str | None:
        if self._enabled and self._reason is None and self._due():
            self._asked = self._now()
            self._reason = self._ask()
        return self._reason

    def _due(self) -> bool:
        return self._asked is None or self._now() - self._asked >= self._every

    def _ask(self) -> str | None:
        ti = self._ti
        try:
            failed = ti.get_ti_count(ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], states=["failed"])
        except AirflowRuntimeError as error:
            log.warning("Airflow does not say whether another batch failed: %s", error)
            return None
        return "another batch of this run has failed (stop-on-error, max-failures)" if failed else None
