"""A watch without a scheduler: its messages, and what it does when it fails itself."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from mirror_airflow import watch_run
from mirror_airflow.alerts.message import Message, Status
from mirror_airflow.configuration import load_configuration
from mirror_airflow.task_errors import RunFailed
from mirror_airflow.watch_run import FAILED_VARIABLE, TRIES, notification_message, watch, watch_page
from pypi_mirror.alerts.conditions import Condition, audit_failed, run_failed
from pypi_mirror.alerts.notification_state import Notification, Phase
from pypi_mirror.errors import ConfigurationError, LedgerError, LedgerUnavailable, WrongDisk
from pypi_mirror.mirror import open_mirror
from pypi_mirror.settings.read import read_settings

NAME = "http://mirror.example/pypi"
CONF = "[mirror]\ndirectory = data\nmaster = https://index.example\n[alerts]\nwebhook-connection = hook\n"
STALE = Condition(
    key="stale", title="the mirror has been behind upstream for 2 h", advice="No run is in progress."
)


class Variables:
    """Airflow's variables, in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def get(self, key: str, default: str | None = None) -> str | None:
        return self.kept.get(key, default)

    def set(self, key: str, value: str) -> None:
        self.kept[key] = value

    def delete(self, key: str) -> None:
        del self.kept[key]


@dataclass
class Watched:
    """A configuration, and what a watch of it does."""

    conf: Path
    sent: list[Message] = field(default_factory=list)
    refuses: bool = False
    error: Exception | None = None
    variables: Variables = field(default_factory=Variables)

    def __call__(self, *, try_number: int = TRIES + 1, test: bool = False) -> dict[str, int]:
        @dataclass
        class Part:
            try_number: int = 0
            dag_id: str = "pypi_mirror_watch"

        context: Any = {
            "params": {"test_message": test},
            "ti": Part(try_number=try_number),
            "dag": Part(),
            "run_id": "manual__1",
        }
        return watch(context)

    def see(self, *_: object) -> dict[str, int]:
        if self.error is not None:
            raise self.error
        return {"notified": 0, "active": 0}

    def send(self, message: Message, *_: object) -> None:
        if self.refuses:
            raise AirflowException("the alert could not be sent: webhook: no")
        self.sent.append(message)

    def heard(self) -> list[tuple[str, Status]]:
        return [(message.title, message.status) for message in self.sent]


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    found = Watched(conf=tmp_path / "mirror.conf")
    found.conf.write_text(CONF)
    (tmp_path / "data" / "web").mkdir(parents=True)
    monkeypatch.setenv("PYPI_MIRROR_CONF", str(found.conf))
    monkeypatch.setattr(watch_run, "send", found.send)
    monkeypatch.setattr(watch_run, "Variable", found.variables)
    monkeypatch.setattr(watch_run, "_watch", found.see)
    return found


BEGUN = ("the mirror cannot be watched", Status.FIRING)
ENDED = ("the mirror is watched again", Status.RESOLVED)


def test_people_are_notified_when_the_watch_fails_by_reminders_and_when_it_recovers(watched: Watched) -> None:
    watched.error = LedgerError("the ledger is gone")
    for _ in range(2):
        with pytest.raises(LedgerError):
            watched()
    assert watched.heard() == [BEGUN]
    assert watched.sent[0].details == ("LedgerError: the ledger is gone",)
    watched.variables.kept[FAILED_VARIABLE] = '{"told_at": 0}'
    with pytest.raises(LedgerError):
        watched()
    assert watched.heard() == [BEGUN, BEGUN]
    watched.error = None
    watched()
    watched()
    assert watched.heard() == [BEGUN, BEGUN, ENDED]


def test_a_transient_error_is_notified_after_the_last_retry(watched: Watched) -> None:
    watched.error = LedgerUnavailable("the database is away")
    with pytest.raises(LedgerUnavailable):
        watched(try_number=TRIES)
    assert watched.sent == []
    with pytest.raises(LedgerUnavailable):
        watched(try_number=TRIES + 1)
    assert watched.heard() == [BEGUN]


def test_a_broken_configuration_is_notified_to_whom_it_still_names(watched: Watched) -> None:
    watched.conf.write_text(CONF + "no-such-key = 1\n")
    watched.error = ConfigurationError(watched.conf, [])
    with pytest.raises(ConfigurationError):
        watched()
    assert watched.heard() == [BEGUN]
    assert load_configuration().alerts.webhook_connection == "hook"


