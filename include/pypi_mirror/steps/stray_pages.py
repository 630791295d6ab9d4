"""Pages of projects that the ledger does not hold: bandersnatch left them, or the ledger was lost.

Upstream has no such project any more or the filters leave it out, so no plan speaks of it, and its page
would be served for ever. Its files stay in the pool.
"""

import logging
from itertools import islice
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror

log = logging.getLogger(__name__)

_CHUNK: Final = 5_000


def remove_stray_pages(mirror: Mirror, run: Run) -> int:
    """After a run that compared the ledger with all of upstream: return how many projects' pages went.

    To be called once the root index is written. What could not be synced yet keeps the page it had.
    """
    waiting: set[NormalizedName] | None = None
    removed = 0
    names = mirror.pages.names()
    while chunk := list(islice(names, _CHUNK)):
        mirror.ledger.lease.renew(run.request.label)
        known = mirror.ledger.projects.known(chunk)
        strays = {name for name in chunk if name not in known or not known[name].present}
        if strays and waiting is None:
            waiting = _waiting(mirror, run)
        for name in sorted(strays - (waiting or set())):
            if mirror.pages.remove_stray(name):
                log.info("%s: its page was removed, for the mirror does not hold this project", name)
                removed += 1
    return removed


def _waiting(mirror: Mirror, run: Run) -> set[NormalizedName]:
    """The selected projects that upstream has and that are not in the ledger because they failed."""
    failed = {entry.project for entry in mirror.ledger.backlog.all()}
    failed.update(mirror.ledger.plan.failed(run.id))
    # The backlog keeps a project that is no longer selected until its next try is due.
    return {name for name in failed if mirror.selector.why_not(name) is None}
