"""Is upstream the one that the mirror was made from? Serials of another one mean nothing here.

Beside the cursor the ledger keeps the address and a sample of projects with their serials as of the cursor:
those that changed longest ago, which hardly ever change, and the one that changed last. An index in which not
one of them is as it was is another one's; so is a changelog whose event at the cursor is another than ours.
Then what was known of upstream is forgotten, and everything is compared, through the guard.
"""

import heapq
import logging
from collections.abc import Iterable
from typing import Final

from pypi_mirror.errors import MirrorError
from pypi_mirror.facts.facts import Facts
from pypi_mirror.facts.values import UpstreamIdentity
from pypi_mirror.ledger.store import reset_upstream
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Event, IndexEntry
from pypi_mirror.upstream.changelog import is_removal

log = logging.getLogger(__name__)

# Of a small upstream that is all projects: in a week most of them may change.
_OLDEST: Final = 255
# One project alone may have changed.
_AT_LEAST: Final = 2


class AnotherUpstream(MirrorError):
    """Upstream is not the one that the mirror was made from."""


def sample_of(mirror: Mirror, entries: Iterable[IndexEntry]) -> UpstreamIdentity:
    """What tells an upstream with these projects from others."""
    return _identity_of(mirror, [(e.serial, str(e.project)) for e in entries if e.serial is not None])


def _identity_of(mirror: Mirror, serials: list[tuple[int, str]]) -> UpstreamIdentity:
    chosen = heapq.nsmallest(_OLDEST, serials)
    if serials:
        chosen.append(max(serials))
    return UpstreamIdentity(
        master=mirror.settings.master, sample={project: serial for serial, project in chosen}
    )


def follow_events(mirror: Mirror, events: Iterable[Event]) -> None:
    """Have the sample be as of ``events``, which come after it: in time each of its projects changes."""
    known = mirror.ledger.facts.upstream_identity
    if known is None:
        return
    sample = dict(known.sample)
    for event in events:
        if is_removal(event.action):
            sample.pop(event.project, None)
        else:
            sample[event.project] = event.serial
    serials = [(serial, project) for project, serial in sample.items()]
    mirror.ledger.facts.put(Facts.upstream_identity.to(_identity_of(mirror, serials)))


def difference(
    mirror: Mirror, known: UpstreamIdentity | None, entries: Iterable[IndexEntry] | None = None
) -> str | None:
    """Why upstream, whose root index has ``entries``, is another one than ``known``; None if it may be."""
    if known is None:
        return None
    if known.master != mirror.settings.master:
        return f"[mirror] master was {known.master}"
    if entries is None or len(known.sample) < _AT_LEAST:
        return None
    if any(known.sample.get(entry.project) == entry.serial is not None for entry in entries):
        return None
    return f"none of {len(known.sample)} known projects has the serial it had"


def require_same(mirror: Mirror) -> None:
    """Raises AnotherUpstream where [mirror] master is another one than that which the mirror was made from.

    For what looks at some projects alone: it would mix the two.
    """
    if (why := difference(mirror, mirror.ledger.facts.upstream_identity)) is not None:
        raise AnotherUpstream(f"{why}; a sync has to compare the whole mirror with the new one first")


def check_event(mirror: Mirror, serial: int, found: Event | None) -> None:
    """Raises AnotherUpstream when the event at the cursor, ``found``, is another one than was seen before."""
    ours = next(mirror.ledger.events.between(serial - 1, serial), None)
    if ours is not None:
        same = found is not None and (found.project, found.action) == (ours.project, ours.action)
    else:
        known = mirror.ledger.facts.upstream_identity
        projects = [] if known is None else [p for p, at in known.sample.items() if at == serial]
        same = not projects or (found is not None and found.project in projects)
    if not same:
        was = "another project's" if found is not None else "not there"
        raise AnotherUpstream(f"the event of serial {serial} is {was} in its changelog")


def begin_with_another(mirror: Mirror, why: str) -> None:
    """Forget where upstream was, so that the run compares everything."""
    log.warning(
        "upstream is another one than before (%s): everything is compared with it; projects that it does not "
        "have are removed once a person approves it",
        why,
    )
    reset_upstream(mirror.ledger.engine)
    mirror.ledger.facts.put(Facts.another_upstream.to(why))
