"""Between steps 3 and 4: a plan that removes too much waits for a person."""

import logging

from msgspec.structs import replace

from pypi_mirror.facts.values import Removals
from pypi_mirror.mirror import Mirror
from pypi_mirror.planning.removals import approval_required, note_removals, removals_of
from pypi_mirror.planning.to_do import note_to_do

log = logging.getLogger(__name__)


def approve_removals(
    mirror: Mirror, run_id: int, *, approved: str | None = None, by: str = "somebody"
) -> Removals:
    """Let the run go on to its batches; ``approved`` is the id of the plan that the person ``by`` allowed.

    That is recorded in the ledger, where the steps after this one look for it (``require_approval``).

    Raises ApprovalRequired when the plan needs approval and this is not it, LeaseLost when another run took
    the mirror while this one waited.
    """
    run = mirror.ledger.runs.get(run_id)
    mirror.ledger.lease.renew(run.request.label)
    removals = removals_of(mirror, run_id)
    if not removals.exceeded:
        note_to_do(mirror, run, approved=False)
        return removals
    if removals.plan == approved:
        removals = replace(removals, approved=True, approved_by=by, approved_at=int(mirror.clock()))
        note_removals(mirror, removals)
        log.info("%s approved the plan %s: %s", by, removals.plan, removals.would())
    if removals.approved:
        note_to_do(mirror, run, approved=True)
        return removals
    other = f"{approved} was approved, but that is another plan: " if approved else ""
    raise approval_required(removals, other=other)
