"""The plan of a backfill: what changed in its interval, and what differs from upstream. Pure, like planning.

It goes by upstream's root index as it is now: what happened since the interval counts, or a backfill would
bring back what upstream has removed. What other filters ask for is the next sync's business.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.ledger.projects import QUARANTINED, KnownProject
from pypi_mirror.model import IndexEntry, PlannedProject
from pypi_mirror.planning.plan import ProjectPolicy, asked_for, gone, side_by_side, sync_of

CHANGED: Final = "changed in the backfill's interval"


def plan_backfill(
    entries: Iterable[IndexEntry],
    known: Iterable[KnownProject],
    policy: ProjectPolicy,
    *,
    touched: Collection[NormalizedName],
    only: Collection[NormalizedName],
    complete: bool,
    serial: int | None = None,
) -> Iterator[PlannedProject]:
    """Compare upstream's root index, which is of ``serial``, with the ledger, both by normalized name.

    ``touched`` projects changed in the interval; their files are verified. ``only`` confines the plan to
    these projects, where there are any. ``complete`` says that the mirror has been complete under these
    filters; before that, what it lacks was not synced yet, which is no difference to repair.
    """
    for project, entry, have in side_by_side(entries, known):
        if (only and project not in only) or policy.rejection_reason(project) is not None:
            continue
        present = have if have is not None and have.present else None
        if entry is not None and project in touched:
            yield replace(sync_of(entry, CHANGED, unread=True), verify=True)
        elif entry is not None:
            reason = _why(entry, present, complete=complete)
            if reason is not None:
                yield sync_of(entry, reason, unread=True)
        elif present is not None and present.status != QUARANTINED:
            yield gone(present, serial)
        elif present is not None and project in touched:
            yield replace(asked_for(present, CHANGED), verify=True)


def _why(entry: IndexEntry, known: KnownProject | None, *, complete: bool) -> str | None:
    if known is None:
        return "missing" if complete else None
    if entry.serial is not None and known.seen_serial is not None and entry.serial > known.seen_serial:
        return f"upstream is at serial {entry.serial}"
    if known.status == QUARANTINED:
        return "upstream lists it again"
    if entry.name != known.display_name:
        return f"display name changed to {entry.name}"
    return None
