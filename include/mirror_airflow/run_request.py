"""From an Airflow run to the engine's request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from packaging.utils import canonicalize_name

from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.planning.removals import require_none_waits
from pypi_mirror.runs.fetch_changelog import fetch_changelog

BACKFILL = "backfill"


class AirflowRun(Protocol):
    """The part of Airflow's run that is used; a run started by hand may have no dates at all."""

    run_id: str
    data_interval_start: datetime | None
    data_interval_end: datetime | None

    @property
    def run_type(self) -> str: ...


def begin_run(mirror: Mirror, run: AirflowRun, params: Mapping[str, Any]) -> int:
    """Begin ``run`` in the ledger, and return its id there.

    Raises MirrorBusy while another run has the mirror, and if a dry run would make a plan void that is
    awaiting approval.
    """
    if params["dry_run"]:
        require_none_waits(mirror)
    return fetch_changelog(mirror, run_request(run, params)).run_id


def run_request(run: AirflowRun, params: Mapping[str, Any]) -> RunRequest:
    """What the engine is asked to do for ``run``, started with ``params`` (see ``trigger_form``).

    Airflow's run id is the label, so a cleared task continues the run of its ledger.
    """
    projects = tuple(dict.fromkeys(canonicalize_name(name) for name in params["projects"] or ()))
    recheck, any_hour = bool(params["recheck"]), bool(params["now"])
    if run.run_type == BACKFILL and run.data_interval_start and run.data_interval_end:
        return RunRequest(
            label=run.run_id,
            kind=RunKind.BACKFILL,
            projects=projects,
            recheck=recheck,
            any_hour=any_hour,
            dry_run=bool(params["dry_run"]),
            interval=(int(run.data_interval_start.timestamp()), int(run.data_interval_end.timestamp())),
        )
    return RunRequest(
        label=run.run_id,
        kind=RunKind.SELECTED if projects else RunKind.SYNC,
        projects=projects,
        recheck=recheck,
        any_hour=any_hour,
        unbounded=bool(params["all"]),
        dry_run=bool(params["dry_run"]),
    )
