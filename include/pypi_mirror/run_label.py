"""What runs are called: a label is unique, and says which run of Airflow or of the command line it is.

A sync of Airflow has its run's id as label, an audit has ``audit`` before it, and so on: two DAGs may give
runs of one time one id. A label of the command line ends with what no other process has.
"""

import re
from dataclasses import dataclass
from typing import Final

# Airflow's kinds of runs, as their ids begin.
AIRFLOW_KINDS: Final = (
    "manual", "scheduled", "backfill", "operator_triggered", "asset_triggered", "asset_materialization",
)  # fmt: skip

_KIND: Final = "|".join(AIRFLOW_KINDS)
_OF_AIRFLOW: Final = re.compile(rf"(?:(?P<of>audit|cooldown) )?(?P<id>(?P<kind>{_KIND})__\S+)")
# "command line, HOST, process 12, …": the host says enough of a run that is over.
_UNIQUE_PART: Final = re.compile(r", [0-9a-f]*-\d*-\d*-[0-9a-f]+$")
_PROCESS: Final = re.compile(r", process \d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunName:
    """How people are shown a run: ``text`` is how it was started, ``airflow_id`` Airflow's id of it, None for
    a run of the command line.
    """

    text: str
    airflow_id: str | None = None


def audit_label(run_id: str) -> str:
    """The label of an audit that is Airflow's run ``run_id``."""
    return f"audit {run_id}"


def cooldown_label(run_id: str) -> str:
    """The label of Airflow's run ``run_id`` that lists what is due."""
    return f"cooldown {run_id}"


def airflow_run(label: str) -> tuple[str, str | None] | None:
    """Airflow's id of a run, and what comes before it in the label; None for a run of the command line."""
    found = _OF_AIRFLOW.fullmatch(label)
    return None if found is None else (found["id"], found["of"])


def shown_label(label: str) -> str:
    """The label in a message: without what tells people nothing."""
    return _UNIQUE_PART.sub("", label)


def run_name(label: str) -> RunName:
    """``scheduled``, or ``command line, HOST``, for tables, which have beside it when the run began."""
    found = _OF_AIRFLOW.fullmatch(label)
    if found is not None:
        return RunName(text=found["kind"].replace("_", " "), airflow_id=found["id"])
    return RunName(text=_PROCESS.sub("", shown_label(label)))
