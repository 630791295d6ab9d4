from mirror_airflow.message import (
    MOST_LISTED,
    FailedProject,
    FailedTask,
    FailureMessage,
    WaitingMessage,
)


def message(projects: int = 0, tasks: int = 0, reason: str = "it broke") -> FailureMessage:
    return FailureMessage(
        run="manual__2025",
        mirror="http://mirror.example/pypi",
        link="http://airflow.example/dags/pypi_mirror/runs/manual__2025",
        projects=tuple(FailedProject(project=f"project-{n:03}", reason=reason) for n in range(projects)),
        tasks=tuple(FailedTask(task=f"task_{n}", reason=reason) for n in range(tasks)),
    )


def test_it_names_projects_reasons_the_run_and_where_to_look() -> None:
    text = message(projects=2).text()
    for part in ("project-000: it broke", "project-001", "manual__2025", "http://airflow.example/"):
        assert part in text
        assert part.split(":")[0] in message(projects=2).html()


def test_the_subject_is_one_line_that_names_the_first_projects() -> None:
    subject = message(projects=5).subject
    assert subject == (
        "pypi-mirror: 5 projects failed: project-000, project-001, project-002 and 2 more (manual__2025)"
    )


def test_a_failed_task_is_named_where_no_project_failed() -> None:
    assert message(tasks=1).subject == "pypi-mirror: task_0 failed (manual__2025)"
    assert "- task_0: it broke" in message(tasks=1).text()


def test_a_long_list_is_cut_off_and_says_so() -> None:
    text = message(projects=MOST_LISTED + 7).text()
    assert f"project-{MOST_LISTED - 1:03}" in text
    assert f"project-{MOST_LISTED:03}" not in text
    assert "7 more projects" in text


def test_upstreams_words_stay_words() -> None:
    html = message(projects=1, reason='<script>alert("x")</script>\nSubject: x').html()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "\n" not in message(projects=1, reason="a\r\nb").subject
    assert "{{ 7 * 7 }}" in message(projects=1, reason="{{ 7 * 7 }}").html()


def test_a_run_that_waits_is_not_said_to_have_failed() -> None:
    waiting = WaitingMessage(
        run="manual__2025",
        mirror="http://mirror.example/pypi",
        link="http://airflow.example/dags/pypi_mirror/runs/manual__2025",
        removals="600 projects",
        reasons=("600 projects, <the limit> is 500",),
    )
    assert waiting.subject == "pypi-mirror: waits for approval to remove 600 projects (manual__2025)"
    assert "mirror.example/pypi waits for approval to remove 600 projects.\n- limit: 600" in waiting.text()
    assert "&lt;the limit&gt; is 500" in waiting.html()
    assert "fail" not in waiting.text() + waiting.html()
