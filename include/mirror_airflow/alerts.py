"""Sends the message by mail and to a webhook, as ``[alerts]`` says; secrets stay in Airflow's connections."""

from collections.abc import Callable
from urllib.parse import quote, urlunsplit

import requests
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Connection, Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.message import FailureMessage
from pypi_mirror.settings.values import Alerts

TIMEOUT = 30
WEB = ("http", "https")


def send(message: FailureMessage, alerts: Alerts, context: Context) -> None:
    """Send ``message`` to everyone that ``alerts`` names; a channel that fails does not hold up the other.

    Raises AirflowException with what went wrong when a channel failed.
    """
    channels: list[tuple[str, Callable[[], None]]] = []
    if alerts.email_to:
        channels.append(("mail", lambda: _mail(message, alerts, context)))
    if alerts.webhook_connection:
        connection = alerts.webhook_connection
        channels.append(("webhook", lambda: _post(message, connection)))
    failures = []
    for name, deliver in channels:
        try:
            deliver()
        except (OSError, ValueError, requests.RequestException, AirflowException) as error:
            failures.append(f"{name}: {error}")
    if failures:
        raise AirflowException(f"the alert could not be sent: {'; '.join(failures)}")


def _mail(message: FailureMessage, alerts: Alerts, context: Context) -> None:
    # notify() and not a call: a call would render the text as a template, and upstream's words are in it.
    SmtpNotifier(
        to=list(alerts.email_to),
        from_email=alerts.email_from,
        subject=message.subject,
        html_content=message.html(),
        smtp_conn_id=alerts.smtp_connection,
    ).notify(context)


def _post(message: FailureMessage, connection_id: str) -> None:
    """POST JSON: ``text`` is what chat programs show, the other keys are for programs."""
    connection = Connection.get(connection_id)
    answer = requests.post(
        webhook_url(connection),
        json={
            "text": message.text(),
            "run": message.run,
            "mirror": message.mirror,
            "url": message.link,
            "projects": [{"project": p.project, "reason": p.reason} for p in message.projects],
            "tasks": [{"task": t.task, "reason": t.reason} for t in message.tasks],
        },
        headers=connection.extra_dejson.get("headers") or {},
        auth=(connection.login, connection.password or "") if connection.login else None,
        timeout=TIMEOUT,
    )
    answer.raise_for_status()


def webhook_url(connection: Connection) -> str:
    """The address of an Airflow connection of type HTTP.

    Airflow keeps an address in pieces, and people fill them in differently: the host may be a whole URL
    or hold a path; ``schema`` is the scheme, or the path when the connection was given as a URI; the
    path may also be the extra ``endpoint``.
    """
    if not connection.host:
        raise ValueError(f"the connection {connection.conn_id} names no host")
    schema = connection.schema or ""
    endpoint = str(connection.extra_dejson.get("endpoint", "")).lstrip("/")
    if "://" in connection.host:
        return f"{connection.host.rstrip('/')}/{endpoint}" if endpoint else connection.host
    host, _, path = connection.host.partition("/")
    if schema in WEB:
        scheme = schema
    else:
        scheme = connection.conn_type if connection.conn_type in WEB else "https"
        path = path or quote(schema)
    netloc = f"{host}:{connection.port}" if connection.port else host
    return urlunsplit((scheme, netloc, "/".join(part for part in (path, endpoint) if part), "", ""))
