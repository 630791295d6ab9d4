"""Tells those who are told of failed runs that a run waits for one of them."""

import logging
from typing import TYPE_CHECKING

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts import send
from mirror_airflow.configuration import load_configuration
from mirror_airflow.message import WaitingMessage
from mirror_airflow.run_failed import link_to_run, mirror_name

if TYPE_CHECKING:
    from pypi_mirror.steps.guard_removals import Removals

log = logging.getLogger(__name__)


def tell_of_waiting(context: Context, removals: "Removals") -> None:
    """Send one message about a run that waits for approval of ``removals``; it waits if that fails, too."""
    configuration = load_configuration()
    message = WaitingMessage(
        run=context["run_id"],
        mirror=mirror_name(configuration),
        link=link_to_run(context["dag"].dag_id, context["run_id"]),
        removals=removals.described(),
        reasons=removals.exceeded,
    )
    log.warning("%s", message.text())
    try:
        send(message, configuration.alerts, context)
    except AirflowException as error:
        log.error("%s", error)
