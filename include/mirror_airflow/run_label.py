"""What the ledger calls the runs of Airflow, and which run of Airflow a label is of."""

import logging
import re
from typing import Any, Final

from airflow.sdk.exceptions import AirflowRuntimeError

log = logging.getLogger(__name__)

SYNC_DAG: Final = "pypi_mirror"
AUDIT_DAG: Final = "pypi_mirror_audit"

_OF_AIRFLOW: Final = re.compile(r"(?P<audit>audit )?(?P<run>(manual|scheduled|backfill)__\S+)")
_ENDED: Final = ("success", "failed")


def audit_label(run_id: str) -> str:
    """The label of an audit: two DAGs may give runs of one time one name. A sync's is its run id."""
    return f"audit {run_id}"


def run_of(label: str) -> tuple[str, str] | None:
    """The DAG and the run id behind a label; None for a run of the command line."""
    found = _OF_AIRFLOW.fullmatch(label)
    return None if found is None else (AUDIT_DAG if found["audit"] else SYNC_DAG, found["run"])


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
