"""Tells people once of something that happened, whoever saw it; what fails to get out waits in the ledger."""

import logging

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts import send, send_by, unsent_words
from mirror_airflow.channels import channels
from mirror_airflow.configuration import Configuration
from mirror_airflow.message import Message
from pypi_mirror.errors import MirrorError
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.runs.raise_alerts import Happened, sent, tell
from pypi_mirror.settings.values import Settings

log = logging.getLogger(__name__)


def tell_people(configuration: Configuration, message: Message, happened: Happened, context: Context) -> None:
    """Send ``message``, unless people were told of ``happened`` before.

    Without a ledger to ask it is sent. Raises AirflowException when a channel failed; the watch tries that
    one again.
    """
    if configuration.settings is None or not _told_by_ledger(
        configuration.settings, message, happened, context
    ):
        send(message, configuration.alerts, context)


def tell_from(mirror: Mirror, message: Message, happened: Happened, context: Context) -> None:
    """The same, with a mirror that is open."""
    alerts = mirror.settings.alerts
    unsent = tell(mirror, happened, message=message.encoded(), channels=channels(alerts))
    if unsent is None:
        log.info("people were told of %s before: %s", happened.about, happened.key)
        return
    failures = send_by(unsent.channels, message, alerts, context)
    sent(mirror, unsent, still=tuple(failures))
    if failures:
        raise AirflowException(f"{unsent_words(failures)}; pypi_mirror_watch tries it again")


def _told_by_ledger(settings: Settings, message: Message, happened: Happened, context: Context) -> bool:
    try:
        with open_mirror(settings) as mirror:
            tell_from(mirror, message, happened, context)
    except MirrorError as error:
        log.error("the ledger cannot say what people were told: %s", error)
        return False
    return True
