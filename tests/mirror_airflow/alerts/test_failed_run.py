"""What the message about a failed run names, and what it leaves out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from packaging.utils import NormalizedName

from mirror_airflow.alerts.failed_run import causes, failure_message, failures_to_report
from mirror_airflow.alerts.message import MOST_LISTED, FailedProject, FailedTask, Message
from mirror_airflow.configuration import Configuration
from pypi_mirror.errors import RunStopped
from pypi_mirror.fetching.failure_limit import FailureLimit
from pypi_mirror.ledger.backlog import BacklogEntry
from pypi_mirror.ledger.results import Failed
from pypi_mirror.settings.cooldown import CooldownSchedule
from pypi_mirror.settings.values import Alerts, Audit, Schedule
from tests.ledger.samples import planned


def stopped(most: int, option: str, *, by: str) -> FailedTask:
    """A batch that stopped after one failure more than ``most``; what its task leaves in XCom."""
    limit = FailureLimit(most, lambda: 0, option=option)
    for _ in range(most + 1):
        limit.failed(Failed(planned=planned("alpha"), error="StalePage", reason="it is old"))
    return FailedTask(task=by, error=RunStopped.__name__, reason=str(limit()))


OTHER = FailedTask(task="reload_nginx", error="WebServerError", reason="nginx does not run")


def test_what_stop_on_error_stopped_adds_nothing_to_the_project() -> None:
    batch = stopped(0, "stop-on-error", by="download_projects [1]")
    sibling = FailedTask(task="download_projects [2]", error="RunStopped", reason="another batch failed")
    end = FailedTask(task="report", error="RunFailed", reason="1 project failed")
    assert causes((batch, OTHER, sibling, end)) == (OTHER,)


def test_that_failures_were_too_many_is_said_once() -> None:
    first, second = (stopped(2, "max-failures = 2", by=f"download_projects [{n}]") for n in (1, 2))
    sibling = FailedTask(task="download_projects [0]", error="RunStopped", reason="another batch failed")
    assert causes((sibling, first, OTHER, second)) == (OTHER,)
    projects = failures_to_report((ENTRY, BETA), silenced=(), known=()).reported
    message = said(projects=projects, tasks=(sibling, first, OTHER, second), about_projects=True)
    assert message.tasks == (OTHER,)
    assert message.text().count("published nothing") == 1
    assert "The log of the task" not in message.text()


ENTRY = BacklogEntry(
    project=NormalizedName("alpha"), display_name="Alpha", error="DigestMismatch", reason="sha256 is x",
    serial=1, exact=True, announced=None, attempts=10, first_run_id=1, first_failed_at=0, last_failed_at=0,
    next_try_at=1_700_000_000, parked=True, lagging=False, gone=False,
)  # fmt: skip
BETA = replace(ENTRY, project=NormalizedName("beta"), parked=False, attempts=1)


def test_a_silenced_project_and_a_parked_one_that_people_know_of_are_left_out() -> None:
    known = {"alpha: DigestMismatch"}
    every = failures_to_report((ENTRY, BETA), silenced=(), known=())
    assert [p.project for p in every.reported] == ["alpha", "beta"]
    kept = failures_to_report((ENTRY, BETA), silenced=(), known=known)
    assert ([p.project for p in kept.reported], kept.silenced) == (["beta"], 1)
    none = failures_to_report((ENTRY, BETA), silenced=("beta",), known=known)
    assert (none.reported, none.silenced) == ((), 2)
    # It fails for another reason now.
    other = replace(ENTRY, error="StalePage")
    assert [p.project for p in failures_to_report((other,), silenced=(), known=known).reported] == ["alpha"]
    # One that is not parked is reported each time.
    unparked = replace(ENTRY, parked=False)
    assert failures_to_report((unparked,), silenced=(), known=known).reported


def configuration() -> Configuration:
    return Configuration(
        path=Path("/etc/mirror.conf"),
        schedule=Schedule(cron="0 * * * *"),
        alerts=Alerts(),
        audit=Audit(),
        cooldown=CooldownSchedule(),
        settings=None,
    )


def said(**changes: Any) -> Message:
    parts = {
        "alert": "run-failed",
        "label": "manual__1",
        "link": "http://airflow.example",
        "projects": (),
        "tasks": (),
        "about_projects": False,
    }
    return failure_message(
        configuration(), **{**parts, **changes, "now": datetime(2026, 1, 1, 10, 30, tzinfo=UTC)}
    )


def test_the_message_says_which_projects_what_to_do_and_when_the_next_run_is() -> None:
    (project,) = failures_to_report((ENTRY,), silenced=(), known=()).reported
    assert said(projects=(project,)).text() == (
        "The run manual__1 of the mirror mirror.conf failed: 1 project failed: alpha.\n"
        "- alpha: DigestMismatch: sha256 is x (retried after 2023-11-14 22:13 UTC)\n"
        "A file differs from what its page announces, mostly because a cache or proxy in between is broken. "
        "Later runs retry it. If it lasts, ask upstream's operators; the file was not published.\n"
        "The next run by schedule is due at 2026-01-01 11:00 UTC.\n"
        "See: http://airflow.example\n"
        "Alert: run-failed (docs/operations.md#run-failed)"
    )


def test_the_title_names_the_first_projects_or_the_first_task() -> None:
    many = tuple(FailedProject(project=f"p{n}", error="CutOff", reason="x") for n in range(5))
    assert said(projects=many).title == "5 projects failed: p0, p1, p2 and 2 more"
    assert said(tasks=(OTHER,)).title == "reload_nginx failed"
    assert "nginx did not load its configuration" in said(tasks=(OTHER,)).text()
    assert said().title == "it ended without an error"


def test_a_huge_backlog_makes_no_huge_message() -> None:
    many = tuple(FailedProject(project=f"p{n}", error="CutOff", reason="it broke") for n in range(100_000))
    message = said(projects=many)
    assert message.title == "100,000 projects failed: p0, p1, p2 and 99,997 more"
    assert (len(message.projects), message.unlisted) == (MOST_LISTED, 100_000 - MOST_LISTED)
    assert len(message.encoded()) < 10_000
    assert len(str(message.payload())) < 10_000