def test_what_was_not_delivered_is_sent_by_the_next_watch(watched: Watched) -> None:
    watched.error = LedgerError("the ledger is gone")
    watched.refuses = True
    with pytest.raises(LedgerError):
        watched()
    watched.refuses = False
    with pytest.raises(LedgerError):
        watched()
    assert watched.heard() == [BEGUN]
    watched.error, watched.refuses = None, True
    with pytest.raises(RunFailed, match="the next watch retries it"):
        watched()
    watched.refuses = False
    watched()
    assert watched.heard() == [BEGUN, ENDED]


def test_before_there_is_a_mirror_there_is_nothing_to_watch(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "data" / "web").rmdir()
    watched.error = LedgerError("it would be made")
    assert watched() == {"notified": 0, "active": 0}


def test_a_test_message_says_that_nothing_is_wrong(watched: Watched) -> None:
    assert watched(test=True) == {"notified": 1, "active": 0}
    (message,) = watched.sent
    assert (message.status, message.run) == (Status.TEST, "manual__1")
    assert "nothing is wrong" in message.text()
    watched.refuses = True
    with pytest.raises(RunFailed, match="webhook: no"):
        watched(test=True)
    watched.conf.write_text(CONF.replace("webhook-connection = hook", ""))
    with pytest.raises(RunFailed, match="has no channel"):
        watched(test=True)


def test_a_notification_has_the_words_of_its_condition_and_links_the_page() -> None:
    begun = Notification(key="stale", phase=Phase.STARTED, since=7200, title=STALE.title, condition=STALE)
    message = notification_message(begun, NAME)
    assert message.summary == f"The mirror {NAME}: the mirror has been behind upstream for 2 h."
    assert message.link.endswith("/pypi-mirror/")
    assert message.advice == (STALE.advice,)
    assert "first notified" not in message.text()
    lasts = Notification(key="stale", phase=Phase.ONGOING, since=0, title=STALE.title, condition=STALE)
    assert "- first notified: 1970-01-01 00:00 UTC" in notification_message(lasts, NAME).text()


def test_the_end_of_a_condition_says_what_it_was() -> None:
    message = notification_message(
        Notification(key="stale", phase=Phase.ENDED, since=0, title="it was old"), NAME
    )
    assert (message.status, message.title) == (Status.RESOLVED, "the mirror is up to date again")
    assert "- it was: it was old\n- first notified: 1970-01-01 00:00 UTC" in message.text()


@pytest.mark.parametrize(
    ("condition", "link"),
    [
        (run_failed(label="manual__1", failed_at=0, reason="x"), "/dags/pypi_mirror/runs/manual__1"),
        (
            audit_failed(label="audit scheduled__1", failed_at=0, reason="x"),
            "/dags/pypi_mirror_audit/runs/scheduled__1",
        ),
        (run_failed(label="host, process 5", failed_at=0, reason="x"), "/pypi-mirror/"),
    ],
)
def test_a_run_of_airflow_is_linked_and_one_of_the_command_line_is_not(
    condition: Condition, link: str
) -> None:
    notice = Notification(
        key=condition.key, phase=Phase.STARTED, since=0, title=condition.title, condition=condition
    )
    assert notification_message(notice, NAME).link.endswith(link)


def test_its_page_says_who_is_notified_and_what_is_wrong_with_the_configuration(watched: Watched) -> None:
    page = watch_page(load_configuration())
    assert "- notified by: webhook" in page
    assert "`*/15 * * * *` (UTC)" in page
    watched.conf.write_text(CONF + "no-such-key = 1\n")
    assert "mirror.conf:6" in watch_page(load_configuration())


def test_a_disk_that_is_not_mounted_is_an_alert(
    tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger is elsewhere, as on PostgreSQL: it is all that is left of the mirror."""
    watched.conf.write_text(f"{CONF}[ledger]\nurl = sqlite:///{tmp_path}/elsewhere.sqlite\n")
    disk = tmp_path / "data"
    shutil.rmtree(disk)
    disk.mkdir()
    assert watched() == {"notified": 0, "active": 0}
    assert list(disk.iterdir()) == []
    assert not (tmp_path / "elsewhere.sqlite").exists()
    settings = read_settings(watched.conf)
    with open_mirror(settings):
        pass

    def see(*_: object) -> dict[str, int]:
        with open_mirror(settings):
            return {"notified": 0, "active": 0}

    monkeypatch.setattr(watch_run, "_watch", see)
    watched()
    shutil.move(disk, tmp_path / "unmounted")
    disk.mkdir()
    for _ in range(2):
        with pytest.raises(WrongDisk):
            watched()
    assert watched.heard() == [BEGUN]
    assert "the disk is not mounted" in watched.sent[0].details[0]
    assert "adopt-disk" in watched.sent[0].advice[0]
    assert list(disk.iterdir()) == []
    disk.rmdir()
    shutil.move(tmp_path / "unmounted", disk)
    watched()
    assert watched.heard() == [BEGUN, ENDED]
