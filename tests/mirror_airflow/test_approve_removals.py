"""The operator's answers that a real run in tests/dags does not show: none at all, and a plan made void."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from packaging.utils import NormalizedName

from mirror_airflow import approve_removals
from mirror_airflow.approve_removals import ApproveRemovals
from mirror_airflow.task_errors import RunFailed
from pypi_mirror.errors import ApprovalRequired, LeaseLost, LedgerUnavailable
from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror, open_mirror
from pypi_mirror.model import Action, PlannedProject
from pypi_mirror.planning.removals import removals_of, require_approval, weigh_removals
from pypi_mirror.settings.values import Settings

APPROVED = {"chosen_options": ["Approve"], "responded_by_user": {"id": "1", "name": "Ada"}}
TIMEOUT = {"error": "The response timeout has passed.", "error_type": "timeout"}


@pytest.fixture
def opened(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[Mirror]]:
    """An empty mirror, which the operator opens too."""

    @contextmanager
    def task_mirror() -> Iterator[Mirror]:
        with open_mirror(Settings(directory=tmp_path, master="https://index.example")) as mirror:
            yield mirror

    monkeypatch.setattr(approve_removals, "task_mirror", task_mirror)
    return task_mirror


def plan(mirror: Mirror, label: str, projects: int) -> tuple[int, str]:
    """Write a plan of a new run that removes so many projects; return the ids of both."""
    mirror.ledger.lease.take(label)
    run = mirror.ledger.runs.begin(RunRequest(label=label))
    names = [NormalizedName(f"p{number}") for number in range(projects)]
    removed = [
        PlannedProject(
            project=name, display_name=name, action=Action.REMOVE, reason="a test", loses_project=True
        )
        for name in names
    ]
    mirror.ledger.plan.write(run.id, removed)
    return run.id, weigh_removals(mirror, run.id).plan


def answer(run: int, event: dict[str, Any], plan_id: str, approvers: tuple[str, ...] = ()) -> None:
    operator = ApproveRemovals(task_id="approve_removals", run=run, hours=2, approvers=approvers)
    operator.execute_complete({}, event, plan=plan_id)  # type: ignore[typeddict-item]


@pytest.mark.parametrize("event", [APPROVED, {"chosen_options": ["Approve"]}])
def test_only_who_is_named_by_now_approves(
    opened: Callable[[], AbstractContextManager[Mirror]], event: dict[str, Any]
) -> None:
    """Airflow keeps to the users who were named when it asked."""
    with opened() as mirror:
        run, plan_id = plan(mirror, "waits", 6)
    with pytest.raises(RunFailed, match=r"is not among \[removal\] approvers; nothing was removed"):
        answer(run, event, plan_id, approvers=("2", "3"))
    with opened() as mirror, pytest.raises(ApprovalRequired):
        require_approval(mirror, run)
    answer(run, APPROVED, plan_id, approvers=("1",))


def test_only_what_was_asked_about_is_approved(
    opened: Callable[[], AbstractContextManager[Mirror]],
) -> None:
    with opened() as mirror:
        run, plan_id = plan(mirror, "waits", 6)
    answer(run, APPROVED, plan_id)
    with opened() as mirror:
        plan(mirror, "waits", 7)
    with pytest.raises(ApprovalRequired, match=f"{plan_id} was approved, but that is another plan"):
        answer(run, APPROVED, plan_id)


@pytest.mark.parametrize("failing", [1, 3])
def test_while_the_ledger_is_unreachable_the_answer_is_kept_and_nobody_is_asked_again(
    opened: Callable[[], AbstractContextManager[Mirror]], monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    with opened() as mirror:
        run, plan_id = plan(mirror, "waits", 6)
    pauses: list[float] = []

    @contextmanager
    def out_of_reach() -> Iterator[Mirror]:
        if len(pauses) < failing:
            raise LedgerUnavailable("the database is starting")
        with opened() as mirror:
            yield mirror

    monkeypatch.setattr(approve_removals, "task_mirror", out_of_reach)
    monkeypatch.setattr(approve_removals, "sleep", pauses.append)
    answer(run, APPROVED, plan_id)
    assert pauses == list(approve_removals.WAITS_FOR_LEDGER[:failing])
    with opened() as mirror:
        require_approval(mirror, run)


def test_a_ledger_that_stays_unreachable_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def out_of_reach() -> Iterator[Mirror]:
        raise LedgerUnavailable("the database is gone")
        yield

    monkeypatch.setattr(approve_removals, "task_mirror", out_of_reach)
    monkeypatch.setattr(approve_removals, "sleep", lambda _seconds: None)
    with pytest.raises(LedgerUnavailable, match="the database is gone"):
        answer(1, APPROVED, "cafe")


def test_no_answer_ends_the_run_with_a_sentence(
    opened: Callable[[], AbstractContextManager[Mirror]],
) -> None:
    with pytest.raises(RunFailed, match=r"the approval timed out after 2 hours; plan cafe .* a new plan"):
        answer(1, TIMEOUT, "cafe")


def test_only_the_approvers_may_answer() -> None:
    assert ApproveRemovals(task_id="a", run=1, hours=2).assigned_users is None
    operator = ApproveRemovals(task_id="a", run=1, hours=2, approvers=("ada", "42"))
    assert operator.assigned_users == [{"id": "ada", "name": "ada"}, {"id": "42", "name": "42"}]


def test_what_is_asked_says_what_makes_the_plan_void_and_no_more(
    opened: Callable[[], AbstractContextManager[Mirror]],
) -> None:
    with opened() as mirror:
        run, _ = plan(mirror, "waits", 6)
        asked = approve_removals._body(mirror, removals_of(mirror, run))
    assert "Another sync makes it void" in asked
    assert "dry run" not in asked


def test_an_answer_that_comes_after_another_run_is_void(
    opened: Callable[[], AbstractContextManager[Mirror]],
) -> None:
    with opened() as mirror:
        run, plan_id = plan(mirror, "waits", 6)
        mirror.ledger.lease.release("waits")
        plan(mirror, "came in between", 1)
    with pytest.raises(LeaseLost, match="waits may not write to the mirror"):
        answer(run, APPROVED, plan_id)
