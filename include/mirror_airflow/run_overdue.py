"""What happens when a run takes longer than ``[alerts] run-deadline``: one message goes out, the run goes on.

Airflow's scheduler notices it and has its triggerer call ``tell_of_overdue_run``: a callback that runs in the
executor would wait for a free slot, which the run that hangs may be holding.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

# Airflow's stub of its own package leaves these out.
from airflow.sdk import AsyncCallback, DeadlineAlert  # type: ignore[attr-defined]
from airflow.sdk.definitions.deadline import BaseDeadlineReference

from pypi_mirror.settings.values import Alerts

ENDED = ("success", "failed")


class WhenCreated(BaseDeadlineReference):
    """The time counts from when the run is made.

    Not from when it is queued, which is the same moment: with that reference Airflow 3.3.2 answers 500 when
    somebody clears a task of the run, for it takes the interval for a number.
    """

    def _evaluate_with(self, *, session: Any, **_: Any) -> datetime:
        del session
        return datetime.now(UTC)


def run_deadline(alerts: Alerts) -> DeadlineAlert | None:
    """For a DAG: the time that a run may take, from when it is queued; None where it may take any."""
    if not alerts.run_deadline:
        return None
    return DeadlineAlert(
        reference=WhenCreated(),
        interval=timedelta(hours=alerts.run_deadline),
        callback=AsyncCallback(tell_of_overdue_run),
        name="run-deadline",
    )


async def tell_of_overdue_run(context: dict[str, Any]) -> str:
    """The deadline's callback; returns what it did, which Airflow keeps with the deadline."""
    return await asyncio.to_thread(_tell, context["dag_run"])


def _tell(run: dict[str, Any]) -> str:
    """``run`` is Airflow's run as its REST API shows it, at the moment when the deadline had passed."""
    # What a DAG file imports to name the callback stays light.
    from airflow.sdk import Context

    from mirror_airflow.configuration import load_configuration
    from mirror_airflow.message import Message
    from mirror_airflow.run_failed import link_to_run, mirror_name
    from mirror_airflow.telling import tell_people
    from pypi_mirror.alerts.conditions import RunOverdue
    from pypi_mirror.runs.raise_alerts import Happened

    # Airflow drops the deadlines of runs that succeed, not those of runs that fail.
    if run["state"] in ENDED:
        return f"the run has ended: {run['state']}"
    if not run.get("start_date"):
        return "the run has not begun; the watch tells of it if the mirror is stale or the run takes too long"
    configuration = load_configuration()
    if configuration.settings is not None and _waits(configuration.settings, run["dag_run_id"]):
        return "the run waits for a person, who was told of that"
    name, label = mirror_name(configuration), run["dag_run_id"]
    overdue = RunOverdue(
        label=label,
        started_at=int(datetime.fromisoformat(run["start_date"]).timestamp()),
        hours=configuration.alerts.run_deadline,
    )
    message = Message(
        alert=RunOverdue.key,
        title=f"a run takes longer than {overdue.hours:g} hours",
        summary=f"The run {label} of the mirror {name} takes longer than {overdue.hours:g} hours.",
        mirror=name,
        link=link_to_run(run["dag_id"], label),
        run=label,
        details=overdue.details,
        advice=(overdue.advice,),
    )
    happened = Happened(key=RunOverdue.key, about=label, title=overdue.title)
    tell_people(configuration, message, happened, Context())
    return "told"


def _waits(settings: Any, label: str) -> bool:
    from pypi_mirror.errors import MirrorError
    from pypi_mirror.mirror import open_mirror
    from pypi_mirror.planning.guard_removals import waiting_for_approval

    try:
        with open_mirror(settings) as mirror:
            removals, run = waiting_for_approval(mirror), mirror.ledger.runs.labelled(label)
            return removals is not None and run is not None and removals.run_id == run.id
    except MirrorError:
        return False
