"""Opens the mirror for one task, and says what becomes of the task when something goes wrong in it."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowRescheduleException, AirflowSkipException

from mirror_airflow.message import NEXT_TRY_KEY
from mirror_airflow.retry import RetryWhatCanBeMended
from mirror_airflow.run_label import has_ended
from mirror_airflow.task_errors import last_words
from mirror_airflow.upstream_login import with_upstream_login
from pypi_mirror.errors import MirrorBusy, MirrorError
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_settings

if TYPE_CHECKING:
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

# Seconds. Were the task queued again before Airflow's executor has told of the end of this process, it would
# be taken for a task that was killed (see LOST_WHILE_WAITING).
SHORTEST_WAIT = 5.0
ENDED_OUTSIDE = "it was ended in Airflow while its tasks were at work"


@contextmanager
def task_mirror(*, label: str | None = None) -> Iterator["Mirror"]:
    """The mirror as the configuration says now; the error that ends the task is kept for the message.

    While another run has the mirror, the task gives its place up and comes back after ``retry-delay``; to
    Airflow that is no try, so all of ``retries`` are left for an upstream out of reach. A run that has
    ended in Airflow, which a person marked failed, say, does not have it any longer. A task that will be
    tried again keeps the lease until then. ``label`` is the run's in the ledger, by default Airflow's own.
    """
    context = get_current_context()
    with last_words(context["ti"]), _opened() as mirror:
        try:
            yield mirror
        except MirrorBusy as busy:
            if has_ended(context["ti"], busy.owner):
                _end_in_ledger(mirror, busy.owner)
                raise _come_back(SHORTEST_WAIT) from busy
            schedule = mirror.settings.schedule
            if schedule.when_busy != "wait":
                raise
            log.info("waits for its turn: %s", busy)
            raise _come_back(max(schedule.retry_delay, SHORTEST_WAIT)) from busy
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (MirrorError, AirflowException) as error:
            _pause(mirror, error, context["ti"], context["run_id"] if label is None else label)
            raise


def _opened() -> AbstractContextManager["Mirror"]:
    # The engine brings SQLAlchemy and libcurl along; parsing a DAG file needs neither.
    from pypi_mirror.mirror import open_mirror

    return open_mirror(with_upstream_login(read_settings(configuration_path())))


def _end_in_ledger(mirror: "Mirror", label: str) -> None:
    """What kills the tasks of a run leaves them no time to give the mirror back."""
    # The step brings the site's page and the metrics along, which hardly any task needs.
    from pypi_mirror.runs.report import fail_run

    log.info("%s has ended in Airflow and still had the mirror", label)
    fail_run(mirror, label, ENDED_OUTSIDE)


def _pause(mirror: "Mirror", error: Exception, ti: Any, label: str) -> None:
    """Prepare for the try that comes after ``error``, if one does."""
    pause = RetryWhatCanBeMended.of(mirror.settings.schedule).pause(error, ti.try_number)
    if pause is None:
        return
    ti.xcom_push(key=NEXT_TRY_KEY, value=_after(pause).isoformat(timespec="seconds"))
    try:
        mirror.ledger.lease.renew(label, pause=pause)
    except MirrorError as why:
        # It had none: another run has it, or the ledger itself is what is out of reach.
        log.info("the mirror is not kept for the next try: %s", why)


def _come_back(seconds: float) -> AirflowRescheduleException:
    return AirflowRescheduleException(_after(seconds))  # type: ignore[no-untyped-call]


def _after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
