"""What a backfill finds out about its interval: upstream's events of then and its root index of now."""

import logging

from pypi_mirror.changes.upstream_index import upstream_index
from pypi_mirror.errors import MirrorError
from pypi_mirror.ledger.runs import Run
from pypi_mirror.mirror import Mirror
from pypi_mirror.upstream.changelog import NO_EVENTS, NoChangelog
from pypi_mirror.upstream.control import Control
from pypi_mirror.upstream.index_snapshot import save_snapshot
from pypi_mirror.upstream.root_index import check_not_older

log = logging.getLogger(__name__)


def interval_of(mirror: Mirror, run: Run) -> tuple[int, int]:
    """[start, end) in seconds since 1970, as far as it is past; empty for one that is to come."""
    if run.request.interval is None:
        raise MirrorError("a backfill needs the interval that it is for")
    start, end = run.request.interval
    return start, max(start, min(end, int(mirror.clock()) + 1))


def fetch_events(mirror: Mirror, control: Control, run: Run) -> int:
    """Ask upstream for its events of the interval, those from before the mirror's time too, and keep them.

    Returns how many there are; 0 where upstream has no changelog, or so many that its index has to do.
    """
    start, end = interval_of(mirror, run)
    changelog = mirror.changelog(control)
    count = 0
    try:
        for events in changelog.during(start, end, after=mirror.ledger.events.last_before):
            mirror.ledger.lease.renew(run.request.label)
            mirror.ledger.events.add(events)
            count += len(events)
    except NoChangelog:
        pass
    except NO_EVENTS as error:
        log.warning("%s; falling back to the ledger and upstream's root index", error)
    return count


def compare_index(mirror: Mirror, control: Control, run: Run) -> bool:
    """Keep upstream's root index for the plan; False when it is still the one that was last compared."""
    facts = mirror.ledger.facts
    cursor = facts.read
    # As for a sync: only with serials does an unchanged index mean unchanged projects.
    same = cursor is not None and facts.selection == mirror.selection
    index = upstream_index(mirror, control, etag=facts.index_etag if same else None, after=cursor)
    if index is None:
        return False
    check_not_older(index, cursor)
    save_snapshot(mirror.state, run.id, index)
    return True
