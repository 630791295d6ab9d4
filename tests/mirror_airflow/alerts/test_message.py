from dataclasses import replace

import pytest

from mirror_airflow.alerts.message import FailedProject, FailedTask, Message, Status


def message(projects: int = 0, tasks: int = 0, reason: str = "it broke") -> Message:
    return Message(
        alert="run-failed",
        title="something failed",
        summary="The run manual__2025 of the mirror http://mirror.example/pypi has failed.",
        mirror="http://mirror.example/pypi",
        link="http://airflow.example/dags/pypi_mirror/runs/manual__2025",
        run="manual__2025",
        projects=tuple(
            FailedProject(
                project=f"project-{n:03}", error="CutOff", reason=reason, retried_at="2026-01-01 10:00 UTC"
            )
            for n in range(projects)
        ),
        tasks=tuple(FailedTask(task=f"task_{n}", reason=reason) for n in range(tasks)),
        advice=("Nothing to do.",),
    )


def test_the_text_says_what_why_what_to_do_and_where_to_look() -> None:
    given = replace(message(projects=1, tasks=1), details=("limit: 5 projects",))
    assert given.text() == (
        "The run manual__2025 of the mirror http://mirror.example/pypi has failed.\n"
        "- project-000: CutOff: it broke (retried after 2026-01-01 10:00 UTC)\n"
        "- task_0: it broke\n"
        "- limit: 5 projects\n"
        "Nothing to do.\n"
        "See: http://airflow.example/dags/pypi_mirror/runs/manual__2025\n"
        "Alert: run-failed (docs/operations.md#run-failed)"
    )


def test_the_mail_says_the_same() -> None:
    link = "http://airflow.example/dags/pypi_mirror/runs/manual__2025"
    assert message(projects=1).html() == (
        "<p>The run manual__2025 of the mirror http://mirror.example/pypi has failed.</p>"
        "<ul><li><b>project-000</b>: CutOff: it broke (retried after 2026-01-01 10:00 UTC)</li></ul>"
        "<p>Nothing to do.</p>"
        f'<p>See: <a href="{link}">{link}</a><br>Alert: run-failed (docs/operations.md#run-failed)</p>'
    )
    assert "<ul>" not in message().html()


def test_the_subject_is_one_line_with_the_run() -> None:
    assert message().subject == "pypi-mirror: something failed (manual__2025)"
    broken = replace(message(), title="a\r\nBcc: everyone@example.com", run=None)
    assert broken.subject == "pypi-mirror: a Bcc: everyone@example.com"


def test_a_webhook_gets_the_parts_too() -> None:
    payload = replace(message(projects=1, tasks=1), status=Status.RESOLVED).payload()
    assert payload.pop("text").startswith("The run manual__2025")
    assert payload == {
        "alert": "run-failed",
        "status": "resolved",
        "title": "something failed",
        "mirror": "http://mirror.example/pypi",
        "run": "manual__2025",
        "url": "http://airflow.example/dags/pypi_mirror/runs/manual__2025",
        "projects": [{"project": "project-000", "reason": "CutOff: it broke"}],
        "more_projects": 0,
        "tasks": [{"task": "task_0", "reason": "it broke"}],
        "details": [],
        "advice": ["Nothing to do."],
    }


def test_a_long_list_says_what_is_not_in_it() -> None:
    given = replace(message(projects=2), unlisted=7)
    assert "- project-001: CutOff" in given.text()
    assert "- and: 7 more projects; see the backlog" in given.text()
    assert (len(given.payload()["projects"]), given.payload()["more_projects"]) == (2, 7)
    assert "more projects" not in message(projects=2).text()


def test_upstreams_words_stay_words() -> None:
    html = message(projects=1, reason='<script>alert("x")</script>\nSubject: x').html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "{{ 7 * 7 }}" in message(projects=1, reason="{{ 7 * 7 }}").html()


def test_it_is_stored_in_the_ledger_as_it_is() -> None:
    given = message(projects=2, tasks=1)
    assert Message.decoded(given.encoded()) == given


def test_commands_in_it_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_MIRROR_CONF", "/srv/mirror.conf")
    said, copied = "see `pypi-mirror plan`", "see `pypi-mirror plan -c /srv/mirror.conf`"
    given = replace(message(projects=1, tasks=1, reason=said), details=(said,), advice=(said,)).for_people()
    assert [given.projects[0].reason, given.tasks[0].reason, *given.details, *given.advice] == [copied] * 4


def test_the_file_that_every_shell_finds_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYPI_MIRROR_CONF", raising=False)
    given = replace(message(), advice=("see `pypi-mirror plan`",))
    assert given.for_people() == given
