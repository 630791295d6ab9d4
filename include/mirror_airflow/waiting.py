"""Tells those who are told of failed runs that a run waits for one of them."""

import logging
from typing import TYPE_CHECKING

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.configuration import load_configuration
from mirror_airflow.message import Message
from mirror_airflow.run_failed import link_to_run, mirror_name
from mirror_airflow.telling import tell_people
from pypi_mirror.alerts.conditions import ApprovalNeeded
from pypi_mirror.runs.raise_alerts import Happened

if TYPE_CHECKING:
    from pypi_mirror.planning.guard_removals import Removals

log = logging.getLogger(__name__)


def tell_of_waiting(context: Context, removals: "Removals") -> None:
    """Send one message about a run that waits for approval of ``removals``; it waits if that fails, too."""
    configuration = load_configuration()
    name, run_id = mirror_name(configuration), context["run_id"]
    needed = ApprovalNeeded(
        label=run_id, plan=removals.plan, removes=removals.described(), exceeded=removals.exceeded
    )
    message = Message(
        alert=ApprovalNeeded.key,
        title=needed.title,
        summary=f"The run {run_id} of the mirror {name} {needed.title}.",
        mirror=name,
        link=link_to_run(context["dag"].dag_id, run_id),
        run=run_id,
        details=needed.details,
        advice=(needed.advice,),
    )
    log.warning("%s", message.text())
    happened = Happened(key=ApprovalNeeded.key, about=needed.about[0], title=needed.title)
    try:
        tell_people(configuration, message, happened, context)
    except AirflowException as error:
        log.error("%s", error)
