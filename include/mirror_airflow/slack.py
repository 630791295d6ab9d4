"""A message in Slack's format: blocks of mrkdwn, and a line for notifications.

Slack's own provider for Airflow would bring nine packages (its SDK needs aiohttp) to POST this JSON; the
connection is filled in as that provider has it.
"""

from typing import Any
from urllib.parse import urlsplit

from airflow.sdk import Connection

from mirror_airflow.message import Message, Status

# Of Slack's Block Kit: a header's and a section's text, in characters, and the blocks of a message.
LONGEST_HEADER = 150
LONGEST_SECTION = 3000
ENDPOINT = "https://hooks.slack.com/services"

SIGNS = {Status.FIRING: "🔴", Status.RESOLVED: "🟢", Status.TEST: "🔵"}


def slack_payload(message: Message) -> dict[str, Any]:
    """The body for an incoming webhook."""
    header = _cut(f"{SIGNS[message.status]} pypi-mirror: {' '.join(message.title.split())}", LONGEST_HEADER)
    listed = "\n".join(
        f"• *{_code(name)}* {escape(reason)}" if name else f"• {escape(reason)}"
        for name, reason in message.listed()
    )
    parts = [escape(message.summary), listed, *(escape(sentence) for sentence in message.advice)]
    where = (
        f"<{escape(message.link)}|Open in Airflow>  ·  alert `{message.alert}` ({escape(message.runbook)})"
    )
    return {
        "text": escape(message.subject),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": header, "emoji": False}},
            *(_section(part) for part in parts if part),
            {"type": "context", "elements": [{"type": "mrkdwn", "text": where}]},
        ],
    }


def escape(text: str) -> str:
    """Text that stays text: in mrkdwn these three begin links, mentions (<!channel>) and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def slack_url(connection: Connection) -> str:
    """The webhook's address: the password is its token, or the whole address.

    Raises ValueError when there is none.
    """
    secret = (connection.password or "").strip()
    if not secret:
        raise ValueError(
            f"the connection {connection.conn_id} has no password: it is the URL of Slack's webhook"
        )
    if "://" in secret:
        return secret
    host = connection.host or urlsplit(ENDPOINT).netloc + urlsplit(ENDPOINT).path
    base = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return f"{base.rstrip('/')}/{secret.lstrip('/')}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, LONGEST_SECTION)}}


def _code(name: str) -> str:
    return f"`{escape(name).replace('`', chr(39))}`"


def _cut(text: str, most: int) -> str:
    """At most ``most`` characters; the end is cut at a line, so that no entity is cut in two."""
    if len(text) <= most:
        return text
    whole = text[: most - 2].rpartition("\n")[0]
    return f"{whole}\n…" if whole else f"{text[: most - 8].rpartition(' ')[0]} …"
