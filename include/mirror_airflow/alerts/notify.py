"""Notifies people of an event once; what is not delivered stays in the ledger."""

import logging
from typing import TYPE_CHECKING

from airflow.sdk import BaseNotifier, Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts.channels import channels, not_sent, send, send_by
from mirror_airflow.alerts.message import Message
from mirror_airflow.configuration import Configuration, load_configuration
from pypi_mirror.alerts.conditions import approval_needed
from pypi_mirror.errors import MirrorError
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.runs.raise_alerts import Event, note_delivery, note_event

if TYPE_CHECKING:
    from pypi_mirror.facts.values import Removals

log = logging.getLogger(__name__)


def notify(configuration: Configuration, message: Message, event: Event, context: Context) -> None:
    """Send ``message``, unless people were notified of ``event`` before.

    It is also sent when the ledger cannot say whether they were. Raises AirflowException when a channel
    failed; the watch retries that one.
    """
    if configuration.settings is not None:
        try:
            with open_mirror(configuration.settings) as mirror:
                notify_from(mirror, message, event, context)
            return
        except MirrorError as error:
            log.error("the ledger cannot say whether people were notified: %s", error)
    send(message, configuration.alerts, context)


def notify_from(mirror: Mirror, message: Message, event: Event, context: Context) -> None:
    """The same, with a mirror that is open."""
    alerts = mirror.settings.alerts
    pending = note_event(mirror, event, message=message.encoded(), channels=channels(alerts))
    if pending is None:
        log.info("people were notified of this %s before: %s", event.key, event.about)
        return
    failures = send_by(pending.channels, message, alerts, context)
    note_delivery(mirror, pending, failed=tuple(failures))
    if failures:
        raise AirflowException(f"{not_sent(failures)}; pypi_mirror_watch retries it")


class ApprovalNotifier(BaseNotifier):
    """Sends the message that a run is awaiting approval of ``removals``, by the channels of ``[alerts]``.

    ``link`` leads to where it is answered. The run waits also when no channel works.
    """

    def __init__(self, removals: "Removals", *, link: str, approvers: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.removals = removals
        self.link = link
        self.approvers = approvers

    def notify(self, context: Context) -> None:
        configuration = load_configuration()
        run_id = context["run_id"]
        approvers = (f"approvers: {', '.join(self.approvers)}",) if self.approvers else ()
        needed = approval_needed(
            label=run_id,
            plan=self.removals.plan,
            would=self.removals.would(),
            exceeded=self.removals.exceeded,
        )
        message = Message(
            alert=needed.key,
            title=needed.title,
            summary=f"The run {run_id} of the mirror {configuration.mirror_name}: {needed.title}.",
            mirror=configuration.mirror_name,
            link=self.link,
            run=run_id,
            details=(*needed.details, *approvers),
            advice=(needed.advice,),
        )
        log.warning("%s", message.text())
        event = Event(key=needed.key, about=needed.about[0], title=needed.title)
        try:
            notify(configuration, message, event, context)
        except AirflowException as error:
            log.error("%s", error)
