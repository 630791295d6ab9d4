"""The mirror against upstream's events: what those up to the cursor said is on the pages, or on the backlog.

That is what the cursor promises, and no comparison of ledger and disk can tell.
"""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final

from packaging.utils import NormalizedName

from pypi_mirror.audit.findings import Finding, Kind, Tallying
from pypi_mirror.audit.repair import SyncNow
from pypi_mirror.chunks import chunks
from pypi_mirror.mirror import Mirror
from pypi_mirror.model import Action, PlannedProject
from pypi_mirror.planning.plan import candidates

_CHUNK: Final = 1_000


def behind_events(
    mirror: Mirror, *, names: Sequence[NormalizedName] = ()
) -> Iterator[tuple[Finding, PlannedProject]]:
    """The selected projects whose pages are older than an event up to the cursor and that neither the
    backlog nor a later sync has to bring, each with what to do about it. With ``names`` only these.

    Of projects that the mirror does not have the events say nothing: an index may have said since that they
    are gone.
    """
    cursor = mirror.ledger.facts.cursor
    if cursor is None:
        return
    wanted = set(names)
    chosen = [n for n in mirror.ledger.events.past_pages(cursor) if not wanted or n in wanted]
    for chunk in chunks(chosen, _CHUNK):
        known = mirror.ledger.projects.known(chunk)
        waiting = mirror.ledger.backlog.those_of(chunk) | mirror.ledger.to_do.those_of(chunk)
        events = sorted(mirror.ledger.events.of(chunk), key=attrgetter("serial"))
        for candidate in candidates((e for e in events if e.serial <= cursor), mirror.policy):
            have = known.get(candidate.project)
            if candidate.project in waiting or have is None or not have.present:
                continue
            if have.serial is None or have.serial >= candidate.serial:
                continue
            finding = Finding(
                kind=Kind.BEHIND,
                path=f"web/simple/{candidate.project}",
                project=candidate.project,
                detail=f"event {candidate.serial}, {candidate.reason}; the page is of serial {have.serial}",
            )
            yield (
                finding,
                PlannedProject(
                    project=candidate.project,
                    display_name=candidate.display_name,
                    action=Action.SYNC,
                    reason=f"the audit found damage: {finding}",
                    serial=candidate.serial,
                    exact=True,
                    gone=candidate.gone,
                ),
            )


def follow_events(
    mirror: Mirror, tally: Tallying, planned: Sequence[PlannedProject], sync_now: SyncNow, *, most_gone: int
) -> None:
    """Sync what :func:`behind_events` found.

    More than ``most_gone`` removals are left to a person and the guard of a sync.
    """
    gone = sum(project.gone for project in planned)
    todo = [project for project in planned if not project.gone or gone <= most_gone]
    if not todo:
        return
    for failure in sync_now(todo, replace=True):
        tally.failures[failure.project] = failure
    still = {finding.project for finding, _ in behind_events(mirror, names=[p.project for p in todo])}
    tally.repaired += len({p.project for p in todo} - still)
