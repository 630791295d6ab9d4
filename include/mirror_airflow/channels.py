"""The ways in which people are told."""

from pypi_mirror.settings.values import Alerts

MAIL, SLACK, WEBHOOK = "mail", "slack", "webhook"


def channels(alerts: Alerts) -> tuple[str, ...]:
    """Those that ``alerts`` names somebody for."""
    named = {
        MAIL: bool(alerts.email_to),
        SLACK: alerts.slack_connection is not None,
        WEBHOOK: alerts.webhook_connection is not None,
    }
    return tuple(channel for channel in named if named[channel])
