"""Which DAG and run of Airflow a label of the ledger is of, and what Airflow says of that run."""

import logging
from typing import Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError

from pypi_mirror.run_label import airflow_run

log = logging.getLogger(__name__)

SYNC_DAG: Final = "pypi_mirror"
_DAGS: Final = {None: SYNC_DAG, "audit": f"{SYNC_DAG}_audit", "cooldown": f"{SYNC_DAG}_cooldown"}

_ENDED: Final = ("success", "failed")


def run_of(label: str) -> tuple[str, str] | None:
    """The DAG and the run id behind a label; None for a run of the command line."""
    found = airflow_run(label)
    if found is None:
        return None
    run_id, of = found
    return _DAGS[of], run_id


def has_ended(ti: Any, label: str) -> bool:
    """Whether Airflow says that the run of ``label`` is over; False for what it does not know.

    ``ti`` is the running task, by which Airflow is asked.
    """
    run = run_of(label)
    if run is None:
        return False
    try:
        return ti.get_dagrun_state(*run) in _ENDED
    except AirflowRuntimeError as error:
        log.info("Airflow does not say what became of %s: %s", label, error)
        return False
