"""How many projects of a run may fail before it stops, by the settings."""

from pypi_mirror.fetching.failure_limit import FailureLimit
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import PlanState
from pypi_mirror.settings.max_failures import format_max_failures


def failure_limit(mirror: Mirror, run_id: int) -> FailureLimit:
    """The limit of stop-on-error or max-failures, over all that has failed in run ``run_id``."""
    plan, most = mirror.ledger.plan, mirror.settings.max_failures

    def in_ledger() -> int:
        return plan.count(run_id, PlanState.FAILED)

    if mirror.settings.stop_on_error:
        return FailureLimit(0, in_ledger)
    if most is None:
        return FailureLimit(None, in_ledger)
    return FailureLimit(
        most.of(plan.count(run_id)), in_ledger, option=f"max-failures = {format_max_failures(most)}"
    )
