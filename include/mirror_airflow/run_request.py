"""From a run of Airflow to one of the engine: its request, its beginning, the pages that it has to read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from msgspec.structs import replace
from packaging.utils import canonicalize_name

from pypi_mirror.ledger.runs import RunRequest
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunKind
from pypi_mirror.planning.list_projects import list_projects
from pypi_mirror.planning.removals import require_none_waits
from pypi_mirror.runs.fetch_changelog import fetch_changelog
from pypi_mirror.runs.follow_dependencies import begin_following, follow_dependencies
from pypi_mirror.runs.read_pages import PagesRead, read_pages

BACKFILL = "backfill"

# Up to so many are read faster than another task starts.
SHORT: Final = 200


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
    kind, interval = RunKind.SELECTED if projects else RunKind.SYNC, None
    if run.run_type == BACKFILL and run.data_interval_start and run.data_interval_end:
        kind = RunKind.BACKFILL
        interval = int(run.data_interval_start.timestamp()), int(run.data_interval_end.timestamp())
    return RunRequest(
        label=run.run_id,
        kind=kind,
        projects=projects,
        recheck=bool(params["recheck"]),
        any_hour=bool(params["now"]),
        # A backfill has no bounds.
        unbounded=bool(params["all"]) and interval is None,
        dry_run=bool(params["dry_run"]),
        interval=interval,
    )


def read_short_list(mirror: Mirror, run: int) -> list[int]:
    """Make the list of ``run``, and read it if it is short; so with the dependencies to follow.

    Returns, for each task that has to read or follow, how many pages: one for a long list, none for a short
    one.
    """
    pages = list_projects(mirror, run)
    if pages > SHORT:
        return [pages]
    read_pages(mirror, run)
    if begin_following(mirror, run):
        return [0]
    follow_dependencies(mirror, run)
    return []


def read_long_list(mirror: Mirror, run: int) -> PagesRead:
    """Read the pages of ``run``, and follow dependencies."""
    read = read_pages(mirror, run)
    return replace(read, failed=(*read.failed, *follow_dependencies(mirror, run, again=False)))
