"""Notifications under Airflow's real scheduler: a mail server, Slack's and another webhook listen."""

import time
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from pypi_mirror.cli import main
from tests.dags.real_airflow import DAG_ID, SLACK_TOKEN, WATCH_ID, RealAirflow
from tests.warehouse import Fault, Upload, Warehouse, Wheel, running
from tests.warehouse.faults import Instead

pytestmark = [pytest.mark.airflow, pytest.mark.servers]

# A second and a half: the mirror of a test is not behind for a day.
STALE_AT_ONCE = "stale-after = 0.0004"


@pytest.mark.database("sqlite")
def test_people_are_notified_once_of_staleness_a_failed_run_and_recovery(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    mirror = tmp_path / "mirror"
    with running(Warehouse(Upload(distribution=Wheel(name="alpha")))) as upstream:
        airflow.configure(mirror, upstream.url, alerts=STALE_AT_ONCE)
        heard = Heard(airflow)
        sync(airflow)

        # Nothing runs, and upstream moves on.
        airflow.api.pause(DAG_ID, paused=True)
        runs = len(airflow.api.runs(DAG_ID))
        upstream.apply(Upload(distribution=Wheel(name="broken")))
        time.sleep(2)
        assert watch(airflow) == "success"
        assert len(airflow.api.runs(DAG_ID)) == runs
        assert [(c["alert"], c["status"]) for c in heard.calls()] == [("stale", "firing")]
        assert "has been behind upstream for" in heard.mails()[0]["Subject"]
        assert f"upstream at {upstream.warehouse.serial}" in heard.calls()[0]["text"]
        at = notified(airflow, "stale")
        assert watch(airflow) == "success"
        assert notified(airflow, "stale") == at, "people were notified before"
        assert len(heard.distinct()) == 1

        # A run fails while Slack is out of order; it notifies the others, the next watch Slack.
        upstream.faults.inject(Fault(path="/simple/broken/*", effect=Instead(body="{"), times=None))
        airflow.slack.refuses = True
        airflow.api.pause(DAG_ID, paused=False)
        failed = airflow.run()
        assert airflow.api.run_state(DAG_ID, failed) == "failed"
        text, call = airflow.notified(failed)
        assert (call["alert"], call["status"]) == ("run-failed", "firing")
        assert [p["project"] for p in call["projects"]] == ["broken"]
        assert "retried after" in text
        assert call["url"] in text
        assert failed not in str(heard.slack())
        airflow.slack.refuses = False

        # And then one succeeds.
        upstream.faults.clear()
        sync(airflow, "broken")
        sync(airflow)
        airflow.await_(lambda: pending(airflow) == ["slack"], lambda: "the failed channel was not kept")
        time.sleep(0.1)
        age_pending(airflow)
        assert watch(airflow) == "success"
        ended = [c["alert"] for c in heard.distinct() if c["status"] == "resolved"]
        assert sorted(ended) == ["run-failed", "stale"]
        assert failed in str(heard.slack())
        assert pending(airflow) == []
        resolved = [m["Subject"] for m in heard.mails() if "again" in m["Subject"]]
        assert len(resolved) == 2
        assert watch(airflow) == "success"
        assert len(heard.distinct()) == 4


@pytest.mark.database("sqlite")
def test_a_test_message_goes_out_by_every_channel_and_names_one_that_fails(
    airflow: RealAirflow, tmp_path: Path
) -> None:
    airflow.configure(tmp_path / "mirror", "http://127.0.0.1:9")
    heard = Heard(airflow)
    assert watch(airflow, {"test_message": True}) == "success"
    assert [c["status"] for c in heard.calls()] == ["test"]
    assert len(heard.mails()) == 1
    ((path, shown),) = heard.slack()
    assert path == f"/services/{SLACK_TOKEN}"
    assert shown["blocks"][0]["text"]["text"] == "🔵 pypi-mirror: a test message"
    airflow.slack.refuses = True
    try:
        run_id = airflow.api.trigger(WATCH_ID, {"test_message": True})
        assert airflow.wait(run_id, WATCH_ID) == "failed"
    finally:
        airflow.slack.refuses = False
    assert len(heard.calls()) == 2, "the others have it"


class Heard:
    """What was heard since."""

    def __init__(self, airflow: RealAirflow) -> None:
        self._airflow = airflow
        self._before = (len(airflow.webhook.calls), len(airflow.mail.messages), len(airflow.slack.calls))

    def calls(self) -> list[dict[str, Any]]:
        return [body for _, body in self._airflow.webhook.calls[self._before[0] :]]

    def distinct(self) -> list[dict[str, Any]]:
        """A message that took too long to be taken, as on a busy machine, is rightly sent again."""
        calls = self.calls()
        return [call for number, call in enumerate(calls) if call not in calls[:number]]

    def mails(self) -> list[EmailMessage]:
        return self._airflow.mail.messages[self._before[1] :]

    def slack(self) -> list[tuple[str, dict[str, Any]]]:
        return self._airflow.slack.calls[self._before[2] :]


def watch(airflow: RealAirflow, params: dict[str, Any] | None = None) -> str:
    return airflow.wait(airflow.api.trigger(WATCH_ID, params or {}), WATCH_ID)


def sync(airflow: RealAirflow, *projects: str) -> None:
    """A run beside Airflow's."""
    assert main(["sync", "-c", str(airflow.conf), *projects]) == 0


def notified(airflow: RealAirflow, key: str) -> int:
    """When people were last notified of it."""
    from pypi_mirror.runs.raise_alerts import notification_state

    with airflow.mirror() as mirror:
        return notification_state(mirror).notified[key].notified_at


def pending(airflow: RealAirflow) -> list[str]:
    """The channels that have not taken a message."""
    from pypi_mirror.runs.raise_alerts import notification_state

    with airflow.mirror() as mirror:
        return [channel for each in notification_state(mirror).pending for channel in each.channels]


def age_pending(airflow: RealAirflow) -> None:
    """As if the sender of the messages were long gone."""
    import msgspec

    from pypi_mirror.facts.facts import Facts
    from pypi_mirror.runs.raise_alerts import notification_state

    with airflow.mirror() as mirror:
        state = notification_state(mirror)
        aged = tuple(
            msgspec.structs.replace(each, created_at=each.created_at - 600) for each in state.pending
        )
        mirror.ledger.facts.put(Facts.alerts.to(msgspec.structs.replace(state, pending=aged)))
