import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from mirror_airflow import alerts
from mirror_airflow.message import FailureMessage
from pypi_mirror.settings.values import Alerts

MESSAGE = FailureMessage(run="a run", mirror="http://mirror.example", link="http://airflow.example")
BOTH = Alerts(email_to=("admin@example.com",), webhook_connection="hook")


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
def test_the_address_is_put_together_as_people_fill_it_in(connection: dict[str, object], url: str) -> None:
    assert alerts.webhook_url(Connection(conn_id="hook", **connection)) == url  # type: ignore[arg-type]


def test_a_connection_without_a_host_says_so() -> None:
    with pytest.raises(ValueError, match="hook names no host"):
        alerts.webhook_url(Connection(conn_id="hook", conn_type="http"))


def test_a_mail_that_cannot_be_sent_does_not_keep_the_webhook_back(monkeypatch: pytest.MonkeyPatch) -> None:
    posted = []

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("no mail server")

    monkeypatch.setattr(alerts, "_mail", refuse)
    monkeypatch.setattr(alerts, "_post", lambda message, connection: posted.append((message, connection)))
    with pytest.raises(AirflowException, match="mail: no mail server"):
        alerts.send(MESSAGE, BOTH, {})
    assert posted == [(MESSAGE, "hook")]


def test_nobody_is_told_where_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "_mail", lambda *_: pytest.fail("sent a mail"))
    monkeypatch.setattr(alerts, "_post", lambda *_: pytest.fail("called a webhook"))
    alerts.send(MESSAGE, Alerts(), {})
