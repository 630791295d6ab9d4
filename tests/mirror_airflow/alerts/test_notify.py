"""People are notified of an event once; what is not delivered is kept."""

from pathlib import Path

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from mirror_airflow.alerts import channels
from mirror_airflow.alerts.message import Message
from mirror_airflow.alerts.notify import notify
from mirror_airflow.configuration import Configuration, load_configuration
from pypi_mirror.mirror import open_mirror
from pypi_mirror.runs.raise_alerts import Event, notification_state
from pypi_mirror.settings.read import read_settings

MESSAGE = Message(
    alert="run-failed", title="alpha failed", summary="It failed.", mirror="m", link="http://a.example"
)
EVENT = Event(key="run-failed", about="manual__1", title="alpha failed")


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    path = tmp_path / "mirror.conf"
    path.write_text(
        "[mirror]\ndirectory = data\nmaster = https://index.example\n"
        "[alerts]\nslack-connection = slack\nwebhook-connection = hook\n"
    )
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(path))
    return load_configuration()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """By the webhook; Slack fails."""
    messages: list[Message] = []

    def refuse(*_: object) -> None:
        raise ValueError("answered 503")

    deliver = {"slack": refuse, "webhook": lambda message, *_: messages.append(message)}
    monkeypatch.setattr(channels, "_DELIVER", deliver)
    return messages


def test_it_is_sent_once_and_kept_for_the_channel_that_failed(
    configuration: Configuration, heard: list[Message]
) -> None:
    with pytest.raises(AirflowException, match="slack: answered 503; pypi_mirror_watch retries it"):
        notify(configuration, MESSAGE, EVENT, Context())
    notify(configuration, MESSAGE, EVENT, Context())
    assert heard == [MESSAGE]
    with open_mirror(read_settings(configuration.path)) as mirror:
        (pending,) = notification_state(mirror).pending
    assert pending.channels == ("slack",)
    assert Message.decoded(pending.message) == MESSAGE


def test_without_a_ledger_it_is_sent(
    configuration: Configuration, heard: list[Message], tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("where the mirror was")
    with pytest.raises(AirflowException, match="slack: answered 503"):
        notify(configuration, MESSAGE, EVENT, Context())
    assert heard == [MESSAGE]
