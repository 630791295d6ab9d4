"""Which run is at work, as far as the ledger can tell: a run that died says that it is running, too."""

from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import RunState
from pypi_mirror.planning.removals import waits_for_approval


def run_under_way(mirror: Mirror) -> Run | None:
    """The run that has the mirror, or waits for a person to let it go on; None when none does."""
    holder = mirror.ledger.lease.holder()
    if holder is not None:
        run = mirror.ledger.runs.labelled(holder.owner)
        return run if run is not None and run.state is RunState.RUNNING else None
    return mirror.ledger.runs.latest()[0] if waits_for_approval(mirror) is not None else None


def newest_run(mirror: Mirror) -> tuple[object, ...]:
    """Changes when a run begins or ends, so that what is remembered never outlives the run it is of."""
    return tuple((run.id, run.state, run.finished_at) for run in mirror.ledger.runs.latest())
