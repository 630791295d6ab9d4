"""Slack's JSON, as its documentation of Block Kit and of mrkdwn has it."""

from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk import Connection

from mirror_airflow.alerts.channels import LONGEST_HEADER, LONGEST_SECTION, slack_payload, slack_url
from mirror_airflow.alerts.message import FailedProject, Message, Status

MESSAGE = Message(
    alert="run-failed",
    title="1 project failed: alpha",
    summary="The run manual__1 of the mirror http://mirror.example has failed.",
    mirror="http://mirror.example",
    link="http://airflow.example/dags/pypi_mirror/runs/manual__1?a=1&b=2",
    run="manual__1",
    projects=(FailedProject(project="alpha", error="CutOff", reason="it broke"),),
    advice=("Nothing to do.",),
)


def test_the_whole_of_it() -> None:
    assert slack_payload(MESSAGE) == {
        "text": "pypi-mirror: 1 project failed: alpha (manual__1)",
        "blocks": [
            {
                "type": "header",
                "text": {
                    "type": "plain_text",
                    "text": "🔴 pypi-mirror: 1 project failed: alpha",
                    "emoji": False,
                },
            },
            section("The run manual__1 of the mirror http://mirror.example has failed."),
            section("• *`alpha`* CutOff: it broke"),
            section("Nothing to do."),
            {
                "type": "context",
                "elements": [
                    {
                        "type": "mrkdwn",
                        "text": "<http://airflow.example/dags/pypi_mirror/runs/manual__1?a=1&amp;b=2|Open in "
                        "Airflow>  ·  alert `run-failed` (docs/operations.md#run-failed)",
                    }
                ],
            },
        ],
    }


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_nothing_that_upstream_says_calls_a_channel_or_makes_a_link() -> None:
    evil = FailedProject(
        project="a`b", error="CutOff", reason="<!channel> <http://evil.example|click> & <@U1>"
    )
    payload = slack_payload(replace(MESSAGE, projects=(evil,), title="<!here> & you"))
    (_, _, listed, *_) = payload["blocks"]
    assert listed["text"]["text"] == (
        "• *`a'b`* CutOff: &lt;!channel&gt; &lt;http://evil.example|click&gt; &amp; &lt;@U1&gt;"
    )
    assert payload["text"] == "pypi-mirror: &lt;!here&gt; &amp; you (manual__1)"


def test_slacks_limits_are_kept_and_no_entity_is_cut_in_two() -> None:
    many = tuple(FailedProject(project=f"p{n}", error="E", reason="&" * 400) for n in range(60))
    payload = slack_payload(replace(MESSAGE, projects=many, title="word " * 90, summary="& " * 3000))
    assert len(payload["blocks"]) <= 50
    assert len(payload["blocks"][0]["text"]["text"]) <= LONGEST_HEADER
    for block in payload["blocks"][1:-1]:
        text = block["text"]["text"]
        assert 0 < len(text) <= LONGEST_SECTION
        assert text.replace("&amp;", "").count("&") == 0
    assert payload["blocks"][2]["text"]["text"].endswith("\n…")


def test_a_recovery_looks_like_one() -> None:
    header = slack_payload(replace(MESSAGE, status=Status.RESOLVED))["blocks"][0]["text"]["text"]
    assert header.startswith("🟢")


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"password": "https://hooks.example/services/T/B/x"}, "https://hooks.example/services/T/B/x"),
        ({"password": "T/B/x"}, "https://hooks.slack.com/services/T/B/x"),
        ({"password": "/T/B/x", "host": "hooks.example/services"}, "https://hooks.example/services/T/B/x"),
        (
            {"password": "T/B/x", "host": "hooks.example/services", "schema": "http"},
            "http://hooks.example/services/T/B/x",
        ),
        (
            {"password": "T/B/x", "host": "http://127.0.0.1:81/services/"},
            "http://127.0.0.1:81/services/T/B/x",
        ),
    ],
)
def test_the_address_is_a_secret_in_pieces(connection: dict[str, str], url: str) -> None:
    assert slack_url(Connection(conn_id="slack", conn_type="http", **connection)) == url  # type: ignore[arg-type]


def test_a_connection_without_the_secret_says_so() -> None:
    with pytest.raises(ValueError, match="slack has no password"):
        slack_url(Connection(conn_id="slack", conn_type="http", host="hooks.example"))
