"""Sends a message by mail, to Slack and to a webhook; secrets stay in Airflow's connections."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlunsplit

import requests
from airflow.providers.smtp.notifications.smtp import SmtpNotifier
from airflow.sdk import Connection, Context
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

from mirror_airflow.channels import MAIL, SLACK, WEBHOOK, channels
from mirror_airflow.message import Message
from mirror_airflow.slack import slack_payload, slack_url
from pypi_mirror.settings.values import Alerts

log = logging.getLogger(__name__)

TIMEOUT = 30
WEB = ("http", "https")

Deliver = Callable[[Message, Alerts, Context], None]


def send(message: Message, alerts: Alerts, context: Context) -> None:
    """Send ``message`` to everyone that ``alerts`` names; a channel that fails does not hold up the others.

    Raises AirflowException with what went wrong when a channel failed.
    """
    failures = send_by(channels(alerts), message, alerts, context)
    if failures:
        raise AirflowException(unsent_words(failures))


def send_by(names: Iterable[str], message: Message, alerts: Alerts, context: Context) -> dict[str, str]:
    """Send ``message`` by the channels ``names`` that ``alerts`` still has; what went wrong, by channel."""
    failures = {}
    message = message.for_people()
    for name in names:
        if name not in channels(alerts):
            continue
        try:
            _DELIVER[name](message, alerts, context)
        except (
            OSError, ValueError, requests.RequestException, AirflowException, AirflowRuntimeError,
        ) as error:  # fmt: skip
            failures[name] = str(error) or type(error).__name__
            log.error("the alert %r did not get out by %s: %s", message.title, name, failures[name])
    return failures


def unsent_words(failures: Mapping[str, str]) -> str:
    """What to tell of channels that failed."""
    return f"the alert could not be sent: {'; '.join(f'{name}: {why}' for name, why in failures.items())}"


def _mail(message: Message, alerts: Alerts, context: Context) -> None:
    # notify() and not a call: a call would render the text as a template, and upstream's words are in it.
    SmtpNotifier(
        to=list(alerts.email_to),
        from_email=alerts.email_from,
        subject=message.subject,
        html_content=message.html(),
        smtp_conn_id=alerts.smtp_connection,
    ).notify(context)


def _slack(message: Message, alerts: Alerts, _: Context) -> None:
    connection = Connection.get(alerts.slack_connection or "")
    _posted(slack_url(connection), slack_payload(message))


def _webhook(message: Message, alerts: Alerts, _: Context) -> None:
    connection = Connection.get(alerts.webhook_connection or "")
    _posted(
        webhook_url(connection),
        message.payload(),
        headers=_headers(connection),
        auth=(connection.login, connection.password or "") if connection.login else None,
    )


def _headers(connection: Connection) -> dict[str, str]:
    headers = _extra(connection).get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError(
            f"`headers` in the extra of the connection {connection.conn_id} is to be an object of texts, "
            'like {"headers": {"X-Token": "..."}}'
        )
    return headers


def _extra(connection: Connection) -> dict[str, Any]:
    extra: object = connection.extra_dejson
    if not isinstance(extra, dict):
        raise ValueError(
            f"the extra of the connection {connection.conn_id} is to be an object, "
            'like {"endpoint": "/hook"}'
        )
    return extra


def _posted(url: str, body: dict[str, Any], **more: Any) -> None:
    """POST; the address can be a secret (Slack's is), so errors do not show it.

    A redirect is an error: to follow it makes a GET of most, which is answered well and tells nobody, and
    takes the secrets in ``headers`` to wherever it leads.
    """
    try:
        answer = requests.post(url, json=body, timeout=TIMEOUT, allow_redirects=False, **more)
    except requests.RequestException as error:
        raise OSError(f"the address of the connection does not answer ({type(error).__name__})") from None
    if 300 <= answer.status_code < 400:
        raise ValueError(
            f"answered {answer.status_code}, a redirect, which is not followed: put the address that it "
            "leads to into the connection (is it https instead of http?)"
        )
    if not answer.ok:
        raise ValueError(f"answered {answer.status_code}: {answer.text[:200]}")


_DELIVER: dict[str, Deliver] = {MAIL: _mail, SLACK: _slack, WEBHOOK: _webhook}


def webhook_url(connection: Connection) -> str:
    """The address of an Airflow connection of type HTTP.

    Airflow keeps an address in pieces, and people fill them in differently: the host may be a whole URL
    or hold a path; ``schema`` is the scheme, or the path when the connection was given as a URI; the
    path may also be the extra ``endpoint``.
    """
    if not connection.host:
        raise ValueError(f"the connection {connection.conn_id} names no host")
    schema = connection.schema or ""
    endpoint = str(_extra(connection).get("endpoint", "")).lstrip("/")
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
