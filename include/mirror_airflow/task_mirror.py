"""Opens the mirror for one task, and decides whether the task waits, is retried or fails."""

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowException, AirflowRescheduleException, AirflowSkipException

from mirror_airflow.alerts.message import NEXT_TRY_KEY
from mirror_airflow.retry import RetryTransientErrors
from mirror_airflow.run_label import has_ended
from mirror_airflow.task_errors import record_task_error
from pypi_mirror.errors import MirrorBusy, MirrorError
from pypi_mirror.memory import collect_rarely
from pypi_mirror.settings.locate import configuration_path
from pypi_mirror.settings.read import read_settings

if TYPE_CHECKING:
    from pypi_mirror.mirror import Mirror


from dataclasses import replace
from typing import Final

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError, ErrorType

from pypi_mirror.settings.values import Settings

log = logging.getLogger(__name__)

# Seconds. If the task is queued again before Airflow's executor reports the end of this process, it is taken
# for a killed task (see RETRIES_WHILE_WAITING).
SHORTEST_WAIT = 5.0
ENDED_OUTSIDE = "it was ended in Airflow while its tasks were running"

CONNECTION: Final = "pypi_mirror_upstream"


@contextmanager
def task_mirror(*, label: str | None = None) -> Iterator["Mirror"]:
    """The mirror as now configured; the error that ends the task is recorded for the message.

    While another run has the mirror, the task frees its slot and is rescheduled after ``retry-delay``.
    Airflow does not count that as a try, so all ``retries`` remain for an unreachable upstream. A run that
    has ended in Airflow, for example marked as failed, loses the mirror. A task that will be retried keeps
    the lease until then. ``label`` is the run's in the ledger, by default Airflow's own.
    """
    context = get_current_context()
    with record_task_error(context["ti"]), _opened() as mirror:
        try:
            yield mirror
        except MirrorBusy as busy:
            if has_ended(context["ti"], busy.owner):
                _end_in_ledger(mirror, busy.owner)
                raise _rescheduled(SHORTEST_WAIT) from busy
            schedule = mirror.settings.schedule
            if schedule.when_busy != "wait":
                raise
            log.info("waiting for another run: %s", busy)
            raise _rescheduled(max(schedule.retry_delay, SHORTEST_WAIT)) from busy
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (MirrorError, AirflowException) as error:
            _prepare_retry(mirror, error, context["ti"], context["run_id"] if label is None else label)
            raise


def _opened() -> AbstractContextManager["Mirror"]:
    # It imports SQLAlchemy and libcurl; parsing a DAG file needs neither.
    from pypi_mirror.mirror import open_mirror

    collect_rarely()
    return open_mirror(with_upstream_login(read_settings(configuration_path())))


def _end_in_ledger(mirror: "Mirror", label: str) -> None:
    """The tasks of a run that was killed could not release the mirror."""
    # It imports the site's page and the metrics, which few tasks need.
    from pypi_mirror.runs.report import fail_run

    log.info("%s has ended in Airflow and still held the lease of the mirror", label)
    fail_run(mirror, label, ENDED_OUTSIDE)


def _prepare_retry(mirror: "Mirror", error: Exception, ti: Any, label: str) -> None:
    """Keep the lease for the retry after ``error``, if there is one."""
    pause = RetryTransientErrors.of(mirror.settings.schedule).pause(error, ti.try_number)
    if pause is None:
        return
    ti.xcom_push(key=NEXT_TRY_KEY, value=_after(pause).isoformat(timespec="seconds"))
    try:
        mirror.ledger.lease.renew(label, pause=pause)
    except MirrorError as why:
        # There was none to keep: another run has it, or the ledger is unreachable.
        log.info("the lease is not kept for the next try: %s", why)


def _rescheduled(seconds: float) -> AirflowRescheduleException:
    return AirflowRescheduleException(_after(seconds))  # type: ignore[no-untyped-call]


def _after(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def with_upstream_login(settings: Settings) -> Settings:
    """``settings`` with the login of the connection, unless the environment gave one.

    A connection without a user name has a token for its password.
    """
    if settings.login is not None:
        return settings
    try:
        connection = Connection.get(CONNECTION)
    except AirflowNotFoundException:
        return settings
    except AirflowRuntimeError as error:
        if error.error.error is ErrorType.CONNECTION_NOT_FOUND:
            return settings
        raise
    if connection.login:
        return replace(settings, login=f"{connection.login}:{connection.password or ''}")
    return replace(settings, login=connection.password or None)
