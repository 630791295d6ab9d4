"""Sends a message by mail, to Slack and to a webhook; secrets stay in Airflow's connections.

Slack's own provider would bring nine packages (its SDK needs aiohttp) to POST the same JSON; the connection
is filled in as that provider has it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from airflow.sdk import Connection, Context
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError

from mirror_airflow.alerts.message import Message, Status
from pypi_mirror.settings.values import Alerts

log = logging.getLogger(__name__)

MAIL, SLACK, WEBHOOK = "mail", "slack", "webhook"

TIMEOUT = 30
WEB = ("http", "https")

# Slack's Block Kit: the longest text of a header and of a section, in characters.
LONGEST_HEADER = 150
LONGEST_SECTION = 3000
SLACK_ENDPOINT = "https://hooks.slack.com/services"
SIGNS = {Status.FIRING: "🔴", Status.RESOLVED: "🟢", Status.TEST: "🔵"}

Deliver = Callable[[Message, Alerts, Context], None]


def channels(alerts: Alerts) -> tuple[str, ...]:
    """The channels that ``alerts`` configures."""
    configured = {
        MAIL: bool(alerts.email_to),
        SLACK: alerts.slack_connection is not None,
        WEBHOOK: alerts.webhook_connection is not None,
    }
    return tuple(channel for channel in configured if configured[channel])


def send(message: Message, alerts: Alerts, context: Context) -> None:
    """Send ``message`` by every channel of ``alerts``; one that fails does not keep it from the others.

    Raises AirflowException that says why each failed.
    """
    failures = send_by(channels(alerts), message, alerts, context)
    if failures:
        raise AirflowException(not_sent(failures))


def send_by(names: Iterable[str], message: Message, alerts: Alerts, context: Context) -> dict[str, str]:
    """Send ``message`` by the channels ``names`` that ``alerts`` still has; return failures by channel."""
    failures = {}
    message = message.for_people()
    for name in names:
        if name not in channels(alerts):
            continue
        try:
            _DELIVER[name](message, alerts, context)
        except (OSError, ValueError, AirflowException, AirflowRuntimeError) as error:
            failures[name] = str(error) or type(error).__name__
            log.error("the alert %r was not sent by %s: %s", message.title, name, failures[name])
    return failures


def not_sent(failures: Mapping[str, str]) -> str:
    """Half a sentence about the channels that failed."""
    return f"the alert could not be sent: {'; '.join(f'{name}: {why}' for name, why in failures.items())}"


def _mail(message: Message, alerts: Alerts, context: Context) -> None:
    # Imported here as requests is below: DAG files import this module for the names of the channels.
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier

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
    _post(slack_url(connection), slack_payload(message))


def _webhook(message: Message, alerts: Alerts, _: Context) -> None:
    connection = Connection.get(alerts.webhook_connection or "")
    _post(
        webhook_url(connection),
        message.payload(),
        headers=_headers(connection),
        auth=(connection.login, connection.password or "") if connection.login else None,
    )


_DELIVER: dict[str, Deliver] = {MAIL: _mail, SLACK: _slack, WEBHOOK: _webhook}


def _post(url: str, body: dict[str, Any], **more: Any) -> None:
    """POST; the address can be a secret (Slack's is), so errors do not show it.

    A redirect is an error: most clients follow it with a GET, which is answered with 200 and notifies nobody,
    and which takes the secrets in ``headers`` to another server.
    """
    import requests

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


def webhook_url(connection: Connection) -> str:
    """The address of an Airflow connection of type HTTP.

    Airflow keeps an address in pieces, and people fill them in differently: the host may be a whole URL
    or hold a path; ``schema`` is the scheme, or the path when the connection was given as a URI; the
    path may also be the extra ``endpoint``.
    """
    if not connection.host:
        raise ValueError(f"the connection {connection.conn_id} has no host")
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


def _headers(connection: Connection) -> dict[str, str]:
    headers = _extra(connection).get("headers") or {}
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise ValueError(
            f"`headers` in the extra of the connection {connection.conn_id} must map strings to strings, "
            'like {"headers": {"X-Token": "..."}}'
        )
    return headers


def _extra(connection: Connection) -> dict[str, Any]:
    extra: object = connection.extra_dejson
    if not isinstance(extra, dict):
        raise ValueError(
            f"the extra of the connection {connection.conn_id} must be an object, "
            'like {"endpoint": "/hook"}'
        )
    return extra


def slack_url(connection: Connection) -> str:
    """The webhook's address: the password is its token, or the whole address.

    Raises ValueError when there is none.
    """
    secret = (connection.password or "").strip()
    if not secret:
        raise ValueError(
            f"the connection {connection.conn_id} has no password: put the URL of Slack's webhook there"
        )
    if "://" in secret:
        return secret
    host = connection.host or urlsplit(SLACK_ENDPOINT).netloc + urlsplit(SLACK_ENDPOINT).path
    base = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return f"{base.rstrip('/')}/{secret.lstrip('/')}"


def slack_payload(message: Message) -> dict[str, Any]:
    """The body for an incoming webhook: blocks of mrkdwn, and a line for desktop notifications."""
    header = _cut(f"{SIGNS[message.status]} pypi-mirror: {' '.join(message.title.split())}", LONGEST_HEADER)
    listed = "\n".join(
        f"• *{_code(name)}* {_escape(reason)}" if name else f"• {_escape(reason)}"
        for name, reason in message.listed()
    )
    parts = [_escape(message.summary), listed, *(_escape(sentence) for sentence in message.advice)]
    where = (
        f"<{_escape(message.link)}|Open in Airflow>  ·  alert `{message.alert}` ({_escape(message.runbook)})"
    )
    return {
        "text": _escape(message.subject),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}},
            *(_section(part) for part in parts if part),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": where}]},
        ],
    }


def _escape(text: str) -> str:
    """Text that stays text: in mrkdwn these three begin links, mentions (<!channel>) and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, LONGEST_SECTION)}}


def _code(name: str) -> str:
    return f"`{_escape(name).replace('`', chr(39))}`"


def _cut(text: str, most: int) -> str:
    """At most ``most`` characters; the end is cut at a line, so that no entity is cut in two."""
    if len(text) <= most:
        return text
    whole = text[: most - 2].rpartition("\n")[0]
    return f"{whole}\n…" if whole else f"{text[: most - 8].rpartition(' ')[0]} …"
