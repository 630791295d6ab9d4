"""The task between the plan and its batches: a plan that removes too much needs a person's approval.

It waits without a process, a slot or the mirror's lease (Airflow's state ``awaiting_input``). A run that
takes the mirror meanwhile makes the plan void, which is checked before anything is removed.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from time import sleep
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import TaskAwaitingInput

from mirror_airflow.links import link_to_question
from mirror_airflow.task_errors import RunFailed
from mirror_airflow.task_mirror import task_mirror
from pypi_mirror.wording import count

if TYPE_CHECKING:
    from airflow.sdk import Context

    from pypi_mirror.facts.values import Removals
    from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

MOST_LISTED = 100
# Seconds between tries to record an answer.
WAITS_FOR_LEDGER = (5.0, 10.0, 30.0, *[60.0] * 15)


class ApproveRemovals(ApprovalOperator):
    """Succeeds when the plan of ``run``, the id of a run in the ledger, may run; else the run fails.

    ``hours`` is the timeout of the approval, ``approvers`` are the ids of the users who may answer; none:
    all whom Airflow lets answer.
    """

    template_fields = ("run",)

    def __init__(self, *, run: Any, hours: float, approvers: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(
            subject="Approve what the plan removes",
            response_timeout=timedelta(hours=hours),
            assigned_users=[{"id": user, "name": user} for user in approvers] or None,
            **kwargs,
        )
        self.run = run
        self.hours = hours
        self.approvers = tuple(approvers)

    def execute(self, context: "Context") -> None:
        """Let the plan pass, or ask for approval; ``execute_complete`` gets the answer."""
        from mirror_airflow.alerts.notify import ApprovalNotifier
        from pypi_mirror.errors import ApprovalRequired
        from pypi_mirror.planning.removals import removals_of
        from pypi_mirror.runs.approve_removals import approve_removals

        if context["params"]["dry_run"]:
            return
        with task_mirror() as mirror:
            try:
                approve_removals(mirror, self.run)
                return
            except ApprovalRequired as held:
                plan = held.plan
            removals = removals_of(mirror, self.run)
            self.subject = f"{removals.would().capitalize()}?"
            self.body = _body(mirror, removals)
            mirror.ledger.lease.release(mirror.ledger.runs.get(self.run).request.label)
        # After Airflow has the question, so that the link leads to it.
        link = link_to_question(context["dag"].dag_id, context["run_id"], self.task_id)
        self.notifiers = (ApprovalNotifier(removals, link=link, approvers=self.approvers),)
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            waiting.kwargs = {"plan": plan}
            raise

    def execute_complete(self, context: "Context", event: dict[str, Any], plan: str = "") -> None:
        """Let ``plan`` pass if it was approved; else raise RunFailed.

        While the ledger is unreachable it is tried again here: a retry of the task would ask again.
        """
        from pypi_mirror.errors import LedgerUnavailable

        for pause in WAITS_FOR_LEDGER:
            try:
                return self._complete(event, plan)
            except LedgerUnavailable as error:
                log.warning("the answer cannot be recorded yet, next try in %g s: %s", pause, error)
                sleep(pause)
        return self._complete(event, plan)

    def _complete(self, event: dict[str, Any], plan: str) -> None:
        from pypi_mirror.runs.approve_removals import approve_removals

        with task_mirror() as mirror:
            if event.get("error_type") == "timeout":
                raise RunFailed(
                    f"the approval timed out after {self.hours:g} hours; plan {plan} removed nothing, and "
                    "the next run makes a new plan"
                )
            if event.get("chosen_options") != [self.APPROVE]:
                raise RunFailed(f"{_person(event)} rejected plan {plan}; nothing was removed")
            user = (event.get("responded_by_user") or {}).get("id")
            if self.approvers and user not in self.approvers:
                # Airflow asked those whom the configuration named then; it may name others by now.
                raise RunFailed(
                    f"{_person(event)} approved plan {plan} and is not among [removal] approvers; "
                    "nothing was removed"
                )
            # The engine records the approval; later tasks rely on that record, not on this task's state.
            approve_removals(mirror, self.run, approved=plan, by=_person(event))
        log.info("%s approved plan %s", _person(event), plan)


def _person(event: dict[str, Any]) -> str:
    user = event.get("responded_by_user")
    return str(user["name"]) if user else "somebody unnamed"


def _body(mirror: "Mirror", removals: "Removals") -> str:
    """What the approver sees, as Markdown. Reasons can quote upstream, so they are set as code."""
    note = (
        "Removed files stay on the disk for `[removal] grace-days`. Nothing of this plan runs before it is "
        "approved. Another sync makes it void, and asks again."
    )
    limits = [f"- {limit}" for limit in removals.exceeded]
    lines = [f"The plan `{removals.plan}` would {removals.would()}:", *limits, ""]
    lines += [note, "", "```"]
    for planned in islice(mirror.ledger.plan.losing(removals.run_id), MOST_LISTED):
        reason = " ".join(planned.reason.split()).replace("`", "'")
        lines.append(f"{planned.project}: {count(planned.loses_files, 'file')}, {reason}")
    if removals.touched > MOST_LISTED:
        lines.append(f"and {count(removals.touched - MOST_LISTED, 'more project')}")
    return "\n".join((*lines, "```"))
