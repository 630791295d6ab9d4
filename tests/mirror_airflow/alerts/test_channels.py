from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from airflow.sdk import Connection, Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts import channels as module
from mirror_airflow.alerts.channels import MAIL, SLACK, WEBHOOK, channels
from mirror_airflow.alerts.message import Message
from pypi_mirror.settings.values import Alerts

MESSAGE = Message(
    alert="stale",
    title="it is old",
    summary="It is old.",
    mirror="http://mirror.example",
    link="http://a.example",
)
ALL = Alerts(email_to=("admin@example.com",), slack_connection="slack", webhook_connection="hook")


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"conn_type": "http", "host": "hooks.example"}, "http://hooks.example"),
        ({"conn_type": "http", "host": "hooks.example", "schema": "https"}, "https://hooks.example"),
        (
            {"conn_type": "http", "host": "https://hooks.example/services/T1"},
            "https://hooks.example/services/T1",
        ),
        (
            {"conn_type": "http", "host": "hooks.example", "schema": "https", "port": 8443},
            "https://hooks.example:8443",
        ),
        (
            {"conn_type": "http", "host": "hooks.example/T1", "port": 81, "extra": '{"endpoint": "/B2"}'},
            "http://hooks.example:81/T1/B2",
        ),
        # As Airflow takes AIRFLOW_CONN_HOOK=http://hooks.example:81/T1 to pieces.
        (
            {"conn_type": "http", "host": "hooks.example", "port": 81, "schema": "T1"},
            "http://hooks.example:81/T1",
        ),
    ],
)
def test_the_address_is_composed_as_people_fill_it_in(connection: dict[str, object], url: str) -> None:
    assert module.webhook_url(Connection(conn_id="hook", **connection)) == url  # type: ignore[arg-type]


def test_a_connection_without_a_host_says_so() -> None:
    with pytest.raises(ValueError, match="hook has no host"):
        module.webhook_url(Connection(conn_id="hook", conn_type="http"))


def test_a_channel_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    posted = []

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("no mail server")

    def post(message: Message, *_: object) -> None:
        posted.append(message)

    monkeypatch.setattr(module, "_DELIVER", {MAIL: refuse, SLACK: post, WEBHOOK: post})
    monkeypatch.setenv("PYPI_MIRROR_CONF", "/srv/mirror.conf")
    message = replace(MESSAGE, advice=("`pypi-mirror plan` lists it",))
    with pytest.raises(AirflowException, match="the alert could not be sent: mail: no mail server"):
        module.send(message, ALL, Context())
    assert posted == [replace(MESSAGE, advice=("`pypi-mirror plan -c /srv/mirror.conf` lists it",))] * 2


def test_a_message_goes_only_to_configured_channels(monkeypatch: pytest.MonkeyPatch) -> None:
    posted = []
    deliver = {name: lambda *_, name=name: posted.append(name) for name in (MAIL, SLACK, WEBHOOK)}
    monkeypatch.setattr(module, "_DELIVER", deliver)
    module.send(MESSAGE, Alerts(), Context())
    assert posted == []
    module.send(MESSAGE, Alerts(slack_connection="slack"), Context())
    assert posted == [SLACK]
    # A pending message, of a channel that is no longer configured.
    assert module.send_by((MAIL, WEBHOOK), MESSAGE, Alerts(webhook_connection="hook"), Context()) == {}
    assert posted == [SLACK, WEBHOOK]
    assert channels(ALL) == (MAIL, SLACK, WEBHOOK)


def test_a_redirect_is_not_followed_and_the_message_not_called_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following it, the POST becomes a GET: answered with 200, and the message is lost."""
    asked = []

    class Moved(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(("POST", self.path))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(301)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(("GET", self.path))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        host = f"http://127.0.0.1:{server.server_port}/hook"
        monkeypatch.setattr(
            Connection, "get", lambda _: Connection(conn_id="hook", conn_type="http", host=host)
        )
        failures = module.send_by((WEBHOOK,), MESSAGE, ALL, Context())
        server.shutdown()
    assert asked == [("POST", "/hook")]
    assert "301, a redirect, which is not followed" in failures[WEBHOOK]
    assert "127.0.0.1" not in failures[WEBHOOK]


@pytest.mark.parametrize(
    "extra", ['{"headers": "X-Token: secret"}', '{"headers": {"X-Number": 1}}', '["secret"]']
)
def test_an_invalid_extra_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(conn_id="hook", conn_type="http", host="127.0.0.1", port=9, extra=extra)
    monkeypatch.setattr(Connection, "get", lambda _: connection)
    failures = module.send_by((WEBHOOK,), MESSAGE, ALL, Context())
    assert "the extra" in failures[WEBHOOK]
    assert "connection hook must" in failures[WEBHOOK]
    assert "secret" not in failures[WEBHOOK]


def test_what_goes_wrong_with_slack_does_not_show_its_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "http://127.0.0.1:9/services/T/B/secret"
    connection = Connection(conn_id="slack", conn_type="http", password=secret)
    monkeypatch.setattr(Connection, "get", lambda _: connection)
    failures = module.send_by((SLACK,), MESSAGE, Alerts(slack_connection="slack"), Context())
    assert list(failures) == [SLACK]
    assert "does not answer" in failures[SLACK]
    assert "secret" not in failures[SLACK]
